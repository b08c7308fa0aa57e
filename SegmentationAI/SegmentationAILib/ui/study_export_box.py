"""Export of a study from the panel: one folder, one format, all cases."""

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from ..scene.panel_facts import Outcome
from .file_questions import asked_folder
from .relabel_logic import RelabelLogic
from .status_line import StatusLine


class StudyExportBox:
    """The export's part of *Relabel*.

    Args:
        ui: Widgets of the section.
        section: Parent of the question for a folder.
        logic: Writes.
        status: Shows what was written.
    """

    def __init__(self, ui: Any, section: Any, logic: RelabelLogic, status: StatusLine) -> None:
        self._ui, self._section, self._logic, self._status = ui, section, logic, status
        for title, key in (
            (_("Slicer segmentations (.seg.nrrd)"), ".seg.nrrd"),
            (_("Labels, NIfTI (.nii.gz)"), ".nii.gz"),
            (_("Data set to train on (Decathlon folder)"), "decathlon"),
        ):
            ui.studyExportSelector.addItem(title, key)
        ui.studyExportButton.connect("clicked()", self._export)

    def refresh(self) -> None:
        """Bring the button in line with the study."""
        self._ui.studyExportButton.enabled = (
            self._logic.study() is not None and not self._logic.is_study_busy()
        )

    def _export(self) -> None:
        study = self._logic.study()
        name = asked_folder(self._section, _("Folder that gets a new folder with the labels"))
        if not name or study is None:
            return
        selector = self._ui.studyExportSelector
        key = str(selector.itemData(selector.currentIndex))
        with self._status.answering():
            folder = Path(name) / _free_name(Path(name), f"{study.folder.name}-labels")
            self._logic.export_study(folder, key, self._said)
        self.refresh()

    def _said(self, outcome: Outcome) -> None:
        self._status.say(outcome.sentence, outcome.details)
        self.refresh()


def _free_name(folder: Path, name: str) -> str:
    """Return a name that nothing in the folder has: ``name``, ``name 2``, ..."""
    number, found = 1, name
    while (folder / found).exists():
        number += 1
        found = f"{name} {number}"
    return found
