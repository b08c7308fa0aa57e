"""The step *Compare*: two segmentations of one scan, and where they differ."""

import slicer
from slicer.i18n import tr as _

from ..scene.panel_facts import Comparison, Outcome, Table
from .panel_logic import CompareLogic
from .panel_state import PanelState
from .plain_table import show_table
from .sections import load_section
from .status_line import StatusLine
from .table_buttons import ask_and_write, copy_table


class CompareStep:
    """The step for comparisons.

    Args:
        logic: Compares in the background.
        status: Shows progress, errors and what was done.
        scene: Its segmentations can be chosen.
        state: Gets the choices.
    """

    def __init__(
        self,
        logic: CompareLogic,
        status: StatusLine,
        scene: slicer.vtkMRMLScene,
        state: PanelState,
    ) -> None:
        self._logic, self._status, self._state = logic, status, state
        self._comparison = Comparison(Table((), ()), ())
        self._is_busy = self._is_showing = False
        self.section, self._ui = load_section("Compare")
        for selector in (self._ui.firstSelector, self._ui.secondSelector):
            selector.setMRMLScene(scene)
            selector.connect("currentNodeChanged(vtkMRMLNode*)", self._chosen)
        self._ui.compareButton.connect("clicked()", self._compare)
        self._ui.compareTable.connect("itemSelectionChanged()", self._show_buttons)
        self._ui.jumpButton.connect("clicked()", self._jump)
        self._ui.differencesButton.connect("clicked()", self._show_differences)
        self._ui.copyComparisonButton.connect("clicked()", self._copy)
        self._ui.csvComparisonButton.connect("clicked()", self._write)

    def show(self, state: PanelState) -> None:
        """Show the segmentations that the state names."""
        self._state, self._is_showing = state, True
        self._ui.firstSelector.setCurrentNode(state.compared_first)
        self._ui.secondSelector.setCurrentNode(state.compared_second or state.result)
        self._is_showing = False
        self._show_buttons()

    def open(self) -> None:
        """Offer what is there; called when the step opens."""
        if self._ui.secondSelector.currentNode() is None:
            self._ui.secondSelector.setCurrentNode(self._state.result)
        self._show_buttons()

    def close(self) -> None:
        """Nothing is held: a comparison goes on while other steps are open."""

    def _chosen(self) -> None:
        if not self._is_showing:
            self._state.compared_first = self._ui.firstSelector.currentNode()
            self._state.compared_second = self._ui.secondSelector.currentNode()
            self._show_buttons()

    def _compare(self) -> None:
        first, second = self._ui.firstSelector.currentNode(), self._ui.secondSelector.currentNode()
        with self._status.answering():
            self._is_busy = True
            self._show_buttons()
            try:
                self._logic.compare(first, second, self._state.volume, self._progress, self._ended)
            except BaseException:
                self._is_busy = False
                self._show_buttons()
                raise

    def _progress(self, fraction: float, sentence: str, seconds_left: float | None) -> None:
        self._status.say(_("Comparing: {sentence}").format(sentence=sentence))

    def _ended(self, comparison: Comparison, outcome: Outcome) -> None:
        self._is_busy = False
        self._comparison = comparison
        show_table(self._ui.compareTable, comparison.table)
        self._status.say(outcome.sentence, outcome.details)
        self._show_buttons()

    def _show_buttons(self) -> None:
        nodes = (self._ui.firstSelector.currentNode(), self._ui.secondSelector.currentNode())
        is_complete = None not in (*nodes, self._state.volume)
        self._ui.compareButton.enabled = is_complete and not self._is_busy
        has_rows = bool(self._comparison.table.rows)
        self._ui.jumpButton.enabled = self._place() is not None
        self._ui.differencesButton.enabled = has_rows
        self._ui.copyComparisonButton.enabled = has_rows
        self._ui.csvComparisonButton.enabled = has_rows

    def _place(self) -> tuple[float, float, float] | None:
        row = self._ui.compareTable.currentRow()
        places = self._comparison.places
        return places[row] if 0 <= row < len(places) else None

    def _jump(self) -> None:
        place = self._place()
        assert place is not None, "the button is enabled with a place alone"
        with self._status.answering():
            self._logic.jump_to(place)

    def _show_differences(self) -> None:
        with self._status.answering():
            self._status.say(self._logic.show_differences())

    def _copy(self) -> None:
        copy_table(self._comparison.table, self._status)

    def _write(self) -> None:
        ask_and_write(self.section, "comparison.csv", self._logic.write_comparison, self._status)
