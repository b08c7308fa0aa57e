"""The part of *Settings* that says where packages come from, and looks at this computer."""

from dataclasses import replace

from ..scene.computer_settings import ComputerSettings
from ..scene.panel_facts import Outcome, Table
from .panel_logic import ComputerLogic
from .plain_table import show_table
from .sections import load_section
from .status_line import StatusLine


class SourcesBox:
    """Indexes, proxy and certificates.

    Args:
        logic: Keeps them, and looks at this computer.
        status: Shows errors and what was done.
    """

    def __init__(self, logic: ComputerLogic, status: StatusLine) -> None:
        self._logic, self._status = logic, status
        self.widget, self._ui = load_section("Sources")
        self._ui.findingsTable.visible = False
        self._ui.sourcesButton.connect("clicked()", self._keep)
        self._ui.lookButton.connect("clicked()", self._look)

    def show(self, settings: ComputerSettings) -> None:
        """Show what is kept."""
        self._ui.indexLine.text = settings.index
        self._ui.torchIndexLine.text = settings.torch_index
        self._ui.proxyLine.text = settings.proxy
        self._ui.caLine.currentPath = settings.ca_file

    def _keep(self) -> None:
        with self._status.answering():
            settings = replace(
                self._logic.settings(),
                index=self._ui.indexLine.text.strip(),
                torch_index=self._ui.torchIndexLine.text.strip(),
                proxy=self._ui.proxyLine.text.strip(),
                ca_file=self._ui.caLine.currentPath.strip(),
            )
            self._status.say(self._logic.change_settings(settings))

    def _look(self) -> None:
        with self._status.answering():
            self._ui.lookButton.enabled = False
            try:
                self._logic.look(self._found)
            except BaseException:
                self._ui.lookButton.enabled = True
                raise

    def _found(self, table: Table, outcome: Outcome) -> None:
        self._ui.lookButton.enabled = True
        self._ui.findingsTable.visible = bool(table.rows)
        show_table(self._ui.findingsTable, table, wide_column=2)
        self._status.say(outcome.sentence, outcome.details)
