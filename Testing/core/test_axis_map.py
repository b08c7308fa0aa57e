"""Where source voxels go: the formula, and by position in space."""

import numpy as np
import pytest

from SegmentationAILib.core.axis_map import AxisPlan, axis_map
from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.core.orientation import oriented_axes

from phantoms import oblique_affine


def plain(source_axis: int, length: int = 10) -> AxisPlan:
    return AxisPlan(source_axis, False, length, 0, length, (0, length), length, 0, length)


def test_an_axis_left_alone_maps_each_voxel_to_itself():
    np.testing.assert_array_equal(plain(0).coordinates, np.arange(10))


def test_a_flipped_axis_runs_backwards():
    plan = AxisPlan(0, True, 10, 0, 10, (0, 10), 10, 0, 10)
    np.testing.assert_array_equal(plan.coordinates, np.arange(10)[::-1])


def test_edges_of_the_extent_coincide_at_any_scale():
    plan = AxisPlan(0, False, 7, 0, 7, (0, 7), 21, 4, 32)
    # Voxel -1/2 of the source (its outer edge) is voxel -1/2 of the resampled part, at offset 4.
    step = plan.coordinates[1] - plan.coordinates[0]
    assert step == pytest.approx(3)
    assert plan.coordinates[0] - step / 2 == pytest.approx(-0.5 + 4)
    assert plan.coordinates[-1] + step / 2 == pytest.approx(21 - 0.5 + 4)


@pytest.mark.parametrize("flipped", [False, True])
def test_only_covered_voxels_lie_on_the_grid(flipped):
    plan = AxisPlan(0, flipped, 30, 5, 25, (8, 20), 20, 6, 32)
    on_grid = (plan.coordinates >= -0.5) & (plan.coordinates <= plan.size - 0.5)
    np.testing.assert_array_equal(np.flatnonzero(on_grid), np.arange(8, 20))
    steps = np.diff(plan.coordinates)
    assert (steps < 0).all() if flipped else (steps > 0).all()


def test_a_matrix_smaller_than_the_volume_covers_its_middle():
    plan = AxisPlan(1, False, 40, 0, 40, (0, 40), 40, -12, 16)
    mapping = axis_map((plain(0), plan, plain(2)))
    assert mapping.source_box.start_ijk == (0, 12, 0)
    assert mapping.source_box.stop_ijk == (10, 28, 10)


def test_shapes_and_boxes_are_in_the_order_of_their_own_axes():
    plans = (plain(2, 12), AxisPlan(0, True, 9, 2, 7, (2, 7), 10, 3, 16), plain(1, 4))
    mapping = axis_map(plans)
    assert mapping.source_shape == (9, 4, 12)
    assert mapping.network_shape == (12, 16, 4)
    assert mapping.source_axis == (2, 0, 1)
    assert (mapping.source_box.start_ijk, mapping.source_box.stop_ijk) == ((2, 0, 0), (7, 4, 12))
    assert [len(c) for c in mapping.coordinates] == [12, 9, 4]


def test_a_source_axis_used_twice_is_refused():
    with pytest.raises(GeometryError, match="each is needed once"):
        axis_map((plain(0), plain(1), plain(1)))


@pytest.mark.parametrize("code", ["RAS", "LPS", "LIA", "SPR", "ILP", "AIR"])
@pytest.mark.parametrize("flips", [(-1, -1, 1), (1, 1, 1), (1, -1, 1)])
def test_axes_point_along_the_letters_of_the_code(code, flips):
    letters = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    affine = oblique_affine(flips=flips)[:, [2, 0, 1, 3]]
    for letter, (source, flipped) in zip(code, oriented_axes(affine, code), strict=True):
        row, sign = letters[letter]
        along = affine[:3, source] * (-1 if flipped else 1)
        # Less than 45 degrees from the letter's direction in this volume.
        assert along[row] * sign > 0.7 * np.linalg.norm(along)


def test_without_a_code_the_axes_stay():
    assert oriented_axes(oblique_affine(), None) == ((0, False), (1, False), (2, False))


@pytest.mark.parametrize("code", ["RA", "RLS", "XYZ", "RASL", ""])
def test_what_is_no_orientation_is_refused(code):
    with pytest.raises(GeometryError, match="orientation"):
        oriented_axes(oblique_affine(), code)
