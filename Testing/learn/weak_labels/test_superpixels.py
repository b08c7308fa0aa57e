import numpy as np
import pytest
import scipy.ndimage as ndi

from SegmentationAILib.core.errors import PromptError, SegmentationAIError
from SegmentationAILib.learn.weak_labels.seeds import Seeds
from SegmentationAILib.learn.weak_labels.superpixels import (
    picked_superpixels,
    superpixel_means,
    superpixels,
)


@pytest.fixture(scope="module")
def the_numbers(a_clear_scan):
    return superpixels(a_clear_scan.voxels, a_clear_scan.spacing, 5.0)


def test_superpixels_are_numbered_without_gaps_and_about_as_large_as_asked(
    a_clear_scan, the_numbers
):
    sizes_ml = np.bincount(the_numbers.ravel()) * a_clear_scan.grid.voxel_volume_ml
    assert (sizes_ml > 0).all()
    assert np.median(sizes_ml) == pytest.approx(0.125, rel=0.4)


def test_superpixels_do_not_cross_a_clear_edge(a_clear_scan, the_numbers):
    inside = ndi.mean(a_clear_scan.truth, the_numbers, np.arange(the_numbers.max() + 1))
    mixed = (inside > 0.02) & (inside < 0.98)
    assert mixed.mean() < 0.01


def test_means_are_those_of_each_piece():
    numbers = np.array([[[0, 0, 1], [2, 1, 1]]])
    voxels = np.array([[[1.0, 3.0, 5.0], [7.0, 6.0, 10.0]]])
    expected = [[[2, 2, 7], [7, 7, 7]]]
    np.testing.assert_array_equal(superpixel_means(voxels, numbers), expected)


def test_prompts_pick_pieces_and_negative_ones_outvote():
    numbers = np.array([[[0, 0, 0, 1, 1, 2]]])
    positive = np.array([[[1, 0, 0, 1, 0, 0]]], bool)
    negative = np.array([[[0, 1, 1, 0, 0, 0]]], bool)
    picked = picked_superpixels(numbers, Seeds(positive, negative))
    np.testing.assert_array_equal(picked, [[[0, 0, 0, 1, 1, 0]]])


def test_no_prompt_and_impossible_sizes_are_refused(a_clear_scan, the_numbers):
    with pytest.raises(PromptError, match="No positive prompt"):
        picked_superpixels(the_numbers, Seeds.of(np.zeros(the_numbers.shape, bool)))
    for size in (0.0, float("nan"), 1e9):
        with pytest.raises(SegmentationAIError, match="0 to 1000 mm"):
            superpixels(a_clear_scan.voxels, a_clear_scan.spacing, size)
