"""Distances to seeds are those of geometry, for few seeds and for many."""

import numpy as np
import pytest

from SegmentationAILib.refine.seed_distance import distances_to


@pytest.mark.parametrize("count", [1, 7, 90])
def test_each_cell_is_as_far_as_its_nearest_seed(count):
    shape, spacing = (9, 14, 6), (0.7, 1.5, 3.0)
    places = np.random.default_rng(count).integers(0, shape, (count, 3))
    cells = np.indices(shape).reshape(3, -1).T
    apart = (cells[:, None] - places[None]) * np.array(spacing)
    expected = np.sqrt((apart**2).sum(axis=2)).min(axis=1).reshape(shape)
    np.testing.assert_allclose(distances_to(places, shape, spacing), expected, atol=1e-4)
