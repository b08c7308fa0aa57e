"""The panel on a logic that answers from memory: what is shown, asked and remembered."""

import re

import numpy as np
import pytest
import slicer
from PySide6 import QtCore, QtWidgets

from SegmentationAILib.resources import resource
from SegmentationAILib.scene.panel_facts import Outcome
from SegmentationAILib.scene.volume_node import node_from_volume, volume_from_node

STEPS = (
    "segment", "queue", "correct", "measure", "compare", "export", "networks", "settings"
)  # fmt: skip


def test_the_scan_that_is_loaded_is_chosen_and_described(a_module, a_scan):
    assert a_module.widget.logic.state().volume is a_scan
    assert a_module.find("kindLabel").text == "MR, head, 1.0 × 1.0 × 1.0 mm"


def test_networks_that_fit_come_first_and_the_rest_behind_show_all(a_module):
    box = a_module.find("networkSelector")
    assert [box.itemText(i) for i in range(box.count)] == [
        "Brain structures, MR",
        "Lesions, T1 and FLAIR",
    ]
    a_module.click("showAllCheck")
    assert box.itemText(2) == "Organs, CT"
    assert a_module.widget.logic.state().shows_all is True


def test_the_facts_of_a_network_are_words_and_units(a_module):
    assert a_module.find("networkFacts").text == (
        "free (MIT), about 39 s, 1.2 GB on this computer, installed"
    )
    a_module.choose("networkSelector", "Lesions, T1 and FLAIR")
    assert a_module.find("networkFacts").text == (
        "research only (CC-BY-4.0), time not known yet on this computer, 23.9 kB to download"
    )
    a_module.click("showAllCheck")
    a_module.choose("networkSelector", "Organs, CT")
    assert "made for CT, not for this scan" in a_module.find("networkFacts").text
    assert a_module.find("segmentButton").enabled is False


def test_a_click_on_segment_asks_for_what_is_shown(a_module, a_scan):
    names = a_module.find("structuresList")
    names.item(1).setCheckState(QtCore.Qt.Unchecked)
    a_module.click("segmentButton")
    (request,) = a_module.logic.asked
    assert request.volume is a_scan
    assert (request.network_id, request.structures) == ("t1", ("Thalamus",))
    assert (dict(request.others), request.roi, request.into) == ({}, None, None)


def test_a_second_input_is_asked_for_by_its_role(a_module, a_scan):
    a_module.choose("networkSelector", "Lesions, T1 and FLAIR")
    box = a_module.find("channelsBox")
    (selector,) = box.findChildren(slicer.qMRMLNodeComboBox)
    selector.setCurrentNode(None)
    assert a_module.find("segmentButton").enabled is False
    selector.setCurrentNode(a_scan)
    a_module.click("segmentButton")
    assert a_module.logic.asked[0].others == {"flair": a_scan}
    a_module.choose("networkSelector", "Brain structures, MR")
    assert not a_module.is_shown("channelsBox")


def test_progress_has_a_bar_a_sentence_and_the_time_that_is_left(a_module):
    a_module.click("segmentButton")
    assert a_module.find("segmentButton").enabled is False
    a_module.logic.on_progress(0.3, "Patch 12 of 40", 27.4)
    assert a_module.find("progressBar").value == 30
    assert a_module.find("progressLabel").text == "Patch 12 of 40, about 28 s left"


def test_cancel_gives_the_button_back(a_module):
    a_module.click("segmentButton")
    a_module.click("cancelButton")
    assert not a_module.is_shown("runningBox")
    assert a_module.find("segmentButton").enabled is True
    assert a_module.find("sentenceLabel").text == "Cancelled; the scene is as it was."


@pytest.mark.parametrize("how", ["acceptButton", QtCore.Qt.Key_Return])
def test_accepting_a_preview_opens_correct_on_the_result(a_module, how):
    a_module.click("segmentButton")
    a_module.logic.on_end(Outcome("2 structures in 38 s on CPU.", has_preview=True))
    QtWidgets.QApplication.processEvents()
    a_module.click(how) if isinstance(how, str) else a_module.press(how)
    state = a_module.widget.logic.state()
    assert (state.result, state.step) == (a_module.logic.result, "Correct")
    assert a_module.is_shown("segmentsTable")
    assert not a_module.is_shown("segmentButton")


@pytest.mark.parametrize("how", ["discardButton", QtCore.Qt.Key_Escape])
def test_a_preview_is_thrown_away_by_a_click_or_esc(a_module, how):
    a_module.click("segmentButton")
    a_module.logic.on_end(Outcome("2 structures.", has_preview=True))
    QtWidgets.QApplication.processEvents()
    a_module.click(how) if isinstance(how, str) else a_module.press(how)
    assert a_module.logic.asked[-1] == "discard"
    assert not a_module.is_shown("previewBox")


