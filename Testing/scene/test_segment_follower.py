"""A list of segments hears of every segment that comes, goes or is renamed, and then lets go."""

from types import SimpleNamespace

import numpy as np
import pytest

from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.panel_logic import ScenePanelLogic
from SegmentationAILib.scene.segment_follower import SegmentFollower
from SegmentationAILib.scene.segment_protection import set_locked
from SegmentationAILib.scene.segmentation_node import node_from_labelmap
from SegmentationAILib.scene.ticker import PlainTicker
from SegmentationAILib.scene.worker_setup import WorkerSetup

from phantoms import grid_around

GRID = grid_around((12.0, -7.0, 20.0), (7, 6, 5))


@pytest.fixture
def a_scene():
    return headless_slicer().scene


@pytest.fixture
def a_node(a_scene):
    voxels = np.zeros(GRID.shape, np.uint8, order="F")
    voxels[1:3], voxels[4:6] = 1, 2
    labels = (Label(1, "Liver", segment_id="liver"), Label(2, "Spleen", segment_id="spleen"))
    labelmap = Labelmap((voxels,), labels, GRID.affine)
    return node_from_labelmap(labelmap, a_scene, None, "Result")


DEEDS = {
    "renamed": lambda segmentation: segmentation.GetSegment("liver").SetName("Hepar"),
    "locked": lambda segmentation: set_locked(segmentation.GetSegment("liver"), True),
    "removed": lambda segmentation: segmentation.RemoveSegment("spleen"),
    "added": lambda segmentation: segmentation.AddEmptySegment("more", "More"),
    "moved": lambda segmentation: segmentation.SetSegmentIndex("spleen", 0),
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_all_changes_of_a_turn_are_told_once(a_node, deed):
    ticker, told = PlainTicker(), []
    follower = SegmentFollower(ticker)
    follower.follow_segments(a_node, lambda: told.append(1))
    deed(a_node.GetSegmentation())
    a_node.GetSegmentation().GetSegment("liver").SetColor(0.1, 0.2, 0.3)
    assert told == []
    ticker.turn()
    assert told == [1]
    follower.follow_segments(None, lambda: told.append(2))
    a_node.GetSegmentation().GetSegment("liver").SetName("Nobody hears this")
    ticker.turn()
    assert told == [1]


def test_the_panels_logic_follows_them(a_home, a_scene, a_node):
    """It is made of many parts, whose own names must not meet."""
    ticker, told = PlainTicker(), []
    setup = WorkerSetup(worker=SimpleNamespace(close=lambda: None))
    panel = ScenePanelLogic(a_scene, setup, ticker, lambda uid, tag: "")
    panel.follow_segments(a_node, lambda: told.append(1))
    a_node.GetSegmentation().RemoveSegment("spleen")
    ticker.turn()
    assert told == [1]
    panel.close()
