"""Smoothing by matrix products agrees with scipy's filter."""

import numpy as np
import pytest
import scipy.ndimage as ndi

from SegmentationAILib.refine.smoothing import TRUNCATE, smoothed


@pytest.mark.parametrize("shape", [(29, 7, 18), (130, 3, 61), (1, 5, 2), (4, 200, 1)])
@pytest.mark.parametrize("sigma", [0.7, 2.5])
def test_smoothed_values_are_those_of_a_filter(shape, sigma):
    values = np.random.default_rng(0).normal(50, 20, shape).astype(np.float32)
    expected = ndi.gaussian_filter(values.astype(np.float64), sigma, truncate=TRUNCATE)
    np.testing.assert_allclose(smoothed(values, sigma), expected, rtol=1e-5, atol=1e-4)


def test_the_order_in_memory_does_not_matter():
    values = np.random.default_rng(1).random((9, 11, 6)).astype(np.float32)
    in_columns = smoothed(np.asfortranarray(values), 2.5)
    assert np.array_equal(in_columns, smoothed(values, 2.5))
