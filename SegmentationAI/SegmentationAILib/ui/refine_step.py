"""The step *Refine*: clicks, scribbles and boxes in the slice views correct one segment."""

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..scene.panel_facts import Accepted
from ..scene.refine_facts import CorrectionAsked
from .engine_choice import EngineChoice
from .panel_state import PanelState, choose_result
from .refine_box import RefineBox
from .refine_logic import RefineLogic
from .sections import load_section
from .slice_views import SliceViews
from .status_line import StatusLine

_KEYS = ("Return", "Escape", "B", "L", "N", "Z", "Shift+Z")
SaveState = Callable[[slicer.vtkMRMLSegmentationNode], None]


class RefineStep:
    """The step for corrections by prompts.

    Args:
        logic: Corrects.
        status: Shows errors and what was written.
        scene: Its segmentations can be chosen.
        state: Says the scan; gets the choices.
        on_accepted: Told that a segment was corrected.
        save_state: Lets the panel's Segment Editor take the next change of a segmentation back.
        on_kept: Told that an adapted network was installed.
    """

    def __init__(
        self,
        logic: RefineLogic,
        status: StatusLine,
        scene: slicer.vtkMRMLScene,
        state: PanelState,
        on_accepted: Callable[[], None],
        save_state: SaveState,
        on_kept: Callable[[], None],
    ) -> None:
        self._logic, self._status, self._state = logic, status, state
        self._segment_ids: list[str] = []
        self._corrected: CorrectionAsked | None = None
        self._is_showing = False
        self.section, self._ui = load_section("Refine")
        self._ui.refineSelector.setMRMLScene(scene)
        self._box = RefineBox(
            self._ui, logic, status, self._asked, lambda done: self._accepted(done, on_accepted),
            self._show_cursor,
        )  # fmt: skip
        self._box.save_state = lambda: save_state(self._state.result)
        self._box.on_kept = on_kept
        self._views = SliceViews(self._box.hand)
        self._ui.refineSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._node_chosen)
        self._ui.segmentSelector.connect("currentIndexChanged(int)", self._segment_chosen)
        self._engine = EngineChoice(self._ui.engineSelector, logic, self._give_up)
        self._ui.newSegmentButton.connect("clicked()", self._add_segment)
        self._keys = [self._shortcut(key) for key in _KEYS]

    def show(self, state: PanelState) -> None:
        """Show the segmentation that the state names."""
        self._state = state
        self._refresh()

    def open(self) -> None:
        """Begin to take clicks in the slice views; called when the step opens."""
        if self._corrected is not None and self._box.facts.is_open:
            # What waits is shown, whatever was chosen in another step meanwhile.
            choose_result(self._state, self._corrected.node, self._corrected.volume)
            self._state.refine_segment = self._corrected.segment_id
        self._refresh()
        self._views.start()
        for key in self._keys:
            key.enabled = True

    def close(self) -> None:
        """Let go of the views and keys; a correction waits as it is."""
        self._box.hand.drop()
        self._views.stop()
        for key in self._keys:
            key.enabled = False

    def _refresh(self) -> None:
        state, ui = self._state, self._ui
        with self._status.answering():
            self._is_showing = True
            try:
                ui.refineSelector.setCurrentNode(state.result)
                segments = () if state.result is None else self._logic.segments(state.result)
                self._segment_ids = [one.id for one in segments]
                ui.segmentSelector.clear()
                locked = _("{name} (locked)")
                names = [locked.format(name=s.name) if s.is_locked else s.name for s in segments]
                ui.segmentSelector.addItems(names)
                if state.refine_segment in self._segment_ids:
                    ui.segmentSelector.currentIndex = self._segment_ids.index(state.refine_segment)
                self._engine.show(state)
            finally:
                self._is_showing = False
        ui.newSegmentButton.enabled = state.volume is not None

    def _asked(self) -> CorrectionAsked | None:
        state, index = self._state, self._ui.segmentSelector.currentIndex
        engine = self._engine.current
        if None in (state.volume, state.result, engine) or not 0 <= index < len(self._segment_ids):
            return None
        assert engine is not None
        mode, run_mode = self._box.rules
        self._corrected = CorrectionAsked(
            state.volume, state.result, self._segment_ids[index], engine.key, engine.network, mode,
            run_mode,
        )  # fmt: skip
        return self._corrected

    def _node_chosen(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        if not self._is_showing:
            self._give_up()
            scan = None if node is None else self._logic.scan_of(node)
            choose_result(self._state, node, scan)
            self._refresh()

    def _segment_chosen(self, index: int) -> None:
        if not self._is_showing and 0 <= index < len(self._segment_ids):
            self._give_up()
            self._state.refine_segment = self._segment_ids[index]

    def _give_up(self) -> None:
        """Another segment or engine begins anew; what was not accepted is thrown away, and said."""
        self._box.discard()

    def _add_segment(self) -> None:
        with self._status.answering():
            self._give_up()
            node, segment_id = self._logic.add_segment(self._state.result, self._state.volume)
            self._state.result, self._state.refine_segment = node, segment_id
        self._refresh()

    def _accepted(self, accepted: Accepted, on_accepted: Callable[[], None]) -> None:
        if accepted.node is not None:
            on_accepted()

    def _show_cursor(self, adds: bool) -> None:
        self._views.show_cursor(adds)

    def _shortcut(self, key: str) -> Any:
        names = {"B": "b", "L": "l", "N": "n", "Z": "z", "Shift+Z": "Z"}
        made = qt.QShortcut(qt.QKeySequence(key), self.section)
        made.connect("activated()", lambda: self._box.press_key(names.get(key, key)))
        made.enabled = False
        return made
