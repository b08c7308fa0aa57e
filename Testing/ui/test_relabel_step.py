"""The step *Relabel* on a real study and a real worker, by clicks and keys of a person."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slicer
from PySide6 import QtCore, QtTest, QtWidgets
from relabel_study import relabel_study
from relabel_work import trainable_base
from study_files import made_study, scan, shifted, truth

from SegmentationAILib.core.files import read_labelmap
from SegmentationAILib.learn.relabel.settings import RelabelSettings, settings_to_text
from SegmentationAILib.learn.study.iterations import Outcome, begin, finish, inputs_of
from SegmentationAILib.learn.study.person import Work, correct, corrected_voxels
from SegmentationAILib.learn.study.records import Making
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.learn.study.versions import NewVersion, add_version, read_version
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.scene.placement import matrix_from_affine
from SegmentationAILib.scene.segment_editors import SegmentEditors
from SegmentationAILib.scene.segmentation_node import labelmap_from_node
from SegmentationAILib.scene.volume_node import grid_of_node
from SegmentationAILib.scene.vtk_voxels import scalars_from_voxels

HOLDOUT = (0.8, 0.85)


def iterate(study, off):
    """An iteration whose predictions are the truth some voxels off, without a network."""
    one = begin(study, settings_to_text(RelabelSettings()), "b" * 64)
    for name, version in inputs_of(study, one.number).items():
        making = Making("predicted", network="n", weights_sha256="d" * 64, iteration=one.number)
        labels = shifted(truth(int(name.split()[1])), off)
        add_version(study, name, NewVersion(labels, making, is_current=False), version.number)
    dice = HOLDOUT[one.number - 1]
    finish(study, one.number, Outcome("d" * 64, 0.9, 0.1, dice, "Goes on.", True, 120.0))


@pytest.fixture
def the_study(tmp_path):
    """Three cases; two iterations, of which the first found the truth."""
    study = made_study(tmp_path, 3)
    iterate(study, 0)
    iterate(study, 2)
    return study


@pytest.fixture
def a_step(a_panel_worker, the_study, opened):
    """The step with the study open."""
    module = opened()
    module.panel.open("Relabel")
    open_in(module, the_study)
    return module


def open_in(module, study):
    module.find("studyLine").currentPath = str(study.folder)
    module.click("openStudyButton")
    module.wait_until(lambda: module.find("casesTable").rowCount == len(study.cases()), 60)


def cell(module, row, column):
    return module.find("casesTable").item(row, column).text()


def double_click(module, row):
    table = module.find("casesTable")
    place = table.visualItemRect(table.item(row, 0)).center()
    QtTest.QTest.mouseClick(table.viewport(), QtCore.Qt.LeftButton, pos=place)
    QtTest.QTest.mouseDClick(table.viewport(), QtCore.Qt.LeftButton, pos=place)


def open_case(module, row):
    double_click(module, row)
    wait_for_case(module, f"case {row}")


def wait_for_case(module, name):
    logic = module.widget.logic.for_panel()
    module.wait_until(lambda: logic.open_case_id() == name and not logic.is_study_busy())


def said(module):
    return module.find("sentenceLabel").text


def paint(module):
    """Paint a corner of the open case with the second structure, by the editor; return where."""
    state = module.widget.logic.state()
    mask = np.zeros(scan(0).voxels.shape[1:], bool)
    mask[:3, 2:5, 1:4] = True
    put(
        module, state.result, state.result.GetSegmentation().GetSegmentIdBySegmentName("Tail"), mask
    )
    return mask


def put(module, node, segment_id, mask):
    """Add voxels to a segment, as a brush of Slicer's does."""
    editor = SegmentEditors(module.running.scene).editor_of(node)
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*mask.shape)
    image.GetPointData().SetScalars(scalars_from_voxels(mask.astype(np.uint8)[None]))
    volume = module.widget.logic.state().volume
    image.SetImageToWorldMatrix(matrix_from_affine(grid_of_node(volume, world=False).affine))
    mode = slicer.vtkSlicerSegmentEditorLogic.ModificationModeAdd
    editor.ModifySegmentByLabelmap(node, segment_id, image, mode, False, False)


def current(study, name):
    study = open_study(study.folder)
    return read_version(study, study.current_version(name)).layers[0]


