"""The lower half of *Train*: the plan, the training while it runs, and what came out of it."""

import time
from typing import Any, Final

from slicer.i18n import tr as _

from ..scene.training_facts import Curves, Trained, TrainingFacts
from .curve_picture import WIDTH, curve_picture, png_picture
from .plain_table import show_table
from .status_line import StatusLine
from .train_logic import TrainLogic
from .words import time_in_words

SECONDS_BETWEEN_DRAWINGS: Final = 0.5


class TrainBox:
    """Start, pause, curves, sample, and the finished network's card.

    Args:
        ui: Widgets of ``Train.ui`` by name.
        logic: Trains.
        status: Shows errors.
    """

    def __init__(self, ui: Any, logic: TrainLogic, status: StatusLine) -> None:
        self._ui, self._logic, self._status = ui, logic, status
        self._shown, self._drawn, self._drawn_at = TrainingFacts(), Curves(), 0.0
        ui.startTrainingButton.connect("clicked()", self._start)
        ui.anewButton.connect("clicked()", self._start_anew)
        ui.pauseButton.connect("clicked()", self._pause)
        ui.cancelTrainingButton.connect("clicked()", self._cancel)
        ui.useButton.connect("clicked()", self._use)
        ui.keepOldButton.connect("clicked()", self._keep_old)
        ui.goBackButton.connect("clicked()", self._go_back)
        self.show(self._shown)

    def show(self, facts: TrainingFacts) -> None:
        """Bring the widgets in line with how the training stands."""
        ui, before, self._shown = self._ui, self._shown, facts
        ui.trainPlanLabel.text = facts.plan
        ui.trainPlanLabel.visible = bool(facts.plan)
        self._show_buttons(facts)
        ui.trainingBar.value = round(100 * facts.fraction)
        ui.trainingBar.visible = facts.is_busy
        ui.trainingLabel.text = _sentence(facts)
        ui.trainingLabel.visible = bool(facts.sentence)
        self._draw(facts)
        ui.curvesLabel.visible = bool(facts.curves.losses)
        if facts.sample is not before.sample and facts.sample:
            ui.sampleLabel.setPixmap(png_picture(facts.sample, WIDTH))
            caption = _("{case}, held out: left as labeled, right as found now")
            ui.sampleCaption.text = caption.format(case=facts.sample_case)
        for widget in (ui.sampleLabel, ui.sampleCaption):
            widget.visible = bool(facts.sample)
        if facts.trained is not before.trained:
            self._show_trained(facts.trained)
        for widget in (ui.trainedLabel, ui.useButton, ui.keepOldButton):
            widget.visible = facts.trained is not None
        ui.trainedTable.visible = facts.trained is not None and bool(facts.trained.table.rows)
        ui.replaceBox.visible = facts.trained is not None and facts.trained.can_replace
        ui.goBackButton.visible = bool(facts.can_go_back)

    def _draw(self, facts: TrainingFacts) -> None:
        """Draw the curves anew: while steps come in, no more often than a person can follow."""
        is_soon = time.monotonic() - self._drawn_at < SECONDS_BETWEEN_DRAWINGS
        if facts.curves is self._drawn or (is_soon and facts.state == "training"):
            return
        self._drawn, self._drawn_at = facts.curves, time.monotonic()
        self._ui.curvesLabel.setPixmap(curve_picture(facts.curves))

    def _show_buttons(self, facts: TrainingFacts) -> None:
        ui = self._ui
        is_ready = bool(facts.plan) and not facts.is_busy and facts.trained is None
        ui.startTrainingButton.enabled = is_ready
        ui.startTrainingButton.text = _("Go on") if facts.can_resume else _("Start")
        ui.anewButton.visible = facts.can_resume and bool(facts.plan)
        ui.anewButton.enabled = bool(facts.plan) and not facts.is_busy
        ui.pauseButton.enabled = facts.state in ("training", "paused")
        ui.pauseButton.text = _("Go on") if facts.state == "paused" else _("Pause")
        ui.cancelTrainingButton.enabled = facts.is_busy

    def _show_trained(self, trained: Trained | None) -> None:
        if trained is None:
            return
        ui = self._ui
        ui.trainedLabel.text = trained.words
        show_table(ui.trainedTable, trained.table)
        ui.replaceBox.checked = False
        ui.replaceBox.text = _("In the place of {base}").format(base=trained.base)
        old = _("Keep the old one") if trained.base else _("Do not use it")
        ui.keepOldButton.text = old

    def _start(self) -> None:
        with self._status.answering():
            self._logic.start_training()

    def _start_anew(self) -> None:
        with self._status.answering():
            self._logic.start_training(anew=True)

    def _pause(self) -> None:
        with self._status.answering():
            self._logic.pause_training()

    def _cancel(self) -> None:
        with self._status.answering():
            self._logic.cancel_training()

    def _use(self) -> None:
        replaces = self._shown.trained is not None and self._shown.trained.can_replace
        with self._status.answering():
            self._logic.keep_training(replaces=replaces and self._ui.replaceBox.checked)

    def _keep_old(self) -> None:
        with self._status.answering():
            self._logic.drop_training()

    def _go_back(self) -> None:
        with self._status.answering():
            self._logic.go_back_training()


def _sentence(facts: TrainingFacts) -> str:
    if facts.seconds_left is None or facts.state not in ("training", "working"):
        return facts.sentence
    left = _("{sentence}, about {time} left")
    return str(left.format(sentence=facts.sentence, time=time_in_words(facts.seconds_left)))
