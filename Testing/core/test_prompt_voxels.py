"""Prompts on oblique anisotropic grids name the voxels that geometry says."""

import numpy as np
import pytest

from SegmentationAILib.core.errors import PromptError
from SegmentationAILib.core.prompt_voxels import voxel_of_point, voxels_of_prompt
from SegmentationAILib.core.prompts import BoxPrompt, LassoPrompt, PointPrompt, ScribblePrompt
from SegmentationAILib.core.volume import Grid

from phantoms import SPHERE_CENTER_RAS, grid_around, sphere_mask

STRAIGHT = Grid((20, 30, 10), np.diag([-2.0, 1.5, 6.0, 1.0]))


@pytest.fixture
def a_grid():
    return grid_around(SPHERE_CENTER_RAS)


def voxels_on(prompt, grid):
    return voxels_of_prompt(prompt, grid).within(grid.box)


def ras(grid, *ijk):
    return tuple(grid.ras_from_ijk(np.array([ijk], float))[0])


def centers(grid):
    return grid.ras_from_ijk(np.indices(grid.shape).reshape(3, -1).T.astype(float))


def test_a_point_names_the_voxel_around_it_up_to_the_very_border(a_grid):
    last = tuple(n - 1 for n in a_grid.shape)
    assert voxel_of_point(ras(a_grid, 3.4, 7.6, 11.0), a_grid) == (3, 8, 11)
    assert voxel_of_point(ras(a_grid, -0.5, -0.5, -0.5), a_grid) == (0, 0, 0)
    assert voxel_of_point(ras(a_grid, *(n + 0.5 for n in last)), a_grid) == last


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("beyond", [-0.51, 0.51])
def test_a_point_outside_is_refused_and_told_where_the_volume_is(a_grid, axis, beyond):
    ijk = [5.0, 5.0, 5.0]
    ijk[axis] = beyond if beyond < 0 else a_grid.shape[axis] - 1 + beyond
    with pytest.raises(PromptError, match=r"outside of the volume, which spans R .* mm; place"):
        voxel_of_point(ras(a_grid, *ijk), a_grid)


def test_a_dot_of_a_scribble_is_a_ball_in_mm(a_grid):
    prompt = ScribblePrompt((tuple(SPHERE_CENTER_RAS),), 9.0)
    assert np.array_equal(voxels_on(prompt, a_grid), sphere_mask(a_grid, radius_mm=9.0))


def test_a_scribble_is_the_union_of_balls_along_its_line(a_grid):
    start, stop = np.array([2.0, -10, 15]), np.array([20.0, 0, 28])
    drawn = voxels_on(ScribblePrompt((tuple(start), tuple(stop)), 4.0), a_grid)
    along = np.linspace(0, 1, 400)[:, None, None]
    axis = start + along * (stop - start)
    nearest = np.min(
        [np.linalg.norm(centers(a_grid) - place, axis=1) for place in axis], axis=0
    ).reshape(a_grid.shape)
    unsure = np.abs(nearest - 4.0) < 0.01
    assert np.array_equal(drawn[~unsure], (nearest <= 4.0)[~unsure])


def test_a_scribble_thinner_than_the_voxels_is_an_unbroken_line(a_grid):
    ends = (ras(a_grid, 5, 5, 5), ras(a_grid, 40, 30, 25))
    drawn = voxels_on(ScribblePrompt(ends, 0.01), a_grid)
    assert drawn[5, 5, 5]
    assert drawn[40, 30, 25]
    assert (drawn.any(axis=(1, 2))[5:41]).all()
    assert 36 <= drawn.sum() <= 120


def test_many_events_of_a_mouse_draw_what_two_ends_draw(a_grid):
    ends = np.array([ras(a_grid, 5, 5, 5), ras(a_grid, 40, 30, 25)])
    steps = np.linspace(0, 1, 3000)[:, None]
    many = voxels_on(ScribblePrompt(ends[0] + steps * (ends[1] - ends[0]), 3.0), a_grid)
    assert np.array_equal(many, voxels_on(ScribblePrompt(ends, 3.0), a_grid))


def test_a_box_holds_the_centers_between_its_corners_along_ras(a_grid):
    low, high = np.array([0.0, -15, 8]), np.array([17.0, 1, 25])
    drawn = voxels_on(BoxPrompt((tuple(high), tuple(low))), a_grid)
    expected = ((centers(a_grid) >= low) & (centers(a_grid) <= high)).all(axis=1)
    assert np.array_equal(drawn, expected.reshape(a_grid.shape))


def test_a_flat_box_is_one_layer_thick():
    prompt = BoxPrompt((ras(STRAIGHT, 3, 4, 5), ras(STRAIGHT, 9, 12, 5.2)))
    expected = np.zeros(STRAIGHT.shape, bool)
    expected[3:10, 4:13, 5] = True
    assert np.array_equal(voxels_on(prompt, STRAIGHT), expected)


def test_a_lasso_is_one_layer_and_its_area_that_of_the_polygon():
    corners = [(2.5, 3.5), (15.5, 3.5), (15.5, 20.5), (9.2, 11.7), (2.5, 20.5)]
    prompt = LassoPrompt(tuple(ras(STRAIGHT, i, j, 6.2) for i, j in corners))
    drawn = voxels_on(prompt, STRAIGHT)
    assert set(np.flatnonzero(drawn.any(axis=(0, 1)))) == {6}
    x, y = np.array(corners).T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert drawn.sum() == pytest.approx(area, rel=0.05)
    assert not drawn[9, 18, 6], "the notch of the polygon is outside"


def test_a_lasso_in_an_oblique_plane_stays_near_it(a_grid):
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    across, up = np.array([1.0, 1, 0]) / np.sqrt(2), np.array([0, 0, 1.0])
    circle = SPHERE_CENTER_RAS + 10 * (
        np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * up
    )
    drawn = voxels_on(LassoPrompt(tuple(map(tuple, circle))), a_grid)
    found = centers(a_grid)[drawn.ravel()]
    normal = np.cross(across, up)
    assert np.abs((found - SPHERE_CENTER_RAS) @ normal).max() <= 2.5 / 2 + 1e-9
    assert np.linalg.norm(found - SPHERE_CENTER_RAS, axis=1).max() <= 10 + 2.5
    # One layer: the voxels' volume is the disc's area times the thickness taken.
    thickness = 2 * np.abs(normal @ a_grid.affine[:3, :3]).max() / 2
    disc_ml = np.pi * 10**2 * thickness / 1000
    assert drawn.sum() * a_grid.voxel_volume_ml == pytest.approx(disc_ml, rel=0.1)


def test_what_lies_partly_outside_is_cut_and_what_lies_wholly_outside_is_refused(a_grid):
    inside, outside = ras(a_grid, 1, 1, 1), ras(a_grid, -300, -300, -300)
    drawn = voxels_on(ScribblePrompt((inside, outside), 3.0), a_grid)
    assert drawn[1, 1, 1]
    far = ras(a_grid, -300, -290, -300)
    third = ras(a_grid, -300, -290, -280)
    for prompt in [
        PointPrompt(outside),
        ScribblePrompt((outside,), 3.0),
        BoxPrompt((outside, far)),
        LassoPrompt((outside, far, third)),
    ]:
        with pytest.raises(PromptError, match="outside of the volume"):
            voxels_of_prompt(prompt, a_grid)
