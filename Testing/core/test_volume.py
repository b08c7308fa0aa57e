import numpy as np
import pytest

from SegmentationAILib.core.volume import Grid

from phantoms import oblique_affine

SHAPE = (9, 14, 6)
GRID = Grid(SHAPE, oblique_affine((0.9, 1.3, 2.5)))


def moved_along(axis: int, voxels: float) -> Grid:
    affine = GRID.affine.copy()
    affine[:3, 3] += voxels * affine[:3, axis]
    return Grid(SHAPE, affine)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_grids_half_a_voxel_apart_lie_half_a_voxel_apart_in_any_direction(axis):
    assert GRID.distance_voxels(moved_along(axis, 0.5)) == pytest.approx(0.5)
    assert not GRID.matches(moved_along(axis, 0.5))


def test_a_grid_lies_at_no_distance_from_itself_and_from_its_rounding():
    assert GRID.distance_voxels(Grid(SHAPE, GRID.affine.copy())) == 0
    rounded = Grid(SHAPE, GRID.affine.astype(np.float32).astype(np.float64))
    assert 0 < GRID.distance_voxels(rounded) < 1e-4
    assert GRID.matches(rounded)


def test_the_farthest_corner_decides_where_spacings_differ():
    affine = GRID.affine.copy()
    affine[:3, 1] *= 1.01
    # The last of 14 planes is 13 steps away, each 1 % longer.
    assert GRID.distance_voxels(Grid(SHAPE, affine)) == pytest.approx(0.13)


def test_grids_of_other_shapes_lie_infinitely_far_apart():
    assert GRID.distance_voxels(Grid((9, 14, 7), GRID.affine)) == np.inf
