import numpy as np
import pytest

from SegmentationAILib.core.doubtful_slices import doubtful_slices
from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume

from phantoms import grid_around

GRID = grid_around((12.0, -20.0, 31.0))


def a_result(grid=GRID):
    """A block of doubt in one slice, a smaller one in another, and segments in both."""
    axis = int(np.argmax(grid.spacing))
    entropy, labels = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.uint8)
    many, few = np.moveaxis(entropy, axis, 0), np.moveaxis(labels, axis, 0)
    many[3, 4:10, 4:10], many[5, 4:7, 4:7] = 0.5, 0.5
    many[3, 6, 7] = 0.9
    few[3, 2:12, 2:12] = few[5, 2:12, 2:12] = 1
    labelmap = Labelmap((labels,), (Label(1, "Block"),), grid.affine)
    return Volume(entropy[None], grid.affine), labelmap, axis


def test_slices_lie_across_the_thickest_axis_and_the_worst_comes_first():
    uncertainty, labelmap, axis = a_result()
    found = doubtful_slices(uncertainty, labelmap, least_mm2=0.0)
    assert [(one.axis, one.index) for one in found[:2]] == [(axis, 3), (axis, 5)]
    area = np.prod([s for a, s in enumerate(GRID.spacing) if a != axis])
    assert found[0].doubtful_mm2 == pytest.approx(area * (35 * 0.5 + 0.9), rel=1e-5)
    assert found[0].segment_mm2 == pytest.approx(area * 100, rel=1e-5)
    assert found[0].doubt == pytest.approx(18.4 / 118.4, rel=1e-5)


def test_the_place_is_the_peak_of_the_doubt():
    uncertainty, labelmap, axis = a_result()
    ijk = np.insert(np.array([6.0, 7.0]), axis, 3.0)
    place = doubtful_slices(uncertainty, labelmap)[0].center_ras
    np.testing.assert_allclose(place, GRID.ras_from_ijk(ijk[None])[0], atol=1e-6)


def test_certain_slices_are_left_out_and_the_list_ends():
    uncertainty, labelmap, _ = a_result()
    assert len(doubtful_slices(uncertainty, labelmap, least_mm2=1e-6)) == 2
    assert len(doubtful_slices(uncertainty, labelmap, count=1, least_mm2=1e-6)) == 1
    assert doubtful_slices(uncertainty, labelmap, least_mm2=1e9) == ()


def test_a_large_background_that_is_nearly_certain_is_no_doubt():
    uncertainty, labelmap, _ = a_result()
    faint = np.maximum(uncertainty.voxels, 0.09)
    found = doubtful_slices(Volume(faint, uncertainty.affine), labelmap, least_mm2=1.0)
    assert [one.index for one in found] == [3, 5]
    assert found == doubtful_slices(uncertainty, labelmap, least_mm2=1.0)


def test_other_grids_are_refused():
    uncertainty, labelmap, _ = a_result()
    moved = Volume(uncertainty.voxels, uncertainty.affine + np.eye(4)[:, [3]] @ [[0, 0, 0, 1.0]])
    with pytest.raises(GeometryError):
        doubtful_slices(Volume(moved.voxels, moved.affine @ np.diag([1, 1, 1.5, 1])), labelmap)
