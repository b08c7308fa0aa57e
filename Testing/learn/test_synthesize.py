from dataclasses import replace

import numpy as np
import pytest

from SegmentationAILib.learn.brain_structures import (
    CHANNEL_OF_CODE,
    CHANNEL_OF_VALUE,
    TISSUE_INDEX,
    tissues_of,
)
from SegmentationAILib.learn.deform import DeformationRanges
from SegmentationAILib.learn.head_formula import ProceduralHead
from SegmentationAILib.learn.synthesize import Synthesis, normalized, slice_matrix, synthesize

STILL = DeformationRanges().scaled(0.0)
SHAPE = (40, 52, 44)
PLAIN = Synthesis(
    shape=SHAPE,
    spacing_mm=4.0,
    deformation=STILL,
    contrasts=(("T1", 1.0),),
    scatter=0.02,
    strip=0.0,
    difficulty=0.0,
)


def the_formula():
    """Channels of the default head on the plain grid, and of its mirror image.

    A person seen in a mirror has left at the left: the side follows the place, not the shape.
    """
    axes = [(np.arange(n, dtype=np.float32) - (n - 1) / 2) * 4.0 for n in SHAPE]
    points = np.stack(np.meshgrid(*axes, indexing="ij"))
    channels = CHANNEL_OF_CODE[ProceduralHead().code_at(points)]
    mirror = points * np.array([-1, 1, 1], np.float32)[:, None, None, None]
    shape_of_mirror = tissues_of(ProceduralHead().code_at(mirror))
    sides = np.where(points[0] > 0, 64, 0).astype(np.uint8)
    return [channels, CHANNEL_OF_CODE[shape_of_mirror + sides]]


def test_channels_are_those_of_the_head_wherever_something_is_seen():
    best = []
    for seed in range(4):
        _, channels = synthesize(np.random.default_rng(seed), ProceduralHead(), PLAIN)
        seen = channels > 0
        agreements = [np.mean(channels[seen] == truth[seen]) for truth in the_formula()]
        assert max(agreements) == 1.0
        best.append(int(np.argmax(agreements)))
        assert np.count_nonzero(seen) > 0.6 * np.count_nonzero(the_formula()[0])
    assert set(best) == {0, 1}


def channel(value):
    return CHANNEL_OF_VALUE[value]


def test_painted_contrasts_are_those_asked_for():
    order = {"T1": (4, 3, 2), "T2": (2, 3, 4), "FLAIR": (4, 2, 3)}
    for contrast, darkest_first in order.items():
        synthesis = replace(PLAIN, contrasts=((contrast, 1.0),))
        volume, channels = synthesize(np.random.default_rng(0), ProceduralHead(), synthesis)
        medians = [np.median(volume[channels == channel(value)]) for value in darkest_first]
        assert medians == sorted(medians)


def test_stripping_leaves_the_brain_and_nothing_far_from_it():
    stripped = replace(PLAIN, strip=1.0)
    head = ProceduralHead()
    for seed in range(4):
        volume, channels = synthesize(np.random.default_rng(seed), head, stripped)
        axes = [(np.arange(n, dtype=np.float32) - (n - 1) / 2) * 4.0 for n in SHAPE]
        tissues = tissues_of(head.code_at(np.stack(np.meshgrid(*axes, indexing="ij"))))
        assert volume[tissues == TISSUE_INDEX["skin"]].max() == 0
        assert np.count_nonzero(channels == channel(10)) > 0.5 * np.count_nonzero(
            the_formula()[0] == channel(10)
        )


def test_lesions_are_drawn_but_answered_as_white_matter():
    # with lesions or without, a third of the seeds has them: the channels never change
    answers = []
    for seed in range(6):
        _, channels = synthesize(np.random.default_rng(seed), ProceduralHead(), PLAIN)
        truth = the_formula()
        seen = channels > 0
        answers.append(max(np.mean(channels[seen] == t[seen]) for t in truth))
    assert answers == [1.0] * 6


def test_a_seed_gives_the_same_volume_and_another_seed_another():
    rich = Synthesis(shape=(32, 40, 36), spacing_mm=4.0)
    first = synthesize(np.random.default_rng(5), ProceduralHead(), rich)
    again = synthesize(np.random.default_rng(5), ProceduralHead(), rich)
    other = synthesize(np.random.default_rng(6), ProceduralHead(), rich)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_volumes_are_finite_and_within_the_cards_range():
    rng = np.random.default_rng(7)
    for _ in range(8):
        volume, channels = synthesize(
            rng, ProceduralHead(), Synthesis(shape=(32, 40, 36), spacing_mm=5.0)
        )
        assert volume.dtype == np.float32
        assert channels.dtype == np.uint8
        assert np.isfinite(volume).all()
        assert volume.min() >= 0
        assert volume.max() <= 1


def test_the_intensity_rule_takes_percentiles_of_what_is_not_zero():
    values = np.zeros((20, 20, 20), dtype=np.float32)
    values[:10] = np.random.default_rng(0).permutation(np.arange(1, 4001)).reshape(10, 20, 20)
    result = normalized(values)
    # 0.5 and 99.5 % of 1 .. 4000 are 20 and 3980
    expected = np.clip((values - 20.0) / 3960.0, 0, 1)
    assert np.abs(result - expected).max() < 0.02
    assert result[values == 0].max() == 0


def test_an_empty_volume_stays_empty():
    assert not normalized(np.zeros((4, 4, 4), dtype=np.float32)).any()


@pytest.mark.parametrize("distance", [2.0, 5.0, 7.3])
def test_slices_keep_a_constant(distance):
    matrix = slice_matrix(31, 2.0, 1.5, distance)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-5)


def test_thin_slices_on_the_grid_change_nothing():
    np.testing.assert_allclose(slice_matrix(9, 2.0, 0.1, 2.0), np.eye(9), atol=1e-6)


def test_thick_slices_interpolate_linearly_between_them():
    line = np.zeros(21, dtype=np.float32)
    line[10] = 1.0
    # a point at 20 mm lies on the slice at 20 mm; the neighbors at 16 and 24 mm see nothing of it
    seen = slice_matrix(21, 2.0, 0.2, 4.0) @ line
    np.testing.assert_allclose(seen[8:13], [0.0, 0.5, 1.0, 0.5, 0.0], atol=1e-6)
