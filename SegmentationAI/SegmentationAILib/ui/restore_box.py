"""Offers what an earlier session left unsaved; hidden when there is nothing."""

import slicer
from slicer.i18n import tr as _

from .panel_logic import RestoreLogic
from .sections import load_section
from .status_line import StatusLine


class RestoreBox:
    """A question above the steps.

    Args:
        logic: Knows what was left.
        status: Shows errors and what was done.
    """

    def __init__(self, logic: RestoreLogic, status: StatusLine) -> None:
        self._logic, self._status = logic, status
        self.widget, self._ui = load_section("Restore")
        self._ui.restoreButton.connect("clicked()", self._restore)
        self._ui.throwAwayButton.connect("clicked()", self._throw_away)

    def refresh(self) -> None:
        """Look whether something was left."""
        with self._status.answering():
            sentence = self._logic.unsaved_work()
            self._ui.restoreLabel.text = sentence
            self.widget.visible = bool(sentence)

    def _restore(self) -> None:
        with self._status.answering():
            self._status.say(self._logic.restore_work())
        self.refresh()

    def _throw_away(self) -> None:
        if slicer.util.confirmOkCancelDisplay(_("Delete these corrections for good?")):
            with self._status.answering():
                self._logic.throw_work_away()
            self.refresh()
