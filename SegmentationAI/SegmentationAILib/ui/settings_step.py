"""The step *Settings*: on what networks run, where things lie, how large they are, delete."""

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from ..scene.panel_facts import KeptPart, Outcome, Table
from .panel_logic import StoreLogic
from .panel_state import PanelState
from .plain_table import show_table
from .sections import load_section
from .status_line import StatusLine
from .words import size_in_words


class SettingsStep:
    """The last step.

    Args:
        logic: Knows the data folder.
        status: Shows errors and what was done.
        on_change: Told that something was deleted.
    """

    def __init__(
        self, logic: StoreLogic, status: StatusLine, on_change: Callable[[], None]
    ) -> None:
        self._logic, self._status, self._on_change = logic, status, on_change
        self._parts: tuple[KeptPart, ...] = ()
        self._is_setting_up = False
        self.section, self._ui = load_section("Settings")
        self._ui.sizesTable.connect("itemSelectionChanged()", self._show_delete)
        self._ui.setUpButton.connect("clicked()", self._set_up)
        self._ui.deleteButton.connect("clicked()", self._delete)

    def show(self, state: PanelState) -> None:
        """Nothing of this step is kept in the scene."""

    def open(self) -> None:
        """Look at the data folder; called when the step opens."""
        with self._status.answering():
            self._ui.badgeLabel.text = self._logic.badge()
            self._ui.setUpButton.visible = not self._logic.is_set_up()
            self._ui.setUpButton.enabled = not self._is_setting_up
            self._ui.dataFolderLabel.text = str(self._logic.data_folder())
            self._parts = self._logic.kept()
        rows = tuple((part.title, size_in_words(part.size_bytes)) for part in self._parts)
        show_table(self._ui.sizesTable, Table((_("What"), _("Size")), rows))
        self._show_delete()

    def close(self) -> None:
        """Nothing is held."""

    def _set_up(self) -> None:
        question = _(
            "The networks get an environment of their own in {folder}: about 3 GB, or 7 GB with a "
            "GPU, are downloaded and installed. Slicer's own Python stays untouched, and the "
            "environment can be deleted here. Go on?"
        )
        folder = self._logic.data_folder()
        if not slicer.util.confirmOkCancelDisplay(question.format(folder=folder)):
            return
        with self._status.answering():
            self._is_setting_up = True
            self._ui.setUpButton.enabled = False
            self._logic.set_up(self._progress, self._was_set_up)

    def _progress(self, fraction: float, sentence: str, seconds_left: float | None) -> None:
        self._status.say(f"{sentence} ({fraction:.0%})")

    def _was_set_up(self, outcome: Outcome) -> None:
        self._is_setting_up = False
        self.open()
        self._status.say(outcome.sentence, outcome.details)
        self._on_change()

    def _chosen(self) -> KeptPart | None:
        row = self._ui.sizesTable.currentRow()
        return self._parts[row] if 0 <= row < len(self._parts) else None

    def _show_delete(self) -> None:
        chosen = self._chosen()
        self._ui.deleteButton.enabled = chosen is not None and chosen.can_be_deleted

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
