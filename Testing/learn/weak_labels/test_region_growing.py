import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the name its own documentation uses

from SegmentationAILib.core.errors import PromptError, SegmentationAIError
from SegmentationAILib.learn.weak_labels.region_growing import (
    RegionGrowingOptions,
    region_growing,
)
from SegmentationAILib.learn.weak_labels.seeds import Seeds


def one_seed(shape, *index):
    seeds = np.zeros(shape, bool)
    seeds[index] = True
    return Seeds.of(seeds)


@pytest.mark.parametrize("multiplier", [2.0, 2.5, 3.5])
@pytest.mark.parametrize("iterations", [0, 1, 4])
def test_without_walls_it_finds_what_itk_finds(a_clear_scan, multiplier, iterations):
    seeds = one_seed(a_clear_scan.voxels.shape, 29, 25, 16)
    options = RegionGrowingOptions(multiplier=multiplier, iterations=iterations)
    ours = region_growing(a_clear_scan.voxels, seeds, options).labels == 1
    theirs = sitk.GetArrayFromImage(
        sitk.ConfidenceConnected(
            sitk.GetImageFromArray(a_clear_scan.voxels), seedList=[[16, 25, 29]],
            numberOfIterations=iterations, multiplier=multiplier, initialNeighborhoodRadius=1,
        )
    )  # fmt: skip
    np.testing.assert_array_equal(ours, theirs == 1)


def test_a_ball_is_grown_whole(a_clear_scan, some_seeds):
    answer = region_growing(a_clear_scan.voxels, some_seeds, RegionGrowingOptions(multiplier=3.5))
    assert a_clear_scan.dice(answer.labels == 1) > 0.995


def test_negative_seeds_are_walls(a_clear_scan):
    """Cut in two by a plane, only the half with the seed is reached."""
    plane = np.zeros(a_clear_scan.voxels.shape, bool)
    plane[30] = True
    seeds = Seeds(one_seed(a_clear_scan.voxels.shape, 25, 25, 16).positive, plane)
    grown = region_growing(a_clear_scan.voxels, seeds, RegionGrowingOptions(4.0)).labels == 1
    assert not grown[30:].any()
    assert (grown[:30] & a_clear_scan.truth[:30]).sum() > 0.99 * a_clear_scan.truth[:30].sum()


@pytest.mark.parametrize(("connectivity", "reached"), [(6, 1), (18, 2), (26, 3)])
def test_voxels_touch_at_faces_edges_or_corners(connectivity, reached):
    """Three voxels in a chain: the second touches at an edge, the third at a corner."""
    voxels = np.zeros((5, 6, 7))
    voxels[1, 1, 1] = voxels[2, 2, 1] = voxels[3, 3, 2] = 100.0
    options = RegionGrowingOptions(low=50.0, high=150.0, connectivity=connectivity)
    answer = region_growing(voxels, one_seed(voxels.shape, 1, 1, 1), options)
    assert answer.labels.sum() == reached


def test_shifting_and_scaling_intensities_changes_nothing(a_clear_scan, some_seeds):
    first = region_growing(a_clear_scan.voxels, some_seeds).labels
    second = region_growing(a_clear_scan.voxels.astype(float) * 3.0 - 700.0, some_seeds).labels
    assert (first != second).mean() < 1e-4


def test_a_single_voxel_grows_to_itself(a_clear_scan):
    voxels = np.zeros((3, 4, 5))
    voxels[1, 2, 3] = 9.0
    options = RegionGrowingOptions(radius=0, iterations=3)
    assert region_growing(voxels, one_seed(voxels.shape, 1, 2, 3), options).labels.sum() == 1


def test_a_fixed_range_without_the_seed_finds_nothing_and_says_so(a_clear_scan, some_seeds):
    answer = region_growing(
        a_clear_scan.voxels, some_seeds, RegionGrowingOptions(low=1e6, high=2e6)
    )
    assert not answer.labels.any()
    assert "Nothing was found" in answer.notes[0]


def test_without_a_positive_seed_it_is_refused(a_clear_scan):
    nothing = np.zeros(a_clear_scan.voxels.shape, bool)
    for seeds in (Seeds.of(nothing), Seeds(~nothing, ~nothing)):
        with pytest.raises(PromptError, match="No positive prompt"):
            region_growing(a_clear_scan.voxels, seeds)


@pytest.mark.parametrize(
    "options",
    [{"multiplier": 0.0}, {"multiplier": float("nan")}, {"radius": -1}, {"low": 3.0},
     {"low": 3.0, "high": 1.0}, {"low": float("nan"), "high": 1.0}],
)  # fmt: skip
def test_options_out_of_range_are_refused(options):
    with pytest.raises(SegmentationAIError, match="expected"):
        RegionGrowingOptions(**options)
