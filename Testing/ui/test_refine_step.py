"""The step *Refine*: mouse and keys in slice views become prompts, and a segment is corrected."""

from dataclasses import replace

import numpy as np
import pytest
from panel_stand_in import T1
from PySide6 import QtCore, QtTest, QtWidgets

from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.prompts import BoxPrompt, LassoPrompt, PointPrompt, ScribblePrompt
from SegmentationAILib.scene.panel_facts import Accepted, Outcome
from SegmentationAILib.scene.refine_facts import CorrectionAsked, CorrectionFacts, DoubtfulPlace
from SegmentationAILib.scene.segment_protection import set_locked
from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap
from SegmentationAILib.scene.volume_node import node_from_volume

from phantoms import SPHERE_CENTER_RAS, sphere_mask, sphere_volume

CENTER = tuple(float(n) for n in SPHERE_CENTER_RAS)


@pytest.fixture
def a_refine_step(a_module):
    """The step open on the stand-in's result, with an axial and a coronal view."""
    layout, scene = a_module.running.app.layoutManager(), a_module.running.scene
    a_module.red = layout.add_view(scene, "Red")
    a_module.green = layout.add_view(scene, "Green", "Coronal")
    a_module.widget.logic.state().result = a_module.logic.result
    a_module.panel.show(a_module.widget.logic.state())
    a_module.panel.open("Refine")
    return a_module


def prompts(module):
    return [one for one in module.logic.asked if isinstance(one, tuple) and one[1] in (True, False)]


def last_prompt(module):
    return prompts(module)[-1][0]


def test_a_click_begins_the_correction_of_the_chosen_segment_and_adds(a_refine_step):
    a_refine_step.choose("segmentSelector", "Caudate (locked)")
    a_refine_step.red.click(CENTER)
    asked = next(one for one in a_refine_step.logic.asked if isinstance(one, CorrectionAsked))
    assert (asked.segment_id, asked.engine) == ("b", "geodesic")
    prompt = last_prompt(a_refine_step)
    assert isinstance(prompt, PointPrompt)
    assert prompt.positive
    # A pixel is half a millimeter wide.
    np.testing.assert_allclose(prompt.position_ras, CENTER, atol=0.26)


def test_ctrl_removes_and_the_cursor_says_so_beforehand(a_refine_step):
    view = a_refine_step.green.sliceView()
    adds = view.cursor
    a_refine_step.green.mouse("MouseMoveEvent", (10, 10), control=True)
    removes = view.cursor
    assert adds.pixmap().toImage() != removes.pixmap().toImage()
    a_refine_step.green.click(CENTER, control=True)
    assert not last_prompt(a_refine_step).positive
    a_refine_step.green.mouse("MouseMoveEvent", (10, 10))
    assert view.cursor.pixmap().toImage() == adds.pixmap().toImage()


def test_a_drag_is_a_scribble_of_the_brushs_radius_in_the_plane_of_the_view(a_refine_step):
    a_refine_step.find("brushSpin").value = 3.5
    line = [np.add(CENTER, (x, 0.0, 0.0)) for x in (-8, -4, 0, 4)]
    a_refine_step.red.drag(line)
    prompt = last_prompt(a_refine_step)
    assert isinstance(prompt, ScribblePrompt)
    assert prompt.radius_mm == 3.5
    np.testing.assert_allclose(prompt.points_ras, line, atol=0.26)
    assert len(prompts(a_refine_step)) == 1
    assert a_refine_step.logic.drawn[0] == ()


def test_live_scribbles_are_given_while_they_grow(a_refine_step):
    a_refine_step.choose("runSelector", "While drawing")
    line = [np.add(CENTER, (x, 0.0, 0.0)) for x in (-8, -4, 0, 4)]
    a_refine_step.red.drag(line)
    given = [one for one in prompts(a_refine_step) if isinstance(one[0], ScribblePrompt)]
    assert [finished for _, finished in given] == [False, False, False, True]


def test_a_box_and_a_lasso_are_drawn_once_after_their_key(a_refine_step):
    a_refine_step.press(QtCore.Qt.Key_B)
    assert a_refine_step.find("boxTool").checked
    corners = [np.add(CENTER, (-10, -6, 0)), np.add(CENTER, (10, 6, 0))]
    a_refine_step.red.drag(corners)
    prompt = last_prompt(a_refine_step)
    assert isinstance(prompt, BoxPrompt)
    np.testing.assert_allclose(prompt.corners_ras, corners, atol=0.26)
    assert a_refine_step.find("drawTool").checked
    a_refine_step.click("lassoTool")
    ring = [np.add(CENTER, (x, y, 0)) for x, y in ((-9, 0), (0, 8), (9, 0), (0, -8))]
    a_refine_step.red.drag(ring, control=True)
    prompt = last_prompt(a_refine_step)
    assert isinstance(prompt, LassoPrompt)
    assert not prompt.positive
    np.testing.assert_allclose(prompt.points_ras, ring, atol=0.26)