def test_the_worklist_says_state_time_dice_and_who(a_step, the_study):
    assert [cell(a_step, 0, n) for n in range(3)] == ["case 0", "predicted", "0.0"]
    a, b = truth(0).layers[0], shifted(truth(0), 2).layers[0]
    dice = np.mean([2 * ((a == v) & (b == v)).sum() / ((a == v).sum() + (b == v).sum())
                    for v in (1, 2)])  # fmt: skip
    assert cell(a_step, 0, 3) == f"{dice:.3f}"
    assert a_step.find("studyLabel").text == "study: 3 predicted."


def test_an_opened_case_is_the_scan_and_the_labels_of_all_steps(a_step, the_study):
    open_case(a_step, 1)
    state = a_step.widget.logic.state()
    assert state.volume.GetName() == "case 1"
    np.testing.assert_array_equal(
        slicer.util.arrayFromVolume(state.volume).transpose(2, 1, 0), scan(1).voxels[0]
    )
    labels = labelmap_from_node(state.result, state.volume)
    np.testing.assert_array_equal(labels.layers[0], shifted(truth(1), 2).layers[0])
    assert cell(a_step, 1, 0) == "▸ case 1"
    assert said(a_step) == "case 1: Predicted in iteration 2."


def test_switching_stores_what_was_painted_and_only_that_counts_as_touched(a_step, the_study):
    open_case(a_step, 0)
    painted = paint(a_step)
    a_step.press(QtCore.Qt.Key_N)
    wait_for_case(a_step, "case 1")
    before = shifted(truth(0), 2).layers[0]
    np.testing.assert_array_equal(current(the_study, "case 0"), np.where(painted, 2, before))
    study = open_study(the_study.folder)
    touched = corrected_voxels(study, study.current_version("case 0"))
    np.testing.assert_array_equal(touched, painted & (before != 2))
    a_step.wait_until(lambda: cell(a_step, 0, 1) == "corrected")
    assert cell(a_step, 0, 4) == study.current_version("case 0").making.who
    names = [a_step.running.scene.GetNthNodeByClass(n, "vtkMRMLScalarVolumeNode").GetName()
             for n in range(a_step.running.scene.GetNumberOfNodesByClass(
                 "vtkMRMLScalarVolumeNode"))]  # fmt: skip
    assert names == ["case 1"], "the case before has left the scene"
    a_step.press(QtCore.Qt.Key_P)
    wait_for_case(a_step, "case 0")
    state = a_step.widget.logic.state()
    shown = labelmap_from_node(state.result, state.volume).layers[0]
    np.testing.assert_array_equal(shown, np.where(painted, 2, before))


def test_looking_without_painting_makes_no_version(a_step, the_study):
    open_case(a_step, 0)
    a_step.press(QtCore.Qt.Key_N)
    wait_for_case(a_step, "case 1")
    assert len(open_study(the_study.folder).versions("case 0")) == 3


def test_ten_minutes_are_recorded_and_a_pause_is_not(a_step, the_study):
    logic = a_step.widget.logic.for_panel()
    clock, now = logic._clock, [1000.0]
    clock._now = lambda: now[0]
    open_case(a_step, 0)
    for _ in range(20):
        now[0] += 30.0
        a_step.running.scene.GetFirstNodeByClass("vtkMRMLCrosshairNode").InvokeEvent(
            slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent
        )
    now[0] += 3600.0
    a_step.press(QtCore.Qt.Key_N)
    wait_for_case(a_step, "case 1")
    assert open_study(the_study.folder).case("case 0").seconds_spent == pytest.approx(600.0)
    a_step.wait_until(lambda: cell(a_step, 0, 2) == "10.0")


def test_accept_locks_and_goes_on_and_the_filter_leaves_what_is_to_do(a_step, the_study):
    a_step.choose("filterSelector", "To do")
    open_case(a_step, 0)
    painted = paint(a_step)
    a_step.press(QtCore.Qt.Key_A)
    wait_for_case(a_step, "case 1")
    study = open_study(the_study.folder)
    assert study.case("case 0").state == "accepted"
    before = shifted(truth(0), 2).layers[0]
    np.testing.assert_array_equal(current(the_study, "case 0"), np.where(painted, 2, before))
    a_step.wait_until(lambda: a_step.find("casesTable").rowCount == 2)
    a_step.press(QtCore.Qt.Key_S)
    wait_for_case(a_step, "case 2")
    assert open_study(the_study.folder).case("case 1").state == "skipped"
    a_step.wait_until(lambda: a_step.find("casesTable").rowCount == 1)
    a_step.press(QtCore.Qt.Key_A)
    a_step.wait_until(lambda: said(a_step) == "case 2 is accepted.")
    assert open_study(the_study.folder).case("case 2").state == "accepted"
    a_step.choose("filterSelector", "Skipped")
    a_step.wait_until(lambda: a_step.find("casesTable").rowCount == 1)
    a_step.find("casesTable").selectRow(0)
    a_step.click("reopenCaseButton")
    a_step.wait_until(lambda: open_study(the_study.folder).case("case 1").state == "predicted")


