"""Blind reviews in the panel: begin one, go on with one, close it, and see its tally."""

from typing import Any

import slicer
from slicer.i18n import tr as _

from ..scene.panel_facts import Outcome
from ..scene.study_facts import ReviewFacts, StudyFacts
from .relabel_logic import RelabelLogic
from .review_window import ReviewWindow
from .status_line import StatusLine


class ReviewBox:
    """The review's part of *Relabel*.

    Args:
        ui: Widgets of the section.
        logic: Runs reviews.
        status: Shows errors and tallies.
    """

    def __init__(self, ui: Any, logic: RelabelLogic, status: StatusLine) -> None:
        self._ui, self._logic, self._status = ui, logic, status
        self.window = ReviewWindow(logic, status, self.refresh)
        self._keys: list[str] = []
        ui.reviewSelector.connect("currentIndexChanged(int)", self._show_buttons)
        ui.reviewButton.connect("clicked()", self._begin)
        ui.closeReviewButton.connect("clicked()", self._close)

    def refresh(self) -> None:
        """Offer new reviews and those that there are."""
        study = self._logic.study()
        offers = [] if study is None else _offers(study)
        keys = [key for key, _title in offers]
        selector = self._ui.reviewSelector
        if [*zip(keys, (t for _k, t in offers), strict=True)] != self._shown():
            chosen = self._chosen()
            was_blocked = selector.blockSignals(True)
            selector.clear()
            for key, title in offers:
                selector.addItem(title, key)
            if chosen in keys:
                selector.setCurrentIndex(keys.index(chosen))
            selector.blockSignals(was_blocked)
        self._show_buttons()

    def _shown(self) -> list[tuple[str, str]]:
        selector = self._ui.reviewSelector
        return [
            (str(selector.itemData(index)), str(selector.itemText(index)))
            for index in range(selector.count)
        ]

    def _chosen(self) -> str:
        index = self._ui.reviewSelector.currentIndex
        return str(self._ui.reviewSelector.itemData(index)) if index >= 0 else ""

    def _review(self) -> ReviewFacts | None:
        study, key = self._logic.study(), self._chosen()
        found = () if study is None else study.reviews
        return next((one for one in found if str(one.key) == key), None)

    def _show_buttons(self) -> None:
        review, key = self._review(), self._chosen()
        button = self._ui.reviewButton
        button.enabled = bool(key)
        if review is None:
            button.text = _("Begin")
        else:
            button.text = _("Show tally") if review.is_closed else _("Go on")
        self._ui.closeReviewButton.enabled = review is not None and not review.is_closed

    def _begin(self) -> None:
        study, review, key = self._logic.study(), self._review(), self._chosen()
        if study is None:
            return
        with self._status.answering():
            if review is None:
                per = key.removeprefix("new ")
                self._logic.open_review(study.current, 0, per, self._opened, self._said)
            elif review.is_closed:
                self._logic.review_tally(review.key, self._said)
            else:
                self._opened(review.key)

    def _opened(self, review: int) -> None:
        self.refresh()
        index = self._ui.reviewSelector.findData(str(review))
        self._ui.reviewSelector.setCurrentIndex(max(0, index))
        self.window.start(review, self._ui.readerLine.text)

    def _close(self) -> None:
        review = self._review()
        assert review is not None, "the button is enabled with a review alone"
        readers = ", ".join(
            _("{reader} {count} of {pairs}").format(reader=name, count=count, pairs=review.pairs)
            for name, count in review.answered
        ) or _("nobody yet")  # fmt: skip
        question = _("Answered by: {readers}. After closing, nobody can answer any more and the "
                     "tally is shown. Close the review?")  # fmt: skip
        if slicer.util.confirmOkCancelDisplay(question.format(readers=readers)):
            with self._status.answering():
                self._logic.close_review(review.key, self._said)

    def _said(self, outcome: Outcome) -> None:
        self._status.say(outcome.sentence, outcome.details)
        self.refresh()


def _offers(study: StudyFacts) -> list[tuple[str, str]]:
    """Return key and title of each review that can be begun, gone on with or looked at."""
    offers = []
    if study.current:
        said = _("New: iteration {number} against the first labels, {per}")
        for per, words in (("slice", _("slice by slice")), ("case", _("case by case"))):
            offers.append((f"new {per}", said.format(number=study.current, per=words)))
    for one in reversed(study.reviews):
        how = _("closed") if one.is_closed else _("open")
        offers.append((str(one.key), f"{one.key}. {one.title} ({how})"))
    return offers