def test_a_lasso_that_encloses_nothing_is_no_prompt(a_refine_step):
    a_refine_step.click("lassoTool")
    a_refine_step.red.drag([np.add(CENTER, (x, 0, 0)) for x in (-9, 0, 9)])
    assert prompts(a_refine_step) == []


def test_shift_is_left_to_slicer_and_what_is_ours_is_not(a_refine_step):
    heard = []
    interactor = a_refine_step.red.sliceView().interactor()
    interactor.AddObserver("LeftButtonPressEvent", lambda *_: heard.append(1))
    a_refine_step.red.mouse("LeftButtonPressEvent", (50, 50), shift=True)
    assert (heard, prompts(a_refine_step)) == ([1], [])
    a_refine_step.red.click(CENTER)
    assert heard == [1]
    assert len(prompts(a_refine_step)) == 1


def test_other_steps_let_go_of_views_cursor_and_keys(a_refine_step):
    a_refine_step.panel.open("Measure")
    a_refine_step.red.click(CENTER)
    a_refine_step.press(QtCore.Qt.Key_N)
    assert prompts(a_refine_step) == []
    assert a_refine_step.red.sliceView().cursor is None
    a_refine_step.panel.open("Refine")
    late = a_refine_step.running.app.layoutManager().add_view(a_refine_step.running.scene, "Yellow")
    late.click(CENTER)
    assert len(prompts(a_refine_step)) == 1


def test_keys_undo_redo_look_for_doubts_accept_and_discard(a_refine_step):
    logic = a_refine_step.logic
    a_refine_step.press(QtCore.Qt.Key_Z)
    assert "undo prompt" not in logic.asked, "nothing is open yet"
    a_refine_step.red.click(CENTER)
    a_refine_step.press(QtCore.Qt.Key_Z)
    a_refine_step.press(QtCore.Qt.Key_N)
    assert logic.asked[-2:] == ["undo prompt", "doubt"]
    a_refine_step.red.key("Z")
    assert logic.asked[-1] == "redo prompt"
    a_refine_step.press(QtCore.Qt.Key_Escape)
    assert logic.asked[-1] == "discard correction"
    assert "as it was" in a_refine_step.find("sentenceLabel").text
    a_refine_step.red.click(CENTER)
    a_refine_step.press(QtCore.Qt.Key_Return)
    assert a_refine_step.find("sentenceLabel").text == "'Thalamus' was corrected."


def test_escape_drops_what_is_being_drawn_first(a_refine_step):
    a_refine_step.red.click(CENTER)
    a_refine_step.red.mouse("LeftButtonPressEvent", (50, 50))
    a_refine_step.red.mouse("MouseMoveEvent", (90, 50))
    a_refine_step.press(QtCore.Qt.Key_Escape)
    assert a_refine_step.logic.correction().is_open
    a_refine_step.red.mouse("LeftButtonReleaseEvent", (90, 50))
    assert len(prompts(a_refine_step)) == 1


def test_facts_become_a_list_with_crosses_a_score_and_slices(a_refine_step):
    a_refine_step.red.click(CENTER)
    place = DoubtfulPlace((1.0, 2.0, 3.0), "Slice 12 along k: 80 mm² in doubt")
    a_refine_step.logic.on_facts(
        CorrectionFacts(
            is_open=True, prompts=("Adds: click", "Removes: box"), can_undo=True, has_change=True,
            sentence="The segment reaches the border of the scan.", score=0.914, slices=(place,),
            proposed=PointPrompt((1.0, 2.0, 3.0)),
        )
    )  # fmt: skip
    table = a_refine_step.find("promptsTable")
    assert [table.item(row, 0).text() for row in range(2)] == ["Adds: click", "Removes: box"]
    table.cellWidget(1, 1).click()
    assert a_refine_step.logic.asked[-1] == ("remove prompt", 1)
    assert "0.91" in a_refine_step.find("scoreLabel").text
    assert "border" in a_refine_step.find("refineLabel").text
    slices = a_refine_step.find("slicesList")
    slices.setCurrentRow(0)
    slices.itemClicked.emit(slices.item(0))
    assert a_refine_step.logic.asked[-1] == ("jump", (1.0, 2.0, 3.0))
    a_refine_step.click("agreeButton")
    assert a_refine_step.logic.asked[-1] == "agree"
    assert not a_refine_step.find("redoPromptButton").enabled


def show_adapting(module, **changes):
    facts = CorrectionFacts(is_open=True, prompts=("Adds: click",), has_change=True, adapts=True)
    module.logic.facts = replace(facts, **changes)
    module.logic.on_facts(module.logic.facts)