def test_keys_do_nothing_while_there_is_no_preview(a_module):
    a_module.press(QtCore.Qt.Key_Escape)
    a_module.press(QtCore.Qt.Key_Return)
    assert a_module.logic.asked == []


def test_only_the_current_step_is_open(a_module):
    for step in (*STEPS, "segment"):
        a_module.find(f"{step}Section").collapsed = False
        shut = [a_module.find(f"{name}Section").collapsed for name in STEPS if name != step]
        assert shut == [True] * 7
    assert a_module.widget.logic.state().step == "Segment"


def test_locks_and_status_are_set_per_segment(a_module):
    a_module.widget.logic.state().result = a_module.logic.result
    a_module.panel.show(a_module.widget.logic.state())
    a_module.panel.open("Correct")
    table = a_module.find("segmentsTable")
    assert [table.item(row, 0).text() for row in range(2)] == ["Thalamus", "Caudate"]
    assert [table.cellWidget(row, 1).checked for row in range(2)] == [False, True]
    table.cellWidget(0, 1).checked = True
    table.cellWidget(1, 2).currentIndex = 3
    assert a_module.logic.asked == [("lock", "a", True), ("status", "b", "flagged")]
    table.selectRow(1)
    assert a_module.find("originLabel").text == "drawn by hand"


def test_the_segment_editor_lets_go_of_views_and_keys_when_the_step_closes(a_module):
    a_module.panel.open("Correct")
    told = a_module.find("segmentEditor")._adapter_told
    assert (told["views"], told["shortcuts"]) == (True, True)
    a_module.panel.open("Measure")
    assert (told["views"], told["shortcuts"], told["effect"]) == (False, False, "")


def test_the_table_is_copied_with_its_headings(a_module):
    a_module.widget.logic.state().result = a_module.logic.result
    a_module.panel.open("Measure")
    a_module.click("copyButton")
    assert QtWidgets.QApplication.clipboard().text() == (
        "Segment\tVolume, ml\tSurface, cm²\tMean\nThalamus\t6.51\t23.4\t112"
    )


def test_an_error_is_one_sentence_with_its_cause_behind_details(a_module, tmp_path):
    a_module.widget.logic.state().result = a_module.logic.result
    a_module.panel.open("Export")
    a_module.choose("formatSelector", "NIfTI")
    assert a_module.find("lossLabel").text.startswith("Keeps labels, not names")
    a_module.find("folderLine").currentPath = str(tmp_path)
    a_module.click("exportButton")
    assert a_module.find("sentenceLabel").text == "Two segments overlap; export as .seg.nrrd."
    assert not a_module.is_shown("detailsText")
    a_module.click("detailsButton")
    assert a_module.find("detailsText").plainText == "OSError: x"


def test_a_defect_shows_its_traceback_behind_a_sentence(a_module):
    def broken(*_):
        raise KeyError("no such thing")

    a_module.logic.follow = broken
    a_module.panel.open("Measure")
    assert "KeyError" in a_module.find("sentenceLabel").text
    assert "in broken" in a_module.find("detailsText").plainText
    del a_module.logic.follow


def test_installing_a_network_makes_it_one_that_can_be_removed(a_module, monkeypatch):
    a_module.panel.open("Networks")
    a_module.find("networksTable").selectRow(1)
    assert a_module.find("cardText").plainText == "Finds lesions. Adults alone."
    assert a_module.find("licenseLabel").text == "License: research only (CC-BY-4.0)."
    a_module.click("installButton")
    assert a_module.find("networksTable").item(1, 2).text() == "installed"
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: False)
    a_module.click("removeButton")
    assert a_module.logic.asked == []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: True)
    a_module.click("removeButton")
    assert a_module.logic.asked == [("remove", "four")]


def test_what_is_kept_is_listed_with_its_size_and_deleted_on_consent(a_module, monkeypatch):
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: True)
    a_module.panel.open("Settings")
    assert a_module.find("badgeLabel").text.startswith("CPU only, because")
    table = a_module.find("sizesTable")
    assert (table.item(0, 0).text(), table.item(0, 1).text()) == ("Networks", "786 kB")
    table.selectRow(1)
    assert a_module.find("deleteButton").enabled is False
    table.selectRow(0)
    a_module.click("deleteButton")
    assert a_module.logic.asked == [("delete", "networks")]


def test_the_environment_is_set_up_on_consent_alone(a_module, monkeypatch):
    a_module.panel.open("Settings")
    asked = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: asked.append(text))
    a_module.click("setUpButton")
    assert a_module.logic.asked == []
    assert "GB" in asked[0]
    assert "stays untouched" in asked[0]
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: True)
    a_module.click("setUpButton")
    assert a_module.find("sentenceLabel").text.startswith("CPU only, because")
    assert not a_module.is_shown("setUpButton")


