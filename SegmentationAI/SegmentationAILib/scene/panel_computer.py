"""The worker's environment, the settings and the data folder, as the panel asks for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import SegmentationAIError
from ..core.offline import is_offline
from ..resources import data_folder
from ..worker.client import Call
from .call_watch import OnProgress, outcome_of_call, watch_call
from .computer_settings import ComputerSettings
from .kept_data import ENVIRONMENT, delete_part, kept_parts
from .panel_facts import KeptPart, Outcome, Table
from .ticker import Ticker
from .translation import tr as _
from .worker_setup import WorkerSetup

OnEnd = Callable[[Outcome], None]


class PanelComputer:
    """What there is on this computer.

    Args:
        setup: The worker and its environment.
        ticker: The event loop.
        has_runs: Whether the worker has something to do; what would end it is refused then.
    """

    def __init__(
        self, setup: WorkerSetup, ticker: Ticker, has_runs: Callable[[], bool] = lambda: False
    ) -> None:
        self._setup, self._ticker, self._has_runs = setup, ticker, has_runs
        self._setting_up: Call[Any] | None = None

    def badge(self) -> str:
        """Return on what networks run: a GPU, the CPU and why, or a server."""
        return self._setup.badge()

    def is_set_up(self) -> bool:
        """Return whether the worker's environment is there."""
        return self._setup.is_set_up()

    def consent(self) -> str:
        """Return what a person has to agree to before a run; empty when nothing is set up first."""
        return "" if self._setup.is_ready() else self.set_up_question()

    def set_up_question(self) -> str:
        """Return what is asked before the environment is made."""
        return self._setup.consent()

    def set_up(self, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Make the worker's environment in the background; consent has been given."""
        self._follow(self._setup.make(), lambda proof: proof.badge, on_progress, on_end)

    def cancel_set_up(self) -> None:
        """End the making, exporting or importing; what was downloaded is kept."""
        if self._setting_up is not None:
            self._setting_up.cancel()

    def look(self, on_table: Callable[[Table, Outcome], None]) -> None:
        """Look whether the environment could be made on this computer."""
        call = self._setup.look()

        def ended(call: Call[Any]) -> None:
            outcome = outcome_of_call(call, lambda found: _("This computer was looked at."))
            found = call.result(0) if outcome.is_success else ()
            words = {"ok": _("good"), "warn": _("mind"), "stop": _("stops")}
            rows = tuple((_(one.subject), words[one.state], one.sentence) for one in found)
            on_table(Table((_("What"), _("How"), _("Found")), rows), outcome)

        watch_call(call, self._ticker, lambda *_: None, ended)

    def export_bundle(self, path: Path, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Write everything that the environment needs into one file, in the background."""
        call = self._setup.export_bundle(path)
        self._follow(
            call, lambda path: _("{name} is written.").format(name=path.name), on_progress, on_end
        )

    def import_bundle(self, path: Path, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Make the environment from such a file, in the background and without any network.

        Raises:
            SegmentationAIError: A network is running.
        """
        self._check_idle()
        call = self._setup.import_bundle(path)
        self._follow(call, lambda proof: proof.badge, on_progress, on_end)

    def settings(self) -> ComputerSettings:
        """Return the settings of this computer.

        Raises:
            SegmentationAIError: They cannot be read.
        """
        return self._setup.settings()

    def change_settings(self, settings: ComputerSettings) -> str:
        """Keep other settings; return what was done.

        Raises:
            SegmentationAIError: A network is running, or they cannot be written.
        """
        self._check_idle()
        self._setup.change_settings(settings)
        return _("Kept; it holds from the next run on.")

    def is_offline(self) -> bool:
        """Return whether this program and its worker stay off the network."""
        return self.settings().is_offline or is_offline()

    def data_folder(self) -> Path:
        """Return where everything lies."""
        return data_folder()

    def kept(self) -> tuple[KeptPart, ...]:
        """Return the parts of the data folder."""
        return kept_parts(data_folder())

    def delete(self, key: str) -> str:
        """Delete one part; return what was done.

        Raises:
            SegmentationAIError: A network is running, or files are in use.
        """
        self._check_idle()
        if key == ENVIRONMENT:
            self._setup.delete()
        else:
            delete_part(data_folder(), key)
        return _("Deleted.")

    def _check_idle(self) -> None:
        if self._has_runs():
            raise SegmentationAIError(
                _("A network is running; wait until it is done, or cancel it first.")
            )

    def _follow(
        self,
        call: Call[Any],
        sentence: Callable[[Any], str],
        on_progress: OnProgress,
        on_end: OnEnd,
    ) -> None:
        self._setting_up = call

        def ended(call: Call[Any]) -> None:
            self._setting_up = None
            on_end(outcome_of_call(call, sentence))

        watch_call(call, self._ticker, on_progress, ended)