def kept(module):
    asked = [one for one in module.logic.asked if isinstance(one, tuple)]
    return [one for one in asked if one[0] == "keep network"]


def test_an_adapted_network_is_kept_under_the_name_that_is_typed(a_refine_step):
    module = a_refine_step
    module.red.click(CENTER)
    assert not module.is_shown("keepTools"), "no network is adapted"
    show_adapting(module, prompts=())
    line, button = module.find("keepIdLine"), module.find("keepNetworkButton")
    line.text = "mine"
    assert not button.enabled, "nothing was answered yet"
    show_adapting(module, is_busy=True)
    assert not button.enabled
    show_adapting(module)
    line.text = "  "
    assert not button.enabled
    line.text = "mine"
    module.click("keepNetworkButton")
    assert kept(module) == [("keep network", "mine")]
    assert "kept as 'mine'" in module.find("sentenceLabel").text
    assert line.text == ""
    assert module.logic.facts.is_open
    module.press(QtCore.Qt.Key_Escape)
    assert not module.is_shown("keepTools")


def test_keys_in_the_name_of_a_network_are_the_lines_own(a_refine_step):
    """Enter is *Accept* elsewhere, which would forget the network that is about to be kept."""
    module = a_refine_step
    module.red.click(CENTER)
    show_adapting(module)
    line = module.find("keepIdLine")
    line.setFocus()
    QtTest.QTest.keyClicks(line, "blnz")
    assert line.text == "blnz"
    assert module.find("drawTool").checked
    QtTest.QTest.keyClick(line, QtCore.Qt.Key_Escape)
    assert (line.text, module.logic.facts.is_open) == ("", True)
    QtTest.QTest.keyClicks(line, "mine")
    QtTest.QTest.keyClick(line, QtCore.Qt.Key_Return)
    assert kept(module) == [("keep network", "mine")]
    assert module.logic.facts.is_open
    focused = QtWidgets.QApplication.focusWidget()
    QtTest.QTest.keyClick(focused, QtCore.Qt.Key_B)
    assert (line.text, module.find("boxTool").checked) == ("", True)
    QtTest.QTest.keyClick(focused, QtCore.Qt.Key_Return)
    assert not module.logic.facts.is_open


def test_a_network_that_was_kept_is_listed_at_once(a_refine_step):
    module = a_refine_step
    module.red.click(CENTER)
    show_adapting(module)
    module.logic.listed = (*module.logic.listed, replace(T1, id="mine", title="Mine"))
    module.find("keepIdLine").text = "mine"
    module.click("keepNetworkButton")
    assert module.find("networkSelector").findText("Mine") >= 0


def test_another_segment_or_engine_throws_away_what_was_not_accepted(a_refine_step):
    a_refine_step.red.click(CENTER)
    a_refine_step.choose("segmentSelector", "Caudate (locked)")
    assert a_refine_step.logic.asked[-1] == "discard correction"
    assert a_refine_step.widget.logic.state().refine_segment == "b"


def test_a_correction_that_waits_is_shown_when_the_step_opens_again(a_refine_step):
    """A result that was accepted meanwhile is the panel's choice, and not what is corrected."""
    state, corrected = a_refine_step.widget.logic.state(), a_refine_step.logic.result
    a_refine_step.choose("segmentSelector", "Caudate (locked)")
    a_refine_step.red.click(CENTER)
    a_refine_step.panel.open("Segment")
    another = a_refine_step.running.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Another")
    a_refine_step.panel._accepted(Accepted(another, "Done."))
    assert state.result is another
    a_refine_step.panel.open("Refine")
    assert a_refine_step.find("refineSelector").currentNode() is corrected
    assert a_refine_step.find("segmentSelector").currentText == "Caudate (locked)"
    assert a_refine_step.logic.correction().is_open
    assert "discard correction" not in a_refine_step.logic.asked
    a_refine_step.panel.open("Correct")
    assert a_refine_step.find("resultSelector").currentNode() is state.result


def test_enter_accepts_the_correction_while_a_result_waits_in_another_step(a_refine_step):
    a_refine_step.panel.open("Segment")
    a_refine_step.click("segmentButton")
    a_refine_step.logic.on_end(Outcome("2 structures.", has_preview=True))
    a_refine_step.panel.open("Refine")
    a_refine_step.red.click(CENTER)
    a_refine_step.press(QtCore.Qt.Key_Return)
    assert a_refine_step.find("sentenceLabel").text == "'Thalamus' was corrected."
    a_refine_step.red.click(CENTER)
    a_refine_step.press(QtCore.Qt.Key_Escape)
    assert a_refine_step.logic.asked[-1] == "discard correction"
    a_refine_step.panel.open("Segment")
    assert a_refine_step.is_shown("previewBox")
    a_refine_step.press(QtCore.Qt.Key_Escape)
    assert a_refine_step.logic.asked[-1] == "discard"


