"""Runs a network from the *Segment* step: button, progress, Cancel, preview, Accept, Discard."""

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from ..scene.panel_facts import Accepted, Outcome, Request
from .consent import has_consent
from .panel_logic import RunLogic
from .status_line import StatusLine
from .words import time_in_words

OnResult = Callable[[Accepted], None]


class RunBox:
    """The lower half of *Segment*.

    Args:
        ui: Widgets of the section.
        section: Its root; Enter and Esc work in its window while a preview is shown in it.
        logic: Does the work.
        status: Shows errors.
        on_result: Told which segmentation has the accepted result, and what was done.
    """

    def __init__(
        self, ui: Any, section: Any, logic: RunLogic, status: StatusLine, on_result: OnResult
    ) -> None:
        self._ui, self._logic, self._status, self._on_result = ui, logic, status, on_result
        self._is_ready = False
        self._is_running = False
        self._has_preview = False
        self._is_open = False
        ui.cancelButton.connect("clicked()", self._cancel)
        ui.acceptButton.connect("clicked()", self._accept)
        ui.discardButton.connect("clicked()", self._discard)
        self._keys = [
            self._shortcut("Return", section, self._accept),
            self._shortcut("Enter", section, self._accept),
            self._shortcut("Esc", section, self._discard),
        ]
        self.refresh()

    def set_ready(self, is_ready: bool) -> None:
        """Say whether everything that a run needs has been chosen."""
        self._is_ready = is_ready
        self.refresh()

    def set_open(self, is_open: bool) -> None:
        """Say whether a person sees the step: the keys mean something else in other steps."""
        self._is_open = is_open
        self.refresh()

    def start(self, request: Request) -> None:
        """Start a run and follow it; what it lacks is set up first, if the person agrees."""
        with self._status.answering():
            if not has_consent(self._logic):
                self._status.say(_("Nothing was set up, and nothing was run."))
                return
        self._ui.doneLabel.text = ""
        self._status.say("")
        with self._status.answering():
            self._progress(0.0, _("Starting"), None)
            self._is_running = True
            self.refresh()
            try:
                self._logic.start(request, self._progress, self._end)
            except BaseException:
                self._is_running = False
                self.refresh()
                raise

    def _progress(self, fraction: float, sentence: str, seconds_left: float | None) -> None:
        self._ui.progressBar.value = round(100 * fraction)
        if seconds_left is not None:
            left = _("{sentence}, about {time} left")
            sentence = left.format(sentence=sentence, time=time_in_words(seconds_left))
        self._ui.progressLabel.text = sentence

    def _end(self, outcome: Outcome) -> None:
        self._is_running = False
        self._has_preview = outcome.has_preview
        if outcome.has_preview:
            self._ui.previewLabel.text = outcome.sentence
        else:
            self._status.say(outcome.sentence, outcome.details)
        self.refresh()

    def _cancel(self) -> None:
        self._ui.progressLabel.text = _("Ending the work")
        with self._status.answering():
            self._logic.cancel()

    def _accept(self) -> None:
        with self._status.answering():
            self._logic.accept(self._accepted)
            self._has_preview = False
            self.refresh()

    def _accepted(self, accepted: Accepted) -> None:
        if accepted.node is None:
            self._status.say(accepted.sentence)
            return
        self._ui.doneLabel.text = accepted.sentence
        self.refresh()
        self._on_result(accepted)

    def _discard(self) -> None:
        with self._status.answering():
            self._logic.discard()
            self._has_preview = False
            self._ui.doneLabel.text = _("The result was thrown away.")
            self.refresh()

    def refresh(self) -> None:
        """Bring the widgets in line with where the work stands."""
        # A preview goes with its scene, and before the next run.
        self._has_preview = self._has_preview and self._logic.has_preview()
        self._ui.segmentButton.enabled = self._is_ready and not self._is_running
        self._ui.runningBox.visible = self._is_running
        self._ui.previewBox.visible = self._has_preview and not self._is_running
        self._ui.doneLabel.visible = bool(self._ui.doneLabel.text)
        for key in self._keys:
            key.enabled = self._has_preview and not self._is_running and self._is_open

    @staticmethod
    def _shortcut(key: str, section: Any, slot: Callable[[], None]) -> Any:
        made = qt.QShortcut(qt.QKeySequence(key), section)
        made.connect("activated()", slot)
        return made
