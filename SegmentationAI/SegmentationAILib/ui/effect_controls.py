"""What the Segment Editor effect *Refine* does: the controls of the panel's step, in its frame."""

from typing import Any

import slicer
from slicer.i18n import tr as _

from ..scene.panel_facts import Accepted
from ..scene.refine_facts import CorrectionAsked
from .engine_choice import EngineChoice
from .prompt_cursor import prompt_cursor
from .refine_box import RefineBox
from .refine_logic import RefineLogic
from .sections import load_section
from .status_line import StatusLine


class EffectControls:
    """The effect in one editor.

    Args:
        effect: ``qSlicerSegmentEditorScriptedEffect``.
        layout: Of the effect's frame; gets the controls.
    """

    def __init__(self, effect: Any, layout: Any) -> None:
        # One worker and one correction for the panel and all editors.
        module = slicer.util.getModuleWidget("SegmentationAI")
        self._effect, self._module = effect, module
        self._logic: RefineLogic = module.logic.for_panel()
        self._status = StatusLine()
        self._section, self._ui = load_section("Refine")
        self._box = RefineBox(
            self._ui, self._logic, self._status, self._asked, self._accepted, self._show_cursor
        )
        self._box.save_state = effect.saveStateForUndo
        self._engine = EngineChoice(self._ui.engineSelector, self._logic, self._box.discard)
        self._views: dict[int, Any] = {}
        self._corrected: tuple[Any, ...] = ()
        layout.addWidget(self._ui.engineSelector)
        layout.addWidget(self._ui.refineTools)
        layout.addWidget(self._status.widget)

    def activate(self) -> None:
        """Show what can answer prompts now."""
        with self._status.answering():
            self._engine.show(self._module.logic.state())
        if not self._box.facts.is_open:
            self._status.say(_("Click into the segment; Ctrl + click removes."))

    def deactivate(self) -> None:
        """Forget what is being drawn; a correction waits as it is."""
        self._box.hand.drop()
        self._views.clear()

    def close(self) -> None:
        """Throw a correction of this editor away."""
        if self._box.facts.is_open:
            self._logic.discard_correction()

    def handle(self, interactor: Any, event: int, view_widget: Any) -> bool:
        """Do what an event of a slice view means; return whether it is this effect's alone."""
        self._views[id(view_widget)] = view_widget
        return self._box.hand.handle(interactor, event, view_widget.mrmlSliceNode())

    def chosen(self) -> None:
        """Give a correction up when another segment, segmentation or scan was chosen."""
        if self._box.facts.is_open and self._choice() != self._corrected:
            self._box.discard()

    def _asked(self) -> CorrectionAsked | None:
        node, volume, segment_id = choice = self._choice()
        engine = self._engine.current
        if node is None or volume is None or not segment_id or engine is None:
            return None
        self._corrected = choice
        mode, run_mode = self._box.rules
        return CorrectionAsked(
            volume, node, segment_id, engine.key, engine.network, mode, run_mode,
            self._effect.parameterSetNode(),
        )  # fmt: skip

    def _choice(self) -> tuple[Any, Any, str]:
        parameters = self._effect.parameterSetNode()
        if parameters is None:
            return None, None, ""
        return (
            parameters.GetSegmentationNode(),
            parameters.GetSourceVolumeNode(),
            parameters.GetSelectedSegmentID() or "",
        )

    def _accepted(self, accepted: Accepted) -> None:
        """The editor observes the segmentation and shows the change by itself."""

    def _show_cursor(self, adds: bool) -> None:
        for widget in self._views.values():
            widget.sliceView().setViewCursor(prompt_cursor(adds))
