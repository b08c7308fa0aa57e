import numpy as np
import pytest

from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.learn.brain_structures import RIGHT, TISSUE_INDEX
from SegmentationAILib.learn.label_map_head import head_from_label_map

from phantoms import oblique_affine


def a_label_map():
    """RAS, 1 x 1.5 x 2 mm: white matter with a hippocampus to the right, front and top."""
    values = np.zeros((30, 24, 20), dtype=np.int32)
    values[4:26, 4:20, 4:16] = 2
    values[20:24, 14:18, 10:14] = 53
    return values, np.diag([1.0, 1.5, 2.0, 1.0])


def points_of(*ras):
    return np.array(ras, dtype=np.float32).T[:, :, None, None]


def test_the_brains_center_is_the_origin():
    head = head_from_label_map(*a_label_map())
    # voxels 4..25, 4..19, 4..15 are brain: the hippocampus lies from +5.5, +3.75, +1 mm on
    found = head.code_at(points_of((0, 0, 0), (7, 7, 5), (-7, 7, 5), (0, 0, 60), (60, 0, 0)))
    names = ["cerebral white matter", "hippocampus", "cerebral white matter", "air", "air"]
    sides = [0, RIGHT, 0, 0, 0]
    expected = [TISSUE_INDEX[name] + side for name, side in zip(names, sides, strict=True)]
    assert found.ravel().tolist() == expected


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1), (-1, -1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (0, 2, 1)])
def test_the_order_of_axes_in_the_file_changes_nothing(flips, order):
    values, affine = a_label_map()
    expected = head_from_label_map(values, affine)
    turned = values[tuple(slice(None, None, flip) for flip in flips)].transpose(order)
    turned_affine = np.eye(4)
    turned_affine[:3, :3] = (affine[:3, :3] * np.array(flips))[:, order]
    head = head_from_label_map(turned, turned_affine)
    rng = np.random.default_rng(0)
    points = rng.uniform(-25, 25, (3, 40, 30, 5)).astype(np.float32)
    assert np.mean(head.code_at(points) == expected.code_at(points)) > 0.97
    corner = points_of((7, 7, 5), (-7, -7, -5))
    assert head.code_at(corner).tolist() == expected.code_at(corner).tolist()


def test_an_oblique_label_map_is_refused():
    with pytest.raises(GeometryError, match="oblique"):
        head_from_label_map(a_label_map()[0], oblique_affine())


def test_a_label_map_without_a_brain_is_refused():
    with pytest.raises(GeometryError, match="no structure"):
        head_from_label_map(np.full((20, 20, 20), 507), np.eye(4))
