"""Boxes of label values, against scipy's."""

import numpy as np
import pytest
from scipy import ndimage

from SegmentationAILib.scene.value_boxes import boxes_of_values


@pytest.mark.parametrize("order", ["F", "C"])
@pytest.mark.parametrize("density", [0.002, 0.3, 1.0])
def test_boxes_are_those_of_scipy(order, density):
    rng = np.random.default_rng(3)
    voxels = rng.integers(0, 300, (17, 23, 9)) * (rng.random((17, 23, 9)) < density)
    voxels = np.asarray(voxels, np.uint16, order=order)
    found = ndimage.find_objects(voxels)
    expected = {n: box for n, box in enumerate(found, start=1) if box is not None}
    assert {value: box.slices for value, box in boxes_of_values(voxels).items()} == expected


def test_an_empty_array_has_no_boxes():
    assert boxes_of_values(np.zeros((4, 5, 6), np.uint8)) == {}
