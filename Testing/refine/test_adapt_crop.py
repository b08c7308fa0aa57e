"""The crop of a network's grid holds what the scan has there, on an oblique anisotropic scan."""

import numpy as np
import pytest

from SegmentationAILib.core.intensity import IntensityRule
from SegmentationAILib.core.labelmap import Label
from SegmentationAILib.core.pipeline import Recipe
from SegmentationAILib.core.preprocess import InputRules
from SegmentationAILib.core.progress import IGNORE
from SegmentationAILib.core.volume import Box, Volume
from SegmentationAILib.refine.adapt_crop import crop_around, prepared_scan

from phantoms import SPHERE_CENTER_RAS, grid_around

SPACING = (1.5, 1.5, 1.5)


def recipe(patch=None, spacing=SPACING, multiple_of=1, size=None):
    rules = InputRules(
        orientation="LIA", spacing_mm=spacing, intensity=IntensityRule("none"), order=1,
        multiple_of=multiple_of, size=size,
    )  # fmt: skip
    return Recipe(rules, (Label(1, "A"),), patch)


@pytest.fixture
def a_ramp():
    """Intensities that tell where a voxel lies: a linear function of the place in RAS."""
    grid = grid_around(SPHERE_CENTER_RAS)
    places = grid.ras_from_ijk(np.indices(grid.shape).reshape(3, -1).T.astype(float))
    values = places @ np.array([1.0, 3.0, -2.0])
    return Volume(values.reshape(1, *grid.shape).astype(np.float32), grid.affine)


def test_voxels_of_the_scan_and_of_the_crop_at_one_place_agree(a_ramp):
    prepared = prepared_scan(a_ramp, recipe(), IGNORE)
    crop = crop_around(prepared, recipe(), Box((20, 15, 10), (35, 30, 20)), Box((0,) * 3, (1,) * 3),
                       10**6)  # fmt: skip
    nearest = crop.from_source(a_ramp.voxels[0])
    # Half a voxel of 0.9 x 1.3 x 2.5 mm away at most, at 1, 3 and 2 a mm.
    assert np.abs(nearest - crop.array[0])[crop.is_scan].max() < 0.5 * (0.9 + 1.3 + 2.5) * 3
    assert crop.is_whole


def test_every_voxel_that_is_wanted_lies_in_the_crop_and_a_touched_one_is_where_it_was(a_ramp):
    prepared = prepared_scan(a_ramp, recipe(), IGNORE)
    wanted = Box((20, 15, 10), (35, 30, 20))
    crop = crop_around(prepared, recipe(), wanted, wanted, 10**6)
    box = crop.source_box
    assert all(a <= b for a, b in zip(box.start_ijk, wanted.start_ijk, strict=True))
    assert all(a >= b for a, b in zip(box.stop_ijk, wanted.stop_ijk, strict=True))
    touched = crop.touched(np.ones((1, 1, 1), bool), (27, 22, 15))
    (place,) = np.argwhere(touched)
    apart = crop.array[0][tuple(place)] - a_ramp.voxels[0, 27, 22, 15]
    # Half a voxel of the network's grid away at most.
    assert abs(apart) < 0.5 * 1.5 * (1 + 3 + 2)


def test_a_crop_that_is_bounded_lies_around_its_center(a_ramp):
    prepared = prepared_scan(a_ramp, recipe(multiple_of=8), IGNORE)
    whole, center = a_ramp.grid.box, Box((50, 40, 30), (51, 41, 31))
    crop = crop_around(prepared, recipe(multiple_of=8), whole, center, 24**3)
    assert not crop.is_whole
    assert crop.array[0].size <= 24**3
    assert all(n % 8 == 0 for n in crop.network_shape)
    box = crop.source_box
    assert all(a <= 50 - 10 * n < b for n, a, b in zip(range(3), box.start_ijk, box.stop_ijk,
                                                       strict=True))  # fmt: skip


def test_padding_of_a_fixed_matrix_is_no_scan(a_ramp):
    wide = recipe(size=(96, 96, 96))
    prepared = prepared_scan(a_ramp, wide, IGNORE)
    crop = crop_around(prepared, wide, a_ramp.grid.box, a_ramp.grid.box, 10**7)
    share = crop.is_scan.mean() * crop.is_scan.size * 1.5**3
    scan = np.prod(a_ramp.grid.shape) * 0.9 * 1.3 * 2.5
    assert share == pytest.approx(scan, rel=0.15)


def test_a_network_with_patches_gets_at_least_one(a_ramp):
    patches = recipe(patch=(24, 24, 24))
    prepared = prepared_scan(a_ramp, patches, IGNORE)
    small = Box((20, 15, 10), (21, 16, 11))
    crop = crop_around(prepared, patches, small, small, 100)
    assert crop.network_shape == (24, 24, 24)
    assert crop.windows.count == 1
