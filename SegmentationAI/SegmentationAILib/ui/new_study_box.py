"""The part of *Relabel* that makes a study of scans and their first labels."""

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from ..core.errors import SegmentationAIError
from ..scene.panel_facts import Outcome
from ..scene.panel_new_study import StudyWanted
from ..scene.training_facts import BaseFacts
from .file_questions import ask_for_folders
from .relabel_logic import NewStudyLogic
from .sections import load_section
from .status_line import StatusLine
from .words import time_in_words


class NewStudyBox:
    """Folders, base network, share to hold out; shown while its button is down.

    Args:
        button: Shows and hides the box.
        study_line: Gets the folder of the study that was made.
        logic: Makes the study.
        status: Shows errors and what was made.
    """

    def __init__(
        self, button: Any, study_line: Any, logic: NewStudyLogic, status: StatusLine
    ) -> None:
        self._button, self._study_line = button, study_line
        self._logic, self._status, self._is_looking = logic, status, False
        self.widget, self._ui = load_section("NewStudy")
        ui = self._ui
        for title, key in (
            (_("In a folder, under the names of the scans"), ""),
            (_("What the base network answers as it is"), "network"),
            (_("The largest bright piece (Otsu)"), "otsu"),
            (_("The brighter two of three classes (K-means)"), "kmeans"),
        ):
            ui.newLabelsSelector.addItem(title, key)
        ask_for_folders(ui.newImagesLine, ui.newLabelsLine, ui.newReferencesLine, ui.newParentLine)
        button.connect("toggled(bool)", self._shown)
        ui.newLabelsSelector.connect("currentIndexChanged(int)", self._show)
        ui.makeStudyButton.connect("clicked()", self._make)
        ui.cancelMakingButton.connect("clicked()", self._cancel)
        self._show()

    def _shown(self, is_shown: bool) -> None:
        self.widget.visible = is_shown
        if is_shown:
            self._look()
        self._show()

    def _look(self) -> None:
        """Ask which networks can be a base; a worker that only starts takes seconds."""
        self._is_looking = True
        self._ui.makingLabel.text = _("Looking for networks that can be trained further")
        try:
            self._logic.study_bases(self._list_bases, self._refused)
        except SegmentationAIError as error:
            self._refused(Outcome(str(error), is_success=False))

    def _list_bases(self, bases: tuple[BaseFacts, ...]) -> None:
        self._is_looking, selector = False, self._ui.newBaseSelector
        chosen = self._chosen(selector)
        selector.clear()
        for one in bases:
            selector.addItem(one.title, one.base)
        selector.setCurrentIndex(max(selector.findData(chosen), 0 if bases else -1))
        self._show()
        if not bases:
            self._status.say(
                _("No network here can be trained further; make one in the step Train, or install "
                  "one.")
            )  # fmt: skip

    def _make(self) -> None:
        wanted = self._wanted()

        def ended(outcome: Outcome) -> None:
            if outcome.is_success:
                self._study_line.currentPath = str(Path(wanted.parent) / wanted.name)
                self._button.checked = False
            self._refused(outcome)

        with self._status.answering():
            self._progress(0.0, _("Starting"), None)
            self._logic.make_study(wanted, self._progress, ended)
        self._show()

    def _wanted(self) -> StudyWanted:
        ui = self._ui
        return StudyWanted(
            images=ui.newImagesLine.currentPath.strip(),
            labels=self._chosen(ui.newLabelsSelector) or ui.newLabelsLine.currentPath.strip(),
            base=self._chosen(ui.newBaseSelector),
            hold_out=ui.newHoldOutSpin.value / 100,
            references=ui.newReferencesLine.currentPath.strip(),
            parent=ui.newParentLine.currentPath.strip(),
            name=ui.newNameLine.text.strip(),
        )

    def _cancel(self) -> None:
        self._ui.makingLabel.text = _("Ending the work")
        self._logic.cancel_new_study()

    def _progress(self, fraction: float, sentence: str, seconds_left: float | None) -> None:
        self._ui.makingBar.value = round(100 * fraction)
        if seconds_left is not None:
            left = _("{sentence}, about {time} left")
            sentence = left.format(sentence=sentence, time=time_in_words(seconds_left))
        self._ui.makingLabel.text = sentence

    def _refused(self, outcome: Outcome) -> None:
        """Say how something ended, and bring the widgets in line."""
        self._is_looking = False
        self._show()
        self._status.say(outcome.sentence, outcome.details)

    def _show(self) -> None:
        ui, is_making = self._ui, self._logic.is_making_study()
        in_folder = not self._chosen(ui.newLabelsSelector)
        ui.newLabelsLine.visible = ui.newLabelsFolderCaption.visible = in_folder
        ui.makeStudyButton.enabled = not is_making and bool(self._chosen(ui.newBaseSelector))
        ui.cancelMakingButton.enabled = is_making
        ui.makingBar.visible = is_making
        ui.makingLabel.visible = is_making or self._is_looking

    @staticmethod
    def _chosen(selector: Any) -> str:
        index = selector.currentIndex
        return str(selector.itemData(index) or "") if index >= 0 else ""
