"""The effect *Refine* in a stand-in of the Segment Editor that is as strict as Slicer's."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import vtk
from panel_stand_in import StandInLogic
from slicer_adapter.segment_editor_effects import segment_editor_effects

from SegmentationAILib.core.prompts import PointPrompt, ScribblePrompt
from SegmentationAILib.scene.refine_facts import CorrectionAsked
from SegmentationAILib.scene.volume_node import node_from_volume

from phantoms import SPHERE_CENTER_RAS, sphere_volume

CENTER = tuple(float(n) for n in SPHERE_CENTER_RAS)
PRESS, RELEASE = vtk.vtkCommand.LeftButtonPressEvent, vtk.vtkCommand.LeftButtonReleaseEvent
MOVE, KEY = vtk.vtkCommand.MouseMoveEvent, vtk.vtkCommand.KeyPressEvent
ROOT = Path(__file__).resolve().parents[2]


class Editor:
    """An editor on one segmentation with the effect active, and a slice view."""

    def __init__(self, module, effect, scan):
        scene = module.running.scene
        self.logic, self.effect = module.logic, effect.clone()
        self.node = scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        self.node.SetAndObserveSegmentationNode(module.logic.result)
        self.node.SetAndObserveSourceVolumeNode(scan)
        self.node.SetSelectedSegmentID("b")
        self.effect.setParameterSetNode(self.node)
        self.view = module.running.app.layoutManager().add_view(scene, "Red")

    def send(self, event, pixel=(0, 0), control=False):
        interactor = self.view.sliceView().interactor()
        interactor.SetEventInformation(*pixel, int(control), 0)
        return self.effect.process(interactor, event, self.view)

    def click(self, place, control=False):
        pixel = self.view.pixel_of(place)
        return self.send(PRESS, pixel, control), self.send(RELEASE, pixel, control)

    def key(self, name):
        self.view.sliceView().interactor().SetKeySym(name)
        return self.send(KEY)

    @property
    def prompts(self):
        return [one[0] for one in self.logic.asked if isinstance(one, tuple) and one[1] is True]


@pytest.fixture
def an_editor(opened, a_slicer):
    logic = StandInLogic()
    module = opened(logic)
    module.logic = logic
    scan = node_from_volume(sphere_volume(), a_slicer.scene, "Scan")
    logic.result = a_slicer.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Result")
    with segment_editor_effects(module.widget) as factory:
        from SegmentationAILib.ui.effect_registration import register_effect

        register_effect()
        (effect,) = factory.registered
        editor = Editor(module, effect, scan)
        editor.module = module
        editor.scan = scan
        yield editor


def test_slicer_registers_the_effect_when_it_has_started(an_editor):
    assert an_editor.effect.name == "SegmentationAI Refine"
    assert (an_editor.effect.perSegment, an_editor.effect.requireSegments) == (True, True)
    assert not an_editor.effect.icon().isNull()
    assert "Ctrl + left click" in an_editor.effect.help_text()
    assert an_editor.effect.create_cursor(an_editor.view).pixmap().width() == 25
    assert len(an_editor.effect.options) == 1


def test_an_effect_that_was_never_chosen_takes_no_event(an_editor):
    assert an_editor.click(CENTER) == (False, False)
    assert an_editor.logic.asked == []


def test_clicks_correct_the_segment_that_is_chosen_in_the_editor(an_editor):
    an_editor.effect.self().activate()
    assert an_editor.click(CENTER) == (True, True)
    asked = next(one for one in an_editor.logic.asked if isinstance(one, CorrectionAsked))
    assert (asked.segment_id, asked.node, asked.volume) == (
        "b", an_editor.logic.result, an_editor.scan
    )  # fmt: skip
    assert asked.settings is an_editor.node
    an_editor.click(CENTER, control=True)
    adds, removes = an_editor.prompts
    assert isinstance(adds, PointPrompt)
    assert (adds.positive, removes.positive) == (True, False)
    np.testing.assert_allclose(adds.position_ras, CENTER, atol=0.26)


def test_drags_scribble_and_keys_act_and_others_are_left_alone(an_editor):
    an_editor.effect.self().activate()
    pixels = [an_editor.view.pixel_of(np.add(CENTER, (x, 0, 0))) for x in (-6, 0, 6)]
    assert an_editor.send(PRESS, pixels[0])
    assert all(an_editor.send(MOVE, pixel) for pixel in pixels[1:])
    assert an_editor.send(RELEASE, pixels[-1])
    assert isinstance(an_editor.prompts[0], ScribblePrompt)
    assert an_editor.key("n")
    assert an_editor.logic.asked[-1] == "doubt"
    assert not an_editor.key("x")
    assert not an_editor.send(MOVE, (5, 5))
    assert an_editor.key("Return")
    assert an_editor.effect.saved_states == 1, "the editor's own undo takes it back too"


def test_another_segment_gives_the_correction_up_and_a_pause_does_not(an_editor):
    effect = an_editor.effect.self()
    effect.activate()
    an_editor.click(CENTER)
    effect.deactivate()
    effect.updateGUIFromMRML()
    assert an_editor.logic.correction().is_open
    an_editor.node.SetSelectedSegmentID("a")
    effect.updateGUIFromMRML()
    assert an_editor.logic.asked[-1] == "discard correction"
    effect.cleanup()
    assert an_editor.click(CENTER) == (False, False)


def test_a_correction_that_waits_in_the_panel_takes_no_prompt_of_the_effect(an_editor):
    """There is one correction; a click in the editor is for the segment that is chosen there."""
    panel, state = an_editor.module.panel, an_editor.module.widget.logic.state()
    state.result = an_editor.logic.result
    panel.show(state)
    panel.open("Refine")
    an_editor.view.click(CENTER)
    panel.open("Segment")
    an_editor.effect.self().activate()
    an_editor.click(CENTER)
    asked = [one for one in an_editor.logic.asked if isinstance(one, CorrectionAsked)]
    assert ([one.segment_id for one in asked], len(an_editor.prompts)) == (["a"], 1)
    assert an_editor.logic.correction().is_open
    said = an_editor.effect.self()._controls._status._ui.sentenceLabel.text
    assert "corrected in another place" in said


def test_choices_in_the_panel_leave_a_correction_of_the_effect_alone(an_editor):
    panel, state = an_editor.module.panel, an_editor.module.widget.logic.state()
    state.result = an_editor.logic.result
    an_editor.effect.self().activate()
    an_editor.click(CENTER)
    panel.show(state)
    panel.open("Refine")
    asked = len(an_editor.logic.asked)
    an_editor.module.choose("segmentSelector", "Caudate (locked)")
    an_editor.module.choose("modeSelector", "Removes only")
    assert an_editor.logic.asked[asked:] == []
    assert an_editor.logic.correction().is_open


def test_views_in_3d_are_left_alone(an_editor):
    an_editor.effect.self().activate()

    class ThreeDWidget:
        def className(self):  # noqa: N802
            return "qMRMLThreeDWidget"

    interactor = an_editor.view.sliceView().interactor()
    assert an_editor.effect.process(interactor, PRESS, ThreeDWidget()) is False


START = """
import sys
sys.path[:0] = ["SegmentationAI", "Testing"]
from slicer_adapter.application import running_slicer
with running_slicer():
    from slicer_adapter.segment_editor_effects import segment_editor_effects
    with segment_editor_effects(None) as factory:
        from types import SimpleNamespace
        import SegmentationAI
        SegmentationAI.SegmentationAI(SimpleNamespace(path=""))
        before = set(sys.modules)
        SegmentationAI.register_effect()
        assert len(factory.registered) == 1
        print(*sorted(set(sys.modules) - before))
"""


def test_registering_imports_nothing_but_the_effects_own_thin_files():
    found = subprocess.run(
        [sys.executable, "-c", START], cwd=ROOT, capture_output=True, text=True, check=True
    )
    own = {name for name in found.stdout.split() if name.startswith("SegmentationAI")}
    assert own == {
        "SegmentationAILib.ui",
        "SegmentationAILib.ui.effect_registration",
        "SegmentationAILib.ui.segment_editor_effect",
        "SegmentationAIRefine",
    }
    assert not {"torch", "SegmentationAILib.scene"} & set(found.stdout.split())
