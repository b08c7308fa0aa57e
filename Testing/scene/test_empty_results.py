"""Case 40: results without a voxel, and with all of them, are shown like any other."""

import numpy as np
import pytest

from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap
from SegmentationAILib.scene.surfaces import create_surfaces
from SegmentationAILib.scene.volume_node import node_from_volume

from phantoms import SPHERE_CENTER_RAS, grid_around

GRID = grid_around(SPHERE_CENTER_RAS, shape=(12, 10, 8))
LABELS = (Label(1, "liver", segment_id="liver"), Label(2, "spleen", segment_id="spleen"))


@pytest.fixture(scope="module")
def a_slicer():
    return headless_slicer()


@pytest.mark.parametrize(("value", "found"), [(0, ()), (1, ("liver",))])
def test_case_40_surfaces_of_empty_and_full_segments(a_slicer, value, found):
    """Case 40: no segment, or one that fills the grid and is closed at its border."""
    layer = np.full(GRID.shape, value, np.uint8)
    node = node_from_labelmap(Labelmap((layer,), LABELS, GRID.affine), a_slicer.scene, None, "S")
    volume_node = node_from_volume(Volume(layer[None], GRID.affine), a_slicer.scene, "V")
    create_surfaces(node)
    for label in LABELS:
        segment = node.GetSegmentation().GetSegment(label.segment_id)
        surface = segment.GetRepresentation("Closed surface")
        points = surface.GetNumberOfPoints() if surface else 0
        assert (points > 0) == (label.name in found)
    again = labelmap_from_node(node, volume_node)
    a_slicer.scene.RemoveNode(volume_node)
    assert [row.name for row in again.labels] == ["liver", "spleen"]
    assert sum(int(again.mask(row).sum()) for row in again.labels) == value * layer.size
    a_slicer.scene.RemoveNode(node)