def test_an_edit_that_cannot_be_stored_keeps_the_case_open(a_step, the_study):
    open_case(a_step, 0)
    node = a_step.widget.logic.state().result
    node.GetSegmentation().AddEmptySegment("tooth", "Tooth")
    mask = np.zeros(scan(0).voxels.shape[1:], bool)
    mask[1, 1, 1] = True
    put(a_step, node, "tooth", mask)
    a_step.press(QtCore.Qt.Key_N)
    a_step.wait_until(lambda: "this study has: 1 Head, 2 Tail" in said(a_step))
    assert a_step.widget.logic.for_panel().open_case_id() == "case 0"
    assert node.GetSegmentation().GetSegment("tooth") is not None
    node.GetSegmentation().RemoveSegment("tooth")
    a_step.press(QtCore.Qt.Key_N)
    wait_for_case(a_step, "case 1")


def test_closing_the_scene_stores_the_edits(a_step, the_study):
    open_case(a_step, 0)
    painted = paint(a_step)
    a_step.running.scene.Clear()
    a_step.wait_until(lambda: open_study(the_study.folder).case("case 0").state == "corrected")
    before = shifted(truth(0), 2).layers[0]
    np.testing.assert_array_equal(current(the_study, "case 0"), np.where(painted, 2, before))


def test_edits_that_another_window_has_overtaken_are_kept_and_put_on_by_a_button(a_step, the_study):
    assert not a_step.is_shown("refusedBox")
    open_case(a_step, 0)
    before = shifted(truth(0), 2)
    bens = before.layers[0].copy()
    bens[:3, 8:10, :2] = 1
    correct(the_study, "case 0", replace(before, layers=(bens,)), Work("Ben"), 3)
    painted = paint(a_step)
    a_step.press(QtCore.Qt.Key_N)
    a_step.wait_until(lambda: "changed by another window" in said(a_step))
    assert a_step.widget.logic.for_panel().open_case_id() == "case 0"
    old = a_step.widget.logic.state().result
    double_click(a_step, 0)
    a_step.wait_until(lambda: a_step.is_shown("refusedBox"))
    assert "could not be stored: The case case 0 was changed" in a_step.find("refusedLabel").text
    assert a_step.widget.logic.state().result is not old, "all steps work on the new nodes"
    np.testing.assert_array_equal(current(the_study, "case 0"), bens)
    a_step.wait_until(lambda: not a_step.widget.logic.for_panel().is_study_busy())
    a_step.click("takeUpButton")
    a_step.wait_until(lambda: not a_step.is_shown("refusedBox"))
    expected = np.where(painted, 2, bens)
    np.testing.assert_array_equal(current(the_study, "case 0"), expected)
    state = a_step.widget.logic.state()
    np.testing.assert_array_equal(
        labelmap_from_node(state.result, state.volume).layers[0], expected
    )
    a_step.press(QtCore.Qt.Key_N)
    wait_for_case(a_step, "case 1")


def test_a_store_after_an_iteration_shows_what_was_predicted_meanwhile_in_all_steps(
    a_step, the_study
):
    open_case(a_step, 1)
    layer = shifted(truth(1), 4).layers[0]
    making = Making("predicted", weights_sha256="d" * 64, iteration=2)
    new = NewVersion(shifted(truth(1), 4), making)
    add_version(the_study, "case 1", new, the_study.case("case 1").current)
    painted = paint(a_step)
    a_step.click("storeCaseButton")
    a_step.wait_until(lambda: "shown as they are now" in said(a_step))
    state = a_step.widget.logic.state()
    shown = labelmap_from_node(state.result, state.volume).layers[0]
    np.testing.assert_array_equal(shown, np.where(painted, 2, layer))


def test_the_end_of_the_module_stores_the_edits(a_step, the_study):
    open_case(a_step, 0)
    painted = paint(a_step)
    a_step.widget.logic.for_panel().close_study()
    before = shifted(truth(0), 2).layers[0]
    np.testing.assert_array_equal(current(the_study, "case 0"), np.where(painted, 2, before))


