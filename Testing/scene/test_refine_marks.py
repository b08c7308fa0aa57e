"""Marks of prompts in a scene: where they were given, and no more work than there is news."""

import pytest

from SegmentationAILib.core.prompts import PointPrompt
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.refine_marks import CorrectionMarks

FIRST, SECOND = PointPrompt((1.0, 2.0, 3.0)), PointPrompt((4.0, 5.0, 6.0))
AGAINST = PointPrompt((7.0, 8.0, 9.0), positive=False)


@pytest.fixture
def a_scene():
    return headless_slicer().scene


def shown(scene):
    nodes = scene.GetNodesByClass("vtkMRMLMarkupsFiducialNode")
    found = {}
    for number in range(nodes.GetNumberOfItems()):
        node = nodes.GetItemAsObject(number)
        count = node.GetNumberOfControlPoints()
        name = node.GetName().split()[-1]
        found[name] = [tuple(node.GetNthControlPointPosition(n)) for n in range(count)]
    return found


def test_marks_follow_prompts_that_come_and_go(a_scene):
    marks = CorrectionMarks(a_scene)
    marks.show_prompts([FIRST])
    assert shown(a_scene) == {"Adds": [(1.0, 2.0, 3.0)]}
    marks.show_prompts([FIRST, AGAINST, SECOND])
    more = {"Adds": [(1.0, 2.0, 3.0), (4.0, 5.0, 6.0)], "Removes": [(7.0, 8.0, 9.0)]}
    assert shown(a_scene) == more
    marks.show_prompts([FIRST, SECOND])
    assert shown(a_scene) == {"Adds": more["Adds"], "Removes": []}
    marks.show_prompts([])
    assert shown(a_scene) == {"Adds": [], "Removes": []}
    marks.remove()
    assert shown(a_scene) == {}


def test_what_is_marked_already_changes_no_node(a_scene):
    marks = CorrectionMarks(a_scene)
    marks.show_prompts([FIRST, AGAINST])
    node = a_scene.GetFirstNodeByClass("vtkMRMLMarkupsFiducialNode")
    before = node.GetMTime()
    marks.show_prompts((FIRST, AGAINST))
    assert node.GetMTime() == before
    marks.remove()


def test_marks_that_somebody_took_out_of_the_scene_come_back_whole(a_scene):
    marks = CorrectionMarks(a_scene)
    marks.show_prompts([FIRST])
    a_scene.RemoveNode(a_scene.GetFirstNodeByClass("vtkMRMLMarkupsFiducialNode"))
    marks.show_prompts([FIRST, SECOND])
    assert shown(a_scene) == {"Adds": [(1.0, 2.0, 3.0), (4.0, 5.0, 6.0)]}
    marks.remove()
