import numpy as np
import pytest

from SegmentationAILib.core.labelmap import Label, Labelmap, Provenance
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.segment_list import segments_of, set_status
from SegmentationAILib.scene.segment_protection import set_locked
from SegmentationAILib.scene.segmentation_node import node_from_labelmap

from phantoms import oblique_affine


@pytest.fixture
def a_node():
    made = Provenance("predicted", "subcortical", "aa5235ab3a03", 0, "2026-11-20T18:30:05Z")
    labels = (Label(1, "Liver", (0.8, 0.2, 0.1), provenance=made), Label(2, "Spleen"))
    labelmap = Labelmap((np.ones((3, 4, 5), np.uint8),), labels, oblique_affine())
    return node_from_labelmap(labelmap, headless_slicer().scene, None, "Result")


def test_segments_are_listed_in_order_with_color_and_origin(a_node):
    liver, spleen = segments_of(a_node)
    assert (liver.name, spleen.name) == ("Liver", "Spleen")
    assert liver.color == pytest.approx((0.8, 0.2, 0.1))
    assert liver.origin == "Was predicted by subcortical, weights aa5235ab, 2026-11-20 18:30 UTC."
    assert spleen.origin == "Origin not known."


def test_status_and_lock_are_those_of_the_segment(a_node):
    liver, spleen = (facts.id for facts in segments_of(a_node))
    set_status(a_node, liver, "in progress")
    set_locked(a_node.GetSegmentation().GetSegment(spleen), True)
    assert [(f.status, f.is_locked) for f in segments_of(a_node)] == [
        ("in progress", False),
        ("completed", True),
    ]