def test_without_a_segment_a_click_asks_for_one(a_refine_step):
    a_refine_step.widget.logic.state().result = None
    a_refine_step.panel.show(a_refine_step.widget.logic.state())
    a_refine_step.panel.open("Refine")
    a_refine_step.red.click(CENTER)
    assert "Choose the segment" in a_refine_step.find("sentenceLabel").text
    a_refine_step.click("newSegmentButton")
    assert a_refine_step.widget.logic.state().refine_segment == "a"
    a_refine_step.red.click(CENTER)
    assert len(prompts(a_refine_step)) == 1


# With the real logic and a real worker


@pytest.fixture
def a_real_step(a_worker, a_worker_home, a_slicer, opened, monkeypatch):
    """The step open on a real scan with an empty segment and a locked neighbor."""
    import SegmentationAI

    monkeypatch.setenv("SEGMENTATIONAI_HOME", str(a_worker_home))
    monkeypatch.setattr(SegmentationAI.SegmentationAILogic.__init__, "__defaults__", (a_worker,))
    monkeypatch.setattr(a_worker, "close", lambda: None)
    volume = sphere_volume()
    scan = node_from_volume(volume, a_slicer.scene, "Scan")
    layer = np.zeros(volume.grid.shape, np.uint8, order="F")
    layer[30:36, 24:30, 14:20] = 2
    neighbor = layer == 2
    labels = (Label(1, "Ball", segment_id="ball"), Label(2, "Next", segment_id="next"))
    node = node_from_labelmap(
        Labelmap((layer,), labels, volume.affine), a_slicer.scene, scan, "Mine"
    )
    set_locked(node.GetSegmentation().GetSegment("next"), True)
    red = a_slicer.app.layoutManager().add_view(a_slicer.scene, "Red")
    module = opened()
    state = module.widget.logic.state()
    state.volume, state.result = scan, node
    module.panel.show(state)
    module.panel.open("Refine")
    # Its answers are known without a network: those of `click` are in the evidence.
    module.choose("engineSelector", "By intensity and distance")
    module.red, module.scan, module.node, module.neighbor = red, scan, node, neighbor
    return module


def answered(module, count):
    table = module.find("promptsTable")
    module.wait_until(lambda: table.rowCount == count, 60)


def mask_of(module, segment_id):
    found = labelmap_from_node(module.node, module.scan)
    return found.mask(next(one for one in found.labels if one.segment_id == segment_id))


def test_real_clicks_correct_a_segment_and_leave_its_locked_neighbor(a_real_step):
    module = a_real_step
    module.red.click(CENTER)
    answered(module, 1)
    module.red.click(np.add(CENTER, (0.0, 9.0, 0.0)))
    answered(module, 2)
    assert not mask_of(module, "ball").any(), "a preview alone so far"
    module.press(QtCore.Qt.Key_Return)
    module.wait_until(lambda: "was corrected" in module.find("sentenceLabel").text)
    ball, sphere = mask_of(module, "ball"), sphere_mask(sphere_volume().grid)
    wanted = sphere & ~module.neighbor
    assert 2 * (ball & wanted).sum() / (ball.sum() + wanted.sum()) > 0.9
    np.testing.assert_array_equal(mask_of(module, "next"), module.neighbor)
    module.panel.open("Correct")
    module.click("undoButton")
    assert not mask_of(module, "ball").any()
    np.testing.assert_array_equal(mask_of(module, "next"), module.neighbor)


def test_real_prompts_are_undone_taken_out_and_thrown_away(a_real_step):
    module = a_real_step
    nodes = module.running.scene.GetNumberOfNodes()
    module.red.click(CENTER)
    answered(module, 1)
    module.red.drag([np.add(CENTER, (x, -6.0, 0.0)) for x in (-6.0, 0.0, 6.0)], control=True)
    answered(module, 2)
    module.press(QtCore.Qt.Key_Z)
    answered(module, 1)
    module.click("redoPromptButton")
    answered(module, 2)
    module.find("promptsTable").cellWidget(0, 1).click()
    answered(module, 1)
    assert module.find("promptsTable").item(0, 0).text().startswith("Removes: scribble")
    module.press(QtCore.Qt.Key_Escape)
    assert not mask_of(module, "ball").any()
    assert module.running.scene.GetNumberOfNodes() == nodes


def test_a_scan_that_is_removed_while_it_is_corrected_leaves_a_sentence(a_real_step):
    module = a_real_step
    module.red.click(CENTER)
    answered(module, 1)
    module.running.scene.RemoveNode(module.scan)
    assert "'Scan' was removed while it was corrected" in module.find("refineLabel").text
    assert not module.find("acceptCorrectionButton").enabled
