"""The part of *Networks* that installs one from a file, a folder, a zip file or an address."""

from collections.abc import Callable

from slicer.i18n import tr as _

from .file_questions import asked_file_to_read, asked_folder
from .sections import load_section

_FILES = "Networks (*.zip *.safetensors *.pth *.pt);;All files (*)"


class InstallBox:
    """Where a network comes from.

    Args:
        install: Given source, ID and SHA-256.
    """

    def __init__(self, install: Callable[[str, str, str], None]) -> None:
        self._install, self._is_busy = install, False
        self.widget, self._ui = load_section("InstallFrom")
        for line in (self._ui.sourceLine, self._ui.shaLine):
            line.connect("textChanged(QString)", self._show)
        self._ui.fileButton.connect("clicked()", self._choose_file)
        self._ui.folderButton.connect("clicked()", self._choose_folder)
        self._ui.installFromButton.connect("clicked()", self._begin)

    def set_busy(self, is_busy: bool) -> None:
        """Say whether an installation is under way."""
        self._is_busy = is_busy
        self._show()

    def clear(self) -> None:
        """Empty the lines, as after the network was installed."""
        for line in (self._ui.sourceLine, self._ui.shaLine, self._ui.idLine):
            line.text = ""

    def _show(self) -> None:
        source = self._ui.sourceLine.text.strip()
        lacks_hash = "://" in source and not self._ui.shaLine.text.strip()
        self._ui.installFromButton.enabled = bool(source) and not lacks_hash and not self._is_busy

    def _choose_file(self) -> None:
        name = asked_file_to_read(self.widget, _("Choose a network"), _FILES)
        self._ui.sourceLine.text = name or self._ui.sourceLine.text

    def _choose_folder(self) -> None:
        name = asked_folder(self.widget, _("Choose the folder of a network"))
        self._ui.sourceLine.text = name or self._ui.sourceLine.text

    def _begin(self) -> None:
        lines = (self._ui.sourceLine, self._ui.idLine, self._ui.shaLine)
        self._install(*(line.text.strip() for line in lines))
