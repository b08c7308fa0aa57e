"""The part of *Settings* that says where the networks run: here, or on a server."""

from collections.abc import Callable
from dataclasses import replace

from slicer.i18n import tr as _

from ..scene.computer_settings import ComputerSettings
from ..scene.panel_facts import Outcome
from .panel_logic import ComputerLogic
from .sections import load_section
from .status_line import StatusLine


class ServerBox:
    """Address, token and certificates of a server.

    Args:
        logic: Keeps them and asks the server.
        status: Shows errors.
        on_change: Told that other networks are to be listed now.
    """

    def __init__(
        self, logic: ComputerLogic, status: StatusLine, on_change: Callable[[], None]
    ) -> None:
        self._logic, self._status, self._on_change = logic, status, on_change
        self.widget, self._ui = load_section("Server")
        self._ui.serverButton.connect("clicked()", self._use)

    def show(self, settings: ComputerSettings) -> None:
        """Show what is kept."""
        self._ui.serverLine.text = settings.server
        self._ui.tokenLine.currentPath = settings.token_file
        self._ui.serverCaLine.currentPath = settings.server_ca_file
        if not settings.server:
            self._ui.serverLabel.text = _("The networks run on this computer.")

    def ask(self) -> None:
        """Ask the server that is kept, if there is one; its networks are listed when it answers."""
        with self._status.answering():
            if self._logic.server():
                self._ui.serverLabel.text = _("Asking the server")
                self._ui.serverButton.enabled = False
                try:
                    self._logic.ask_server(self._answered)
                except BaseException:
                    self._ui.serverLabel.text = ""
                    self._ui.serverButton.enabled = True
                    raise

    def _use(self) -> None:
        with self._status.answering():
            settings = replace(
                self._logic.settings(),
                server=self._ui.serverLine.text.strip(),
                token_file=self._ui.tokenLine.currentPath.strip(),
                server_ca_file=self._ui.serverCaLine.currentPath.strip(),
            )
            self._status.say(self._logic.change_settings(settings))
            self.show(settings)
            self._on_change()
        self.ask()

    def _answered(self, outcome: Outcome) -> None:
        self._ui.serverButton.enabled = True
        self._ui.serverLabel.text = outcome.sentence
        if not outcome.is_success:
            self._status.say(outcome.sentence, outcome.details)
        self._on_change()
