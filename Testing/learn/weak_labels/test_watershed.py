import numpy as np
import pytest

from SegmentationAILib.core.errors import PromptError, SegmentationAIError
from SegmentationAILib.core.volume import Grid
from SegmentationAILib.learn.weak_labels.seeds import Seeds
from SegmentationAILib.learn.weak_labels.watershed import (
    WatershedOptions,
    gradient_magnitude,
    watershed,
)

SPACING = (0.9, 1.3, 2.5)


def test_a_ball_is_flooded_up_to_its_edge(a_clear_scan, some_seeds):
    answer = watershed(a_clear_scan.voxels, a_clear_scan.spacing, some_seeds)
    assert a_clear_scan.dice(answer.labels == 1) > 0.98
    assert answer.notes == ()


def test_without_negative_seeds_the_faces_of_the_volume_are_background(a_clear_scan, some_seeds):
    answer = watershed(a_clear_scan.voxels, a_clear_scan.spacing, Seeds.of(some_seeds.positive))
    assert a_clear_scan.dice(answer.labels == 1) > 0.98
    assert "faces of the volume" in answer.notes[0]


def test_an_object_at_the_face_keeps_its_seeds(a_clear_scan):
    cut = slice(30, None)
    seeds = Seeds.of(a_clear_scan.ball(4.0)[cut])
    labels = watershed(a_clear_scan.voxels[cut], a_clear_scan.spacing, seeds).labels == 1
    assert labels[0][seeds.positive[0]].all()
    assert (labels & a_clear_scan.truth[cut]).sum() > 0.95 * a_clear_scan.truth[cut].sum()


def test_seeds_on_every_face_leave_no_background_to_guess(a_clear_scan):
    seeds = Seeds.of(np.ones((4, 5, 6), bool))
    with pytest.raises(PromptError, match="every face"):
        watershed(a_clear_scan.voxels[:4, :5, :6], a_clear_scan.spacing, seeds)


def test_seeds_are_never_given_to_the_other_side(a_noisy_scan):
    seeds = Seeds(a_noisy_scan.ball(3.0), ~a_noisy_scan.ball(15.0))
    labels = watershed(a_noisy_scan.voxels, a_noisy_scan.spacing, seeds).labels == 1
    assert labels[seeds.positive].all()
    assert not labels[seeds.negative].any()


def test_a_ramp_has_its_slope_in_intensities_per_mm():
    """The plane 3 x - 2 y + 5 z (mm) on an anisotropic grid: sqrt(9 + 4 + 25) everywhere inside."""
    grid = Grid((21, 19, 17), np.diag([*SPACING, 1.0]))
    x, y, z = (step * np.arange(n) for step, n in zip(SPACING, grid.shape, strict=True))
    plane = 3 * x[:, None, None] - 2 * y[None, :, None] + 5 * z[None, None, :]
    slope = gradient_magnitude(plane.astype(np.float32), SPACING, 1.2)
    np.testing.assert_allclose(slope[8:13, 7:12, 6:11], np.sqrt(38.0), rtol=0.01)


def test_a_volume_of_one_plane_is_flooded_too(a_clear_scan, some_seeds):
    part = (slice(None), slice(None), slice(16, 17))
    seeds = Seeds(some_seeds.positive[part], some_seeds.negative[part])
    labels = watershed(a_clear_scan.voxels[part], a_clear_scan.spacing, seeds).labels == 1
    truth = a_clear_scan.truth[part]
    assert 2 * (labels & truth).sum() / (labels.sum() + truth.sum()) > 0.97


def test_without_a_seed_or_with_a_bad_sigma_it_is_refused(a_clear_scan):
    nothing = Seeds.of(np.zeros(a_clear_scan.voxels.shape, bool))
    with pytest.raises(PromptError, match="No positive prompt"):
        watershed(a_clear_scan.voxels, a_clear_scan.spacing, nothing)
    for sigma in (0.0, -1.0, float("nan")):
        with pytest.raises(SegmentationAIError, match="above 0 to 100 mm"):
            WatershedOptions(sigma)
