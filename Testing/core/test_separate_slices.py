import numpy as np
import scipy.ndimage as ndi

from SegmentationAILib.core.axis_map import AxisPlan
from SegmentationAILib.core.separate_slices import (
    nearest_slices,
    resample_slices_into,
    separate_axis,
)


def test_slices_are_apart_where_voxels_are_more_than_three_times_as_long_as_wide():
    assert separate_axis((3.1, 1.0, 1.0), (1.0, 1.0, 1.0)) == 0
    assert separate_axis((3.0, 1.0, 1.0), (1.0, 1.0, 1.0)) is None
    assert separate_axis((1.0, 1.0, 1.0), (1.0, 4.0, 1.0)) == 1
    # The current spacing decides where both are thick.
    assert separate_axis((1.0, 1.0, 9.0), (9.0, 1.0, 1.0)) == 2


def test_two_equally_long_axes_are_no_slices():
    assert separate_axis((5.0, 5.0, 1.0), (1.0, 1.0, 1.0)) is None


def test_the_nearest_slice_is_the_one_whose_middle_is_nearest():
    # Three slices over the extent of five: middles at 0.5/3, and at 0.5/5 of it.
    assert nearest_slices(3, 5).tolist() == [0, 0, 1, 2, 2]
    assert nearest_slices(5, 3).tolist() == [0, 2, 4]
    assert nearest_slices(4, 4).tolist() == [0, 1, 2, 3]


def test_each_slice_is_resampled_alone_and_cut_to_its_own_range():
    rng = np.random.default_rng(3)
    voxels = rng.normal(size=(11, 4, 9)).astype(np.float32)
    voxels[:, 2] += 100
    target = np.empty((17, 7, 6), np.float32)
    resample_slices_into(target, voxels, 1)
    for plane, source in enumerate([0, 0, 1, 2, 2, 3, 3]):
        whole = voxels[:, source].astype(np.float64)
        zoomed = ndi.zoom(whole, (17 / 11, 6 / 9), order=3, mode="nearest", grid_mode=True)
        expected = np.clip(zoomed, whole.min(), whole.max())
        np.testing.assert_allclose(target[:, plane], expected, atol=1e-4)


def test_labels_come_back_from_the_nearest_slice_also_when_flipped():
    """Twin of the linear map: no source voxel lies between two slices."""
    for flipped in (False, True):
        plan = AxisPlan(0, flipped, 7, 1, 6, (1, 6), 3, 2, 8, is_nearest=True)
        seen = plan.coordinates[1:6]
        expected = [2, 2, 3, 4, 4]
        assert seen.tolist() == (expected[::-1] if flipped else expected)
        between = AxisPlan(0, flipped, 7, 1, 6, (1, 6), 3, 2, 8).coordinates[1:6]
        assert np.ptp(between % 1) > 0
