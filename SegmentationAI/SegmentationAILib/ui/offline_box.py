"""The part of *Settings* for computers without a network: the switch, and bundles."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from slicer.i18n import tr as _

from ..scene.computer_settings import ComputerSettings
from .file_questions import asked_file_to_read, asked_file_to_write
from .panel_logic import ComputerLogic, OnEnd, OnProgress
from .sections import load_section
from .status_line import StatusLine

_KIND = "Bundle (*.zip)"


class OfflineBox:
    """The switch that keeps everything off the network, and what works without one.

    Args:
        logic: Keeps the switch, writes and reads bundles.
        status: Shows errors.
        begin: Shows the progress of something slow, see `SettingsStep`.
    """

    def __init__(
        self,
        logic: ComputerLogic,
        status: StatusLine,
        begin: Callable[[Callable[[OnProgress, OnEnd], None]], None],
    ) -> None:
        self._logic, self._status, self._begin = logic, status, begin
        self._is_showing = False
        self.widget, self._ui = load_section("Offline")
        self._ui.offlineCheck.connect("toggled(bool)", self._switch)
        self._ui.exportBundleButton.connect("clicked()", self._export)
        self._ui.importBundleButton.connect("clicked()", self._import)

    def show(self, settings: ComputerSettings) -> None:
        """Show how the switch stands; a variable of the system can have set it too."""
        self._is_showing = True
        is_offline = self._logic.is_offline()
        self._ui.offlineCheck.checked = is_offline
        self._ui.offlineLabel.text = (
            _("Nothing uses the network: downloads, servers and indexes are refused.")
            if is_offline
            else _("The network is used for downloads, the set-up and a server, when asked for.")
        )
        self._ui.exportBundleButton.enabled = not is_offline
        self._is_showing = False

    def _switch(self, is_offline: bool) -> None:
        if self._is_showing:
            return
        with self._status.answering():
            settings = replace(self._logic.settings(), is_offline=is_offline)
            self._status.say(self._logic.change_settings(settings))
        with self._status.answering():
            self.show(self._logic.settings())

    def _export(self) -> None:
        title = _("Export the environment")
        name = asked_file_to_write(self.widget, title, "segmentationai-bundle.zip", _KIND)
        if name:
            self._begin(lambda tell, end: self._logic.export_bundle(Path(name), tell, end))

    def _import(self) -> None:
        name = asked_file_to_read(self.widget, _("Import the environment"), _KIND)
        if name:
            self._begin(lambda tell, end: self._logic.import_bundle(Path(name), tell, end))
