"""Cells of a near region hold the means of their voxels."""

import numpy as np
import pytest

from SegmentationAILib.core.volume import Box
from SegmentationAILib.refine.near_region import NearRegion


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("factor", [(1, 1, 1), (4, 2, 1), (1, 2, 4), (2, 2, 2)])
def test_a_cell_is_the_mean_of_its_voxels_however_they_lie_in_memory(order, factor):
    voxels = np.random.default_rng(3).integers(-900, 900, (21, 17, 15)).astype(np.int16)
    voxels = np.asarray(voxels, order=order)
    region = NearRegion(Box((1, 3, 2), (17, 15, 14)), factor, (1.0, 1.0, 1.0))
    part, (a, b, c) = voxels[1:17, 3:15, 2:14].astype(np.float64), factor
    expected = np.empty(region.shape)
    for i, j, k in np.ndindex(region.shape):
        expected[i, j, k] = part[i * a : i * a + a, j * b : j * b + b, k * c : k * c + c].mean()
    np.testing.assert_allclose(region.means(voxels), expected, rtol=1e-5, atol=1e-3)


def test_a_cell_at_the_end_of_the_scan_repeats_its_last_voxels():
    voxels = np.arange(15, dtype=np.float32).reshape(5, 3, 1)
    region = NearRegion(Box((0, 0, 0), (5, 3, 1)), (2, 2, 1), (1.0, 1.0, 1.0))
    expected = [[[2.0], [3.5]], [[8.0], [9.5]], [[12.5], [14.0]]]
    np.testing.assert_allclose(region.means(voxels), expected)
