"""The step *Compare* on a logic that answers from memory."""

import pytest
import slicer
from PySide6 import QtWidgets


@pytest.fixture
def two_results(a_module):
    other = a_module.running.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Other")
    a_module.widget.logic.state().result = a_module.logic.result
    a_module.panel.show(a_module.widget.logic.state())
    a_module.panel.open("Compare")
    return a_module.logic.result, other


def test_the_present_result_is_compared_with_a_chosen_one(a_module, two_results, a_scan):
    result, other = two_results
    assert a_module.find("secondSelector").currentNode() is result
    a_module.find("firstSelector").setCurrentNode(other)
    a_module.click("compareButton")
    assert a_module.logic.asked == [("compare", other, result, a_scan)]
    table = a_module.find("compareTable")
    assert (table.item(0, 0).text(), table.item(0, 1).text()) == ("Thalamus", "0.912")
    a_module.click("copyComparisonButton")
    assert QtWidgets.QApplication.clipboard().text().splitlines()[2] == "Caudate\t1.000"


def test_the_views_are_moved_to_where_a_segment_differs(a_module, two_results):
    a_module.find("firstSelector").setCurrentNode(two_results[1])
    a_module.click("compareButton")
    a_module.find("compareTable").selectRow(1)
    assert a_module.find("jumpButton").enabled is False, "Caudate does not differ"
    a_module.find("compareTable").selectRow(0)
    a_module.click("jumpButton")
    a_module.click("differencesButton")
    assert a_module.logic.asked[1:] == [("jump", (1.0, 2.0, 3.0)), "differences"]


def test_the_two_choices_come_back_with_the_scene(a_module, two_results):
    a_module.find("firstSelector").setCurrentNode(two_results[1])
    state = a_module.widget.logic.state()
    assert (state.compared_first, state.compared_second) == (two_results[1], two_results[0])


def test_without_a_second_one_there_is_nothing_to_compare(a_module):
    a_module.panel.open("Compare")
    assert a_module.find("compareButton").enabled is False
    assert isinstance(a_module.find("firstSelector"), slicer.qMRMLNodeComboBox)