def test_the_versions_of_the_chosen_case_are_shown_and_follow_what_is_chosen(a_step, the_study):
    assert not a_step.is_shown("historyBox")
    a_step.click("historyCheck")
    assert a_step.find("historyLabel").text == "Choose a case of the list."
    a_step.find("casesTable").selectRow(1)
    a_step.wait_until(lambda: a_step.find("historyLabel").text.startswith("case 1, slice "))
    captions = [a_step.find(f"historyCaption{n}").text.split("\n")[0] for n in range(3)]
    assert captions == ["First labels", "Iteration 1", "● Iteration 2"]
    assert not a_step.find("historyPicture2").pixmap.isNull()
    open_case(a_step, 0)
    a_step.wait_until(lambda: a_step.find("historyLabel").text.startswith("case 0, slice "))
    paint(a_step)
    a_step.click("storeCaseButton")
    a_step.wait_until(lambda: has_four(a_step))
    assert a_step.find("historyCaption3").text.startswith("● Corrected\nDice 0.")
    a_step.click("historyCheck")
    assert not a_step.is_shown("historyBox")


def has_four(module):
    found = module.window.findChildren(QtWidgets.QLabel, "historyCaption3")
    return bool(found) and QtWidgets.QWidget.isVisible(found[0])


def test_keys_belong_to_the_step_that_is_open(a_step):
    open_case(a_step, 0)
    a_step.panel.open("Measure")
    a_step.press(QtCore.Qt.Key_N)
    QtTest.QTest.qWait(200)
    assert a_step.widget.logic.for_panel().open_case_id() == "case 0"


def test_the_current_dot_is_filled_and_a_click_on_an_older_one_goes_back(
    a_step, the_study, monkeypatch
):
    texts = [a_step.find(f"iterationDot{n}").text for n in range(3)]
    assert texts == ["○\nfirst\n–", "○\n1\n0.800", "●\n2\n0.850"]
    asked = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: asked.append(text))
    a_step.click("iterationDot1")
    QtTest.QTest.qWait(100)
    assert len(asked) == 1
    assert "iteration 1" in asked[0]
    np.testing.assert_array_equal(current(the_study, "case 0"), shifted(truth(0), 2).layers[0])
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: True)
    a_step.click("iterationDot1")
    a_step.wait_until(lambda: a_step.find("iterationDot1").text.startswith("●"))
    np.testing.assert_array_equal(current(the_study, "case 0"), truth(0).layers[0])
    assert a_step.find("iterationDot2").text.startswith("×")
    assert not a_step.find("iterationDot2").enabled


def test_a_review_is_answered_by_keys_and_tells_nothing_before_it_is_closed(
    a_step, the_study, monkeypatch
):
    """The reader sees the truth on one side by the picture alone, and always prefers it."""
    a_step.find("readerLine").text = "Anna"
    a_step.choose("reviewSelector", "New: iteration 2 against the first labels, case by case")
    a_step.click("reviewButton")
    window = a_step.panel.relabel.review.window
    seen = []
    for number in range(3):
        a_step.wait_until(lambda: window._pair is not None)
        text = window._ui.pairLabel.text
        assert text.startswith(f"Pair {number + 1} of 3")
        labels = window.widget.findChildren(QtWidgets.QLabel)
        seen += [label.text for label in labels if label is not window._ui.pairLabel]
        assert not window._ui.leftPicture.pixmap.isNull()
        assert window._ui.leftPicture.pixmap.toImage() != window._ui.rightPicture.pixmap.toImage()
        first = a_step.widget.logic.for_panel().study()
        assert first is not None
        # Two voxels off is the iteration, one voxel off the first labels.
        sides = window._pair._sides
        key = QtCore.Qt.Key_Left if np.array_equal(
            sides[0].layers[0], shifted(truth(case_of(window._pair)), 1).layers[0]
        ) else QtCore.Qt.Key_Right  # fmt: skip
        QtTest.QTest.keyClick(window.widget, QtCore.Qt.Key_Down if number == 2 else key)
    a_step.wait_until(lambda: not window.widget.visible)
    assert "".join(seen) == "", "nothing but pictures and a count is told"
    a_step.wait_until(lambda: "tally" in said(a_step))
    assert "preferred" not in said(a_step)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: True)
    a_step.click("closeReviewButton")
    a_step.wait_until(lambda: "preferred" in said(a_step))
    assert said(a_step).startswith(
        "Anna: Iteration 2 was preferred in 0 (0.0%, 95 % interval 0.0% to 56.1%), First labels in "
        "2 (66.7%"
    )


