"""Blind review over the whole screen: two pictures, three keys, no names, no scores."""

from collections.abc import Callable
from functools import partial
from typing import Any

import qt
from slicer.i18n import tr as _

from ..scene.panel_facts import Outcome
from ..scene.review_pair import ReviewPair
from .relabel_logic import ReviewLogic
from .sections import load_section
from .status_line import StatusLine

_SLICES_PER_PAGE = 1


class ReviewWindow:
    """The window of one reader.

    Args:
        logic: Fetches pairs, keeps answers.
        status: Shows errors in the panel.
        on_done: Called when all pairs are answered or the reader pauses.
    """

    def __init__(self, logic: ReviewLogic, status: StatusLine, on_done: Callable[[], None]) -> None:
        self._logic, self._status, self._on_done = logic, status, on_done
        self.widget, self._ui = load_section("Review")
        self._review, self._reader = 0, ""
        self._pair: ReviewPair | None = None
        for button, answer in (
            (self._ui.leftBetterButton, "left"),
            (self._ui.tieButton, "tie"),
            (self._ui.rightBetterButton, "right"),
        ):
            button.connect("clicked()", partial(self._answer, answer))
        self._ui.pauseButton.connect("clicked()", self.close)
        self._ui.placeSlider.connect("valueChanged(int)", self._draw)
        keys: tuple[tuple[str, Callable[[], None]], ...] = (
            ("Left", partial(self._answer, "left")),
            ("Down", partial(self._answer, "tie")),
            ("Right", partial(self._answer, "right")),
            ("PgUp", partial(self._scroll, _SLICES_PER_PAGE)),
            ("PgDown", partial(self._scroll, -_SLICES_PER_PAGE)),
            ("Esc", self.close),
        )
        self._keys = [self._shortcut(key, act) for key, act in keys]

    def start(self, review: int, reader: str) -> None:
        """Show what a reader has not judged yet."""
        self._review, self._reader = review, reader
        self._pair = None
        self._show()
        self.widget.showFullScreen()
        self.widget.activateWindow()
        with self._status.answering():
            self._logic.next_pair(review, reader, self._came, self._refused)

    def close(self) -> None:
        """Close the window; the answers are kept."""
        if self.widget.visible:
            self.widget.hide()
            self._pair = None
            self._on_done()

    def _answer(self, answer: str) -> None:
        pair = self._pair
        if pair is None:
            return  # the last answer is still being kept
        self._pair = None
        with self._status.answering():
            self._logic.answer_pair(
                self._review, self._reader, pair.item, answer, self._came, self._refused
            )

    def _came(self, pair: ReviewPair | None) -> None:
        if not self.widget.visible:
            return
        if pair is None:
            self._status.say(_("You have judged all pairs; the tally comes when the review is "
                               "closed."))  # fmt: skip
            self.close()
            return
        self._pair = pair
        self._show()

    def _refused(self, outcome: Outcome) -> None:
        self._status.say(outcome.sentence, outcome.details)
        self.close()

    def _show(self) -> None:
        pair, ui = self._pair, self._ui
        for button in (ui.leftBetterButton, ui.tieButton, ui.rightBetterButton):
            button.enabled = pair is not None
        if pair is None:
            ui.pairLabel.text = _("Fetching the next pair")
            return
        said = _("Pair {number} of {total}. Which labels fit the scan better?")
        ui.pairLabel.text = said.format(number=pair.done + 1, total=pair.total)
        was_blocked = ui.placeSlider.blockSignals(True)
        ui.placeSlider.maximum = pair.places - 1
        ui.placeSlider.value = pair.place
        ui.placeSlider.visible = pair.is_whole
        ui.placeSlider.blockSignals(was_blocked)
        self._draw()

    def _draw(self) -> None:
        if self._pair is None:
            return
        labels = (self._ui.leftPicture, self._ui.rightPicture)
        for label, png in zip(labels, self._pair.pictures(self._ui.placeSlider.value), strict=True):
            pixmap = qt.QPixmap()
            pixmap.loadFromData(png)
            size = min(label.width, label.height)
            label.setPixmap(
                pixmap.scaled(size, size, qt.Qt.KeepAspectRatio, qt.Qt.SmoothTransformation)
            )

    def _scroll(self, slices: int) -> None:
        if self._pair is not None and self._pair.is_whole:
            self._ui.placeSlider.value += slices

    def _shortcut(self, key: str, act: Callable[[], None]) -> Any:
        made = qt.QShortcut(qt.QKeySequence(key), self.widget)
        made.connect("activated()", act)
        return made
