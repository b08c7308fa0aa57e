"""The loop of a study in the panel: dots, *Propose again* with its cost first, and the order."""

from typing import Any, Final

import slicer
from slicer.i18n import tr as _

from ..scene.panel_facts import Outcome
from .iteration_dots import IterationDots
from .relabel_logic import RelabelLogic
from .status_line import StatusLine
from .words import time_in_words

# Keys of the strategies that need no network come before those that look through one.
_STRATEGIES: Final = ("", "entropy", "mc-dropout", "tta", "core-set", "m-vaal", "vaal", "random")


class LoopBox:
    """The upper half of *Relabel*.

    Args:
        ui: Widgets of the section.
        logic: Runs the loop.
        status: Shows how it ended.
    """

    def __init__(self, ui: Any, logic: RelabelLogic, status: StatusLine) -> None:
        self._ui, self._logic, self._status = ui, logic, status
        self._dots = IterationDots(ui.dotsBox, self._roll_back)
        titles = (
            _("By name"), _("Most doubtful first"), _("Most doubtful first, by dropout"),
            _("Most doubtful first, by flips"), _("Most different first"),
            _("Least like the decided ones (M-VAAL)"), _("Least like the decided ones (VAAL)"),
            _("At random"),
        )  # fmt: skip
        for title, key in zip(titles, _STRATEGIES, strict=True):
            ui.orderSelector.addItem(title, key)
        ui.orderSelector.connect("currentIndexChanged(int)", self._order_chosen)
        ui.proposeButton.connect("clicked()", self._propose)
        ui.cancelLoopButton.connect("clicked()", self._cancel)
        self.refresh()

    def refresh(self) -> None:
        """Bring the widgets in line with where the loop stands."""
        study, runs, ui = self._logic.study(), self._logic.is_proposing(), self._ui
        self._dots.show(study, is_enabled=not runs)
        ui.dotsBox.visible = study is not None
        ui.proposeButton.enabled = study is not None and not runs
        ui.orderSelector.enabled = study is not None and not runs
        ui.cancelLoopButton.enabled = runs
        ui.loopBox.visible = runs

    def _propose(self) -> None:
        iterations, epochs = self._ui.iterationsSpin.value, self._ui.epochsSpin.value
        with self._status.answering():
            question = self._logic.proposal_question(iterations, epochs)
            if slicer.util.confirmOkCancelDisplay(question):
                self._progress(0.0, _("Starting"), None)
                self._logic.propose(iterations, epochs, self._progress, self._ended)
        self.refresh()

    def _cancel(self) -> None:
        self._ui.loopLabel.text = _("Ending the work")
        self._logic.cancel_proposal()

    def _roll_back(self, number: int) -> None:
        study = self._logic.study()
        if study is None or number == study.current:
            return
        where = _("iteration {number}").format(number=number) if number else _("the beginning")
        question = _(
            "Go back to the labels of {where}? Later iterations are given up for the loop; nothing "
            "is deleted, and what persons corrected or accepted stays."
        )
        if slicer.util.confirmOkCancelDisplay(question.format(where=where)):
            with self._status.answering():
                self._logic.roll_back(number, self._ended)
        self.refresh()

    def _order_chosen(self, index: int) -> None:
        if self._logic.study() is None:
            return
        with self._status.answering():
            key = str(self._ui.orderSelector.itemData(index))
            self._progress(0.0, _("Starting"), None)
            self._logic.rank_cases(key, self._progress, self._ranked)
        self.refresh()

    def _ranked(self, outcome: Outcome) -> None:
        if not outcome.is_success:
            was_blocked = self._ui.orderSelector.blockSignals(True)
            self._ui.orderSelector.setCurrentIndex(0)
            self._ui.orderSelector.blockSignals(was_blocked)
        self._ended(outcome)

    def _progress(self, fraction: float, sentence: str, seconds_left: float | None) -> None:
        self._ui.loopBar.value = round(100 * fraction)
        if seconds_left is not None:
            left = _("{sentence}, about {time} left")
            sentence = left.format(sentence=sentence, time=time_in_words(seconds_left))
        self._ui.loopLabel.text = sentence

    def _ended(self, outcome: Outcome) -> None:
        self._status.say(outcome.sentence, outcome.details)
        self.refresh()
