import numpy as np
import pytest

from SegmentationAILib.learn import procedural_shapes
from SegmentationAILib.learn.procedural_shapes import (
    MOST_OBJECTS,
    random_objects,
    random_positions,
    random_regions,
)


def test_a_seed_gives_the_same_objects_and_another_seed_others():
    drawn = []
    for seed in (4, 4, 5):
        rng = np.random.default_rng(seed)
        drawn.append(random_objects(rng, random_positions(rng, 24, (1.0, 1.0, 3.0))))
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert max(labels.max() for labels in drawn) <= MOST_OBJECTS


def test_unbent_positions_are_as_far_apart_as_the_voxels():
    rng = np.random.default_rng(1)
    positions = random_positions(rng, 10, (1.0, 2.0, 5.0))
    while abs(np.linalg.norm(positions[:, 1, 4, 4] - positions[:, 0, 4, 4]) - 1.0) > 1e-3:
        positions = random_positions(rng, 10, (1.0, 2.0, 5.0))
    steps = [np.diff(positions, axis=axis + 1) for axis in range(3)]
    for step, spacing in zip(steps, (1.0, 2.0, 5.0), strict=True):
        assert np.linalg.norm(step, axis=0) == pytest.approx(spacing, abs=1e-3)


@pytest.mark.parametrize("kind", procedural_shapes._KINDS)
def test_every_kind_draws_something_around_its_center_and_not_everything(kind):
    shares = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        positions = random_positions(rng, 32, (1.0, 1.0, 1.0))
        inside = kind(rng, positions, positions[:, 16, 16, 16], 7.0) < 0
        shares.append(inside.mean())
    assert min(shares) > 0.0005
    assert max(shares) < 0.6


def test_a_tube_is_as_thick_as_wanted():
    axes = np.meshgrid(*[np.arange(20.0, dtype=np.float32)] * 3, indexing="ij")
    ends = [np.array([2.0, 9.0, 9.0], np.float32), np.array([17.0, 9.0, 9.0], np.float32)]
    inside = procedural_shapes._along(np.stack(axes), ends, 3.5) < 0
    section = inside[10]
    j, k = np.nonzero(section)
    assert np.array_equal(section, (axes[1][10] - 9) ** 2 + (axes[2][10] - 9) ** 2 < 3.5**2)
    assert (j.min(), k.max()) == (6, 12)
    assert not inside[19, 9, 18]


def test_regions_are_few_and_large():
    labels = random_regions(np.random.default_rng(2), (24, 20, 22))
    same = [np.diff(labels.astype(int), axis=axis) == 0 for axis in range(3)]
    assert labels.max() <= 5
    assert min(one.mean() for one in same) > 0.85
