"""Sheared grids onto grids with right angles: positions are kept, and it is said."""

import numpy as np
import pytest

from SegmentationAILib.core.admission import is_sheared
from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.core.straighten import orthogonal_grid, straightened
from SegmentationAILib.core.volume import Grid, Volume

from phantoms import (
    SPHERE_CENTER_RAS,
    SPHERE_RADIUS_MM,
    grid_around,
    oblique_affine,
    sphere_mask,
)


def tilted_grid(degrees: float) -> Grid:
    """An oblique grid whose slices slip along the second axis, as under a tilted gantry."""
    affine = oblique_affine()
    shape = (60, 52, 34)
    affine[:3, 2] += np.tan(np.radians(degrees)) * 2.5 * affine[:3, 1] / 1.3
    affine[:3, 3] = SPHERE_CENTER_RAS - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def test_a_straight_volume_is_returned_as_it_is(a_sphere_volume):
    assert straightened(a_sphere_volume) is a_sphere_volume


@pytest.mark.parametrize("degrees", [1.0, -20.0])
def test_the_new_grid_has_right_angles_keeps_the_slices_and_covers_the_old(degrees):
    sheared = tilted_grid(degrees)
    grid = orthogonal_grid(sheared)
    assert not is_sheared(grid.affine)
    assert grid.spacing == pytest.approx((0.9, 1.3, 2.5))
    np.testing.assert_allclose(grid.affine[:3, :2], sheared.affine[:3, :2], atol=1e-9)
    assert np.linalg.det(grid.affine[:3, :3]) * np.linalg.det(sheared.affine[:3, :3]) > 0
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in sheared.shape])).reshape(3, -1).T
    inside = grid.ijk_from_ras(sheared.ras_from_ijk(corners))
    assert inside.min() > -1e-6
    assert (inside <= np.array(grid.shape) - 1 + 2e-3).all()
    assert grid.shape[2] == sheared.shape[2]


def test_a_sphere_stays_where_it_is_and_a_sphere():
    sheared = tilted_grid(15.0)
    voxels = np.where(sphere_mask(sheared), 300, -50).astype(np.int16)[None]
    volume = straightened(Volume(voxels, sheared.affine))
    assert volume.voxels.dtype == np.int16
    assert volume.voxels.min() == -50
    mask = volume.voxels[0] > 125
    center = volume.grid.ras_from_ijk(np.argwhere(mask)).mean(axis=0)
    np.testing.assert_allclose(center, SPHERE_CENTER_RAS, atol=0.1)
    expected_ml = 4 / 3 * np.pi * SPHERE_RADIUS_MM**3 / 1000
    assert mask.sum() * volume.grid.voxel_volume_ml == pytest.approx(expected_ml, rel=0.02)
    assert "15 degrees away from right angles" in volume.notes[-1]


def test_labels_are_not_mixed():
    sheared = tilted_grid(15.0)
    labels = np.where(sphere_mask(sheared), 7, 0).astype(np.uint8)
    labels[sphere_mask(sheared, radius_mm=8.0)] = 40
    straight = straightened(Volume(labels[None], sheared.affine), order=0)
    assert set(np.unique(straight.voxels)) == {0, 7, 40}
    assert straight.voxels.dtype == np.uint8
    truth = sphere_mask(straight.grid)
    dice = (
        2 * (truth & (straight.voxels[0] > 0)).sum() / (truth.sum() + (straight.voxels > 0).sum())
    )
    assert dice > 0.97


def test_a_shear_that_no_scanner_makes_is_refused_before_memory_is_taken():
    affine = np.eye(4)
    affine[0, 2] = 900.0
    voxels = np.zeros((1, 50, 60, 100), np.uint8)
    with pytest.raises(GeometryError, match=r"90 degrees .* times its voxels"):
        straightened(Volume(voxels, affine))


def test_a_grid_that_shears_in_its_slices_is_straightened_too():
    affine = grid_around((0, 0, 0)).affine.copy()
    affine[:3, 1] += 0.4 * affine[:3, 0]
    grid = orthogonal_grid(Grid((10, 10, 10), affine))
    assert not is_sheared(grid.affine)
    assert grid.voxel_volume_ml == pytest.approx(Grid((9, 9, 9), affine).voxel_volume_ml)