def case_of(pair):
    """Which phantom a pair shows, by its scan."""
    return next(n for n in range(3) if np.array_equal(scan(n).voxels, pair._volume.voxels))


def test_a_review_can_be_paused_and_gone_on_with(a_step, the_study):
    a_step.choose("reviewSelector", "New: iteration 2 against the first labels, slice by slice")
    a_step.click("reviewButton")
    window = a_step.panel.relabel.review.window
    a_step.wait_until(lambda: window._pair is not None)
    assert not window._ui.placeSlider.visible
    total = window._pair.total
    QtTest.QTest.keyClick(window.widget, QtCore.Qt.Key_Down)
    a_step.wait_until(lambda: window._pair is not None and window._pair.done == 1)
    QtTest.QTest.keyClick(window.widget, QtCore.Qt.Key_Escape)
    assert not window.widget.visible
    assert a_step.find("reviewButton").text == "Go on"
    a_step.click("reviewButton")
    a_step.wait_until(lambda: window._pair is not None)
    assert window._ui.pairLabel.text.startswith(f"Pair 2 of {total}")
    window.close()


def test_export_writes_a_new_folder_of_all_cases(a_step, the_study, tmp_path, monkeypatch):
    import qt

    target = tmp_path / "exports"
    target.mkdir()
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(target))
    a_step.choose("studyExportSelector", "Labels, NIfTI (.nii.gz)")
    a_step.click("studyExportButton")
    a_step.wait_until(lambda: "were written" in said(a_step))
    found = sorted((target / "study-labels").glob("*.nii.gz"))
    assert [path.name for path in found] == [f"case {n}.nii.gz" for n in range(3)]
    np.testing.assert_array_equal(read_labelmap(found[0]).layers[0], shifted(truth(0), 2).layers[0])


def test_a_folder_without_a_study_is_refused_in_a_sentence(a_step, tmp_path):
    (tmp_path / "empty").mkdir()
    a_step.find("studyLine").currentPath = str(tmp_path / "empty")
    a_step.click("openStudyButton")
    assert said(a_step).startswith("empty holds no study")
    assert a_step.find("casesTable").rowCount == 3, "the open study stays"


@pytest.mark.slow
def test_propose_again_says_the_cost_trains_in_the_background_and_keeps_what_is_painted(
    a_panel_worker, tmp_path, opened, monkeypatch
):
    store = NetworkStore(a_panel_worker._home)
    install(store, InstallRequest(str(trainable_base(tmp_path / "base"))), lambda *_: None)
    study = relabel_study(tmp_path, store, 3)
    module = opened()
    module.panel.open("Relabel")
    open_in(module, study)
    open_case(module, 0)
    asked = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: not asked.append(text))
    module.find("epochsSpin").value = 2
    module.click("proposeButton")
    assert "2 epochs on 3 cases and predicts 3" in asked[0]
    logic = module.widget.logic.for_panel()
    module.wait_until(logic.is_proposing)
    # A case can be painted and left while the loop runs.
    painted = paint(module)
    module.wait_until(lambda: not logic.is_proposing(), 240)
    module.wait_until(lambda: len(logic.study().iterations) == 2)
    assert module.is_shown("iterationDot1")
    module.press(QtCore.Qt.Key_N)
    wait_for_case(module, "case 1")
    layer = current(study, "case 0")
    assert (layer[painted] == 2).all()
    assert len(open_study(study.folder).versions("case 0")) == 3
    module.choose("orderSelector", "At random")
    module.wait_until(lambda: "worth labeling" in said(module), 60)
    # The two that nobody has decided, then the corrected one.
    module.wait_until(lambda: logic.study().cases[-1].id == "case 0")
    module.choose("orderSelector", "By name")
    module.wait_until(lambda: logic.study().cases[0].id == "case 0")


def test_nothing_of_the_steps_is_enabled_without_a_study(a_module):
    a_module.panel.open("Relabel")
    for name in ("openStudyButton", "nextCaseButton", "acceptCaseButton", "proposeButton",
                 "reviewButton", "studyExportButton"):  # fmt: skip
        assert a_module.find(name).enabled is False
    a_module.find("studyLine").currentPath = str(Path("somewhere"))
    assert a_module.find("openStudyButton").enabled is True
    assert isinstance(a_module.find("casesTable"), QtWidgets.QTableWidget)
