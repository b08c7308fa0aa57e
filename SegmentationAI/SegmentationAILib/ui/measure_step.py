"""The step *Measure*: a table that follows every edit, to copy or to write."""

import slicer

from ..scene.panel_facts import Table
from .panel_logic import MeasureLogic
from .panel_state import PanelState
from .plain_table import show_table
from .sections import load_section
from .status_line import StatusLine
from .table_buttons import ask_and_write, copy_table


class MeasureStep:
    """The third step.

    Args:
        logic: Measures.
        status: Shows errors and what was written.
        scene: Its segmentations can be chosen as another time point.
        state: Says what is measured; gets the other time point.
    """

    def __init__(
        self,
        logic: MeasureLogic,
        status: StatusLine,
        scene: slicer.vtkMRMLScene,
        state: PanelState,
    ) -> None:
        self._logic, self._status = logic, status
        self._state = state
        self._is_open = self._is_showing = False
        self._table = Table((), ())
        self.section, self._ui = load_section("Measure")
        self._ui.beforeSelector.setMRMLScene(scene)
        self._ui.beforeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._chosen)
        self._ui.copyButton.connect("clicked()", self._copy)
        self._ui.csvButton.connect("clicked()", self._ask_and_write)

    def show(self, state: PanelState) -> None:
        """Measure the result that the state names, when the step is open."""
        self._state, self._is_showing = state, True
        self._ui.beforeSelector.setCurrentNode(state.before)
        self._is_showing = False

    def open(self) -> None:
        """Start to follow the segmentation; called when the step opens."""
        self._is_open = True
        self._follow()

    def close(self) -> None:
        """Stop following; called when the step closes or the module is left."""
        self._is_open = False
        with self._status.answering():
            self._logic.follow(None, None, self._measured)

    def _chosen(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        if not self._is_showing:
            self._state.before = node
            if self._is_open:
                self._follow()

    def _follow(self) -> None:
        state = self._state
        with self._status.answering():
            self._logic.follow(state.result, state.volume, self._measured, state.before)

    def _measured(self, table: Table) -> None:
        self._table = table
        show_table(self._ui.measureTable, table)
        self._ui.copyButton.enabled = self._ui.csvButton.enabled = bool(table.rows)

    def _copy(self) -> None:
        copy_table(self._table, self._status)

    def _ask_and_write(self) -> None:
        ask_and_write(self.section, "measurements.csv", self._logic.write_csv, self._status)