def test_choices_come_back_with_a_saved_scene(a_module, tmp_path):
    a_module.choose("networkSelector", "Lesions, T1 and FLAIR")
    scene = a_module.running.scene
    path = tmp_path / "scene.mrml"
    scene.SetURL(str(path))
    assert scene.Commit() == 1
    scene.Clear()
    assert a_module.widget.logic.state().network == "t1"
    assert scene.Import() == 1
    assert a_module.widget.logic.state().network == "four"
    assert a_module.find("networkSelector").currentText == "Lesions, T1 and FLAIR"


def test_a_scene_that_is_loaded_says_which_networks_made_its_result(a_module, tmp_path):
    a_module.widget.logic.state().result = a_module.logic.result
    scene = a_module.running.scene
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Commit() == 1
    scene.Clear()
    assert scene.Import() == 1
    assert a_module.find("sentenceLabel").text == (
        "'Result': 2 segments by 't1', weights 100d5fd11ef9."
    )


def test_a_closed_scene_leaves_nothing_to_segment(a_module):
    a_module.running.scene.Clear()
    assert a_module.find("segmentButton").enabled is False
    assert a_module.widget.logic.state().volume is None


def test_a_result_that_went_with_its_scene_can_no_longer_be_accepted(a_module):
    a_module.click("segmentButton")
    a_module.logic.on_end(Outcome("2 structures.", has_preview=True))
    assert a_module.is_shown("previewBox")
    a_module.logic.waits = False
    a_module.running.scene.Clear()
    assert not a_module.is_shown("previewBox")
    asked = list(a_module.logic.asked)
    a_module.press(QtCore.Qt.Key_Escape)
    assert a_module.logic.asked == asked


def test_a_result_brings_the_scan_that_it_was_made_of(a_module, a_scan):
    """While a network runs a person chooses the scan for the next run."""
    scene, logic, state = a_module.running.scene, a_module.logic, a_module.widget.logic.state()
    another, later = node_from_volume(volume_from_node(a_scan), scene, "Another"), logic.result
    logic.scans_of[later] = a_scan
    a_module.click("segmentButton")
    a_module.find("volumeSelector").setCurrentNode(another)
    assert state.volume is another
    logic.on_end(Outcome("2 structures.", has_preview=True))
    a_module.click("acceptButton")
    editor = a_module.find("segmentEditor")
    told = (editor._adapter_told["segmentation"], editor._adapter_told["volume"])
    assert (*told, state.volume) == (later, a_scan, a_scan)
    earlier = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Earlier")
    logic.scans_of[earlier] = another
    a_module.find("resultSelector").setCurrentNode(earlier)
    assert (editor._adapter_told["volume"], state.volume) == (another, another)
    a_module.panel.open("Refine")
    a_module.find("refineSelector").setCurrentNode(later)
    assert state.volume is a_scan
    a_module.panel.open("Segment")
    assert a_module.find("volumeSelector").currentNode() is a_scan


def test_the_list_of_segments_follows_the_segment_editor(a_module):
    state, table = a_module.widget.logic.state(), a_module.find("segmentsTable")
    state.result = a_module.logic.result
    a_module.panel.open("Correct")
    assert table.rowCount == 2
    a_module.logic.listed_segments = a_module.logic.listed_segments[:1]
    a_module.logic.on_segments()
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == ["Thalamus"]
    a_module.panel.open("Measure")
    assert a_module.logic.followed is None, "nothing is observed once the step is closed"


def test_every_control_has_a_tooltip(a_module):
    kinds = (QtWidgets.QAbstractButton, QtWidgets.QComboBox, QtWidgets.QAbstractItemView,
             QtWidgets.QProgressBar, slicer.qMRMLNodeComboBox)  # fmt: skip
    without = [
        QtCore.QObject.objectName(widget)
        for widget in a_module.window.findChildren(QtWidgets.QWidget)
        if isinstance(widget, kinds)
        and re.fullmatch(r"[a-z]\w+", QtCore.QObject.objectName(widget) or "")
        and not QtCore.QObject.objectName(widget).startswith("qt_")
        and not QtWidgets.QWidget.toolTip(widget)
    ]
    assert without == []


def test_no_step_has_a_style_of_its_own():
    for path in resource("UI").glob("*.ui"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r'name="(styleSheet|palette|font)"', text), path.name


def test_the_panel_fits_the_width_of_slicers(a_module):
    for step in STEPS:
        a_module.panel.open(step.title())
        QtWidgets.QApplication.processEvents()
        assert a_module.window.minimumSizeHint().width() <= 400
    assert np.isfinite(a_module.window.height)


def test_lines_for_folders_ask_for_folders_and_those_for_files_for_files(a_module):
    import ctk

    files = {"caLine", "tokenLine", "serverCaLine"}
    lines = a_module.window.findChildren(ctk.ctkPathLineEdit)
    asked = {line.objectName: bool(line.filters & ctk.ctkPathLineEdit.Files) for line in lines}
    assert len(asked) == 10
    assert {name for name, asks_for_files in asked.items() if asks_for_files} == files
