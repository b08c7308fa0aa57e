import numpy as np
import pytest

from SegmentationAILib.core.volume import Grid
from SegmentationAILib.refine.look import SIDE, cell_factor, level_of, look_at

from phantoms import oblique_affine


def a_grid(shape=(200, 150, 30), spacing=(0.8, 0.8, 6.4)):
    return Grid(shape, oblique_affine(spacing))


@pytest.mark.parametrize(
    ("spacing", "level", "factor"),
    [
        ((0.8, 0.8, 6.4), 0, (1, 1, 1)),
        ((0.8, 0.8, 6.4), 2, (4, 4, 1)),
        ((0.8, 0.8, 6.4), 4, (16, 16, 2)),
        ((1.0, 1.0, 1.0), 3, (8, 8, 8)),
        ((1.0, 1.5, 3.0), 1, (2, 1, 1)),
    ],
)
def test_cells_grow_along_the_finest_axes_first(spacing, level, factor):
    assert cell_factor(a_grid(spacing=spacing), level) == factor


def test_a_look_lies_around_its_center_where_the_scan_is_large_enough():
    look = look_at(np.array([100.0, 70.0, 12.0]), 0, a_grid())
    assert look.region.box.start_ijk[:2] == (76, 46)
    assert look.region.box.stop_ijk[:2] == (124, 94)


def test_a_scan_of_one_slice_fills_the_patch_by_repetition():
    look = look_at(np.array([20.0, 0.0, 12.0]), 0, a_grid((60, 1, 30), (0.8, 5.0, 0.8)))
    assert look.filled == (slice(0, 48), slice(None), slice(9, 39))
    cells = np.random.default_rng(0).normal(size=look.region.shape).astype(np.float32)
    patch = look.patch_of(cells)
    for plane in range(SIDE):
        np.testing.assert_array_equal(patch[:, plane, 9:39], cells[:, 0])
    assert look.patch_of_mask(np.ones(look.region.shape, bool)).sum() == 48 * 30


def test_a_thin_scan_lies_in_the_middle_of_a_patch_and_the_rest_is_outside():
    look = look_at(np.array([100.0, 70.0, 29.0]), 0, a_grid())
    assert (look.first[2], look.inside[2]) == (-9, slice(9, 39))
    patch = look.patch_of(np.ones(look.region.shape, np.float32))
    assert patch.shape == (SIDE,) * 3
    assert patch.sum() == SIDE * SIDE * 30


def test_at_the_border_a_look_is_moved_inside():
    look = look_at(np.array([3.0, 149.0, 12.0]), 0, a_grid())
    assert look.region.box.start_ijk[0] == 0
    assert look.region.box.stop_ijk[1] == 150
    assert look.region.shape[:2] == (SIDE, SIDE)


@pytest.mark.parametrize("level", [0, 1, 2, 3, 5])
def test_cells_are_the_same_wherever_the_look_is(level):
    grid = a_grid()
    voxels = np.random.default_rng(0).random(grid.shape).astype(np.float32)
    factor = cell_factor(grid, level)
    first, second = (look_at(np.array(c), level, grid) for c in ((90.0, 70.0, 9.0), (99, 75, 14)))
    cells = {}
    for look in (first, second):
        means = look.region.means(voxels)
        for place in ((95, 72, 11), (98, 69, 16)):
            lattice = [n // f for n, f in zip(place, factor, strict=True)]
            index = tuple(a - b for a, b in zip(lattice, look.first_inside, strict=True))
            cells.setdefault(place, set()).add(float(means[index]))
    assert all(len(values) == 1 for values in cells.values())


def test_the_level_is_the_lowest_at_which_a_box_fits():
    grid = a_grid()
    assert level_of(np.array([30, 30, 30]), grid) == 0
    assert level_of(np.array([40, 30, 5]), grid) == 1
    assert level_of(np.array([100, 30, 5]), grid) == 2
    # A whole small scan always fits.
    assert level_of(np.array([48, 40, 30]), a_grid((48, 40, 30))) == 0
