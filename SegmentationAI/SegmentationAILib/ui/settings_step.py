"""The step *Settings*: on what networks run, where things lie, how large they are, delete."""

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from ..scene.panel_facts import KeptPart, Outcome, Table
from .offline_box import OfflineBox
from .panel_logic import ComputerLogic, OnEnd, OnProgress
from .panel_state import PanelState
from .plain_table import show_table
from .sections import load_section
from .server_box import ServerBox
from .sources_box import SourcesBox
from .status_line import StatusLine
from .words import size_in_words


class SettingsStep:
    """The last step.

    Args:
        logic: Knows the data folder and the settings of this computer.
        status: Shows errors and what was done.
        on_change: Told that something was deleted, or that networks run elsewhere now.
    """

    def __init__(
        self, logic: ComputerLogic, status: StatusLine, on_change: Callable[[], None]
    ) -> None:
        self._logic, self._status, self._on_change = logic, status, on_change
        self._parts: tuple[KeptPart, ...] = ()
        self._is_busy = False
        self.section, self._ui = load_section("Settings")
        self._ui.sizesTable.connect("itemSelectionChanged()", self._show_buttons)
        self._ui.setUpButton.connect("clicked()", self._set_up)
        self._ui.stopButton.connect("clicked()", self._stop)
        self._ui.deleteButton.connect("clicked()", self._delete)
        self.server = ServerBox(logic, status, on_change)
        self._sources = SourcesBox(logic, status)
        self._offline = OfflineBox(logic, status, self._begin)
        for box in (self.server, self._sources, self._offline):
            self.section.layout().addWidget(box.widget)

    def show(self, state: PanelState) -> None:
        """Nothing of this step is kept in the scene."""

    def open(self) -> None:
        """Look at the data folder and the settings; called when the step opens."""
        with self._status.answering():
            self._ui.badgeLabel.text = self._logic.badge()
            self._ui.dataFolderLabel.text = str(self._logic.data_folder())
            self._parts = self._logic.kept()
            settings = self._logic.settings()
            for box in (self.server, self._sources, self._offline):
                box.show(settings)
        rows = tuple((part.title, size_in_words(part.size_bytes)) for part in self._parts)
        show_table(self._ui.sizesTable, Table((_("What"), _("Size")), rows))
        self._show_buttons()

    def close(self) -> None:
        """Nothing is held: a set-up goes on while other steps are open."""

    def _set_up(self) -> None:
        if slicer.util.confirmOkCancelDisplay(self._logic.set_up_question()):
            self._begin(self._logic.set_up)

    def _begin(self, start: Callable[[OnProgress, OnEnd], None]) -> None:
        """Start something slow; the buttons wait for its end."""
        with self._status.answering():
            self._is_busy = True
            self._show_buttons()
            try:
                start(self._progress, self._ended)
            except BaseException:
                self._is_busy = False
                self._show_buttons()
                raise

    def _progress(self, fraction: float, sentence: str, seconds_left: float | None) -> None:
        self._status.say(f"{sentence} ({fraction:.0%})")

    def _ended(self, outcome: Outcome) -> None:
        self._is_busy = False
        self.open()
        self._status.say(outcome.sentence, outcome.details)
        self._on_change()

    def _stop(self) -> None:
        with self._status.answering():
            self._logic.cancel_set_up()

    def _chosen(self) -> KeptPart | None:
        row = self._ui.sizesTable.currentRow()
        return self._parts[row] if 0 <= row < len(self._parts) else None

    def _show_buttons(self) -> None:
        chosen = self._chosen()
        can_be_deleted = chosen is not None and chosen.can_be_deleted
        self._ui.deleteButton.enabled = can_be_deleted and not self._is_busy
        self._ui.setUpButton.visible = not self._is_busy and not self._logic.is_set_up()
        self._ui.stopButton.visible = self._is_busy

    def _delete(self) -> None:
        part = self._chosen()
        assert part is not None, "the button is enabled with a part alone"
        size = size_in_words(part.size_bytes)
        question = _("Delete {title} ({size})?").format(title=part.title, size=size)
        if not slicer.util.confirmOkCancelDisplay(question):
            return
        with self._status.answering():
            self._status.say(self._logic.delete(part.key))
        self.open()
        self._on_change()
