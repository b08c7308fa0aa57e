"""The step *Measure*: a table that follows every edit, to copy or to write."""

from pathlib import Path

import qt
from slicer.i18n import tr as _

from ..scene.panel_facts import Table
from .panel_logic import MeasureLogic
from .panel_state import PanelState
from .plain_table import show_table
from .sections import load_section
from .status_line import StatusLine


class MeasureStep:
    """The third step.

    Args:
        logic: Measures.
        status: Shows errors and what was written.
        state: Says what is measured.
    """

    def __init__(self, logic: MeasureLogic, status: StatusLine, state: PanelState) -> None:
        self._logic, self._status = logic, status
        self._state = state
        self._table = Table((), ())
        self.section, self._ui = load_section("Measure")
        self._ui.copyButton.connect("clicked()", self._copy)
        self._ui.csvButton.connect("clicked()", self._ask_and_write)

    def show(self, state: PanelState) -> None:
        """Measure the result that the state names, when the step is open."""
        self._state = state

    def open(self) -> None:
        """Start to follow the segmentation; called when the step opens."""
        with self._status.answering():
            self._logic.follow(self._state.result, self._state.volume, self._measured)

    def close(self) -> None:
        """Stop following; called when the step closes or the module is left."""
        with self._status.answering():
            self._logic.follow(None, None, self._measured)

    def write_csv(self, path: Path) -> None:
        """Write the table and say so."""
        with self._status.answering():
            self._status.say(self._logic.write_csv(path))

    def _measured(self, table: Table) -> None:
        self._table = table
        show_table(self._ui.measureTable, table)
        self._ui.copyButton.enabled = self._ui.csvButton.enabled = bool(table.rows)

    def _copy(self) -> None:
        lines = ["\t".join(cells) for cells in (self._table.headings, *self._table.rows)]
        qt.QApplication.clipboard().setText("\n".join(lines))
        self._status.say(_("The table is on the clipboard."))

    def _ask_and_write(self) -> None:
        chosen = qt.QFileDialog.getSaveFileName(
            self.section, _("Write the table"), "measurements.csv", "CSV (*.csv)"
        )
        # PySide returns the name and the filter, PythonQt the name alone.
        name = chosen[0] if isinstance(chosen, tuple) else chosen
        if name:
            self.write_csv(Path(name))
