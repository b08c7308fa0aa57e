"""The step *Export*: a format, what it loses, a folder; what is written is read back."""

from pathlib import Path

from slicer.i18n import tr as _

from ..scene.panel_facts import Outcome
from .file_questions import ask_for_folders
from .panel_logic import ExportLogic
from .panel_state import PanelState
from .sections import load_section
from .status_line import StatusLine

# The format that the worker writes, in the background.
DICOM_SEG = "dicom-seg"


class ExportStep:
    """The fourth step.

    Args:
        logic: Writes, reads back and compares.
        status: Shows errors and what was written.
        state: Says what is exported; gets the format.
    """

    def __init__(self, logic: ExportLogic, status: StatusLine, state: PanelState) -> None:
        self._logic, self._status = logic, status
        self._state = state
        self.section, self._ui = load_section("Export")
        self._losses: dict[str, str] = {}
        self._is_writing = False
        for key, title, loss in logic.formats():
            self._losses[key] = loss
            self._ui.formatSelector.addItem(title, key)
        self._ui.formatSelector.connect("currentIndexChanged(int)", self._chosen)
        ask_for_folders(self._ui.folderLine)
        self._ui.folderLine.connect("currentPathChanged(QString)", self._show)
        self._ui.exportButton.connect("clicked()", self._export)

    def show(self, state: PanelState) -> None:
        """Show the format that was used last."""
        self._state = state
        found = self._ui.formatSelector.findData(state.export_format)
        self._ui.formatSelector.setCurrentIndex(max(found, 0))
        self._show()

    def open(self) -> None:
        """See whether there is something to export; called when the step opens."""
        self._show()

    def close(self) -> None:
        """Nothing is held."""

    def _key(self) -> str:
        selector = self._ui.formatSelector
        return str(selector.itemData(selector.currentIndex))

    def _chosen(self) -> None:
        self._state.export_format = self._key()
        self._show()

    def _show(self) -> None:
        self._ui.lossLabel.text = self._losses.get(self._key(), "")
        is_complete = None not in (self._state.result, self._state.volume)
        has_folder = bool(self._ui.folderLine.currentPath)
        self._ui.exportButton.enabled = is_complete and has_folder and not self._is_writing

    def _export(self) -> None:
        folder, state = Path(self._ui.folderLine.currentPath), self._state
        with self._status.answering():
            self._status.say(_("Writing and reading back"))
            if self._key() != DICOM_SEG:
                said = self._logic.export(state.result, state.volume, self._key(), folder)
                self._status.say(said)
                return
            self._logic.export_dicom(state.result, state.volume, folder, self._tell, self._ended)
            self._is_writing = True
        self._show()

    def _tell(self, fraction: float, sentence: str, seconds_left: float | None) -> None:
        self._status.say(f"{sentence}: {fraction:.0%}")

    def _ended(self, outcome: Outcome) -> None:
        self._is_writing = False
        self._status.say(outcome.sentence, outcome.details)
        self._show()
