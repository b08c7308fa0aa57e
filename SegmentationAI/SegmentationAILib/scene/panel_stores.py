"""Networks, on this computer or on a server, as the panel asks for them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import slicer

from ..core.errors import SegmentationAIError
from ..core.progress import Progress
from ..resources import data_folder
from ..worker.client import Call
from .background_call import started
from .call_watch import OnProgress, outcome_of_call, watch_call
from .kept_data import remove_network
from .network_facts import (
    all_networks,
    history_of,
    history_of_server,
    networks_for_scan,
    networks_of_server,
)
from .panel_facts import NetworkFacts, Outcome
from .scan_kind import DicomValue, kind_of_scan, scan_in_words
from .ticker import Ticker
from .translation import tr as _
from .volume_node import grid_of_node
from .worker_setup import WorkerSetup

OnEnd = Callable[[Outcome], None]
SERVER_SECONDS: Final = 30.0


class PanelStores:
    """Which networks there are.

    Args:
        setup: The worker and its environment.
        ticker: The event loop.
        dicom_value: Reads DICOM tags of what was loaded.
    """

    def __init__(self, setup: WorkerSetup, ticker: Ticker, dicom_value: DicomValue) -> None:
        self._setup, self._ticker, self._dicom_value = setup, ticker, dicom_value
        self._served: tuple[Mapping[str, Any], ...] = ()
        self._asked_server = ""

    def describe_volume(self, volume: slicer.vtkMRMLScalarVolumeNode) -> str:
        """Return one line: kind, body part as far as they are known, spacing in mm."""
        return scan_in_words(kind_of_scan(volume, self._dicom_value))

    def networks(self, volume: slicer.vtkMRMLScalarVolumeNode | None) -> tuple[NetworkFacts, ...]:
        """Return all networks, those that fit the scan first.

        Those of the server when the settings name one: none until `ask_server` has been answered.

        Raises:
            SegmentationAIError: The settings cannot be read.
        """
        home, server = data_folder(), self._setup.settings().server
        if server:
            rows = self._served if self._asked_server == server else ()
            networks, history = networks_of_server(rows), history_of_server(rows)
        else:
            networks, history = all_networks(home), history_of(home)
        if volume is None:
            return networks
        modality = kind_of_scan(volume, self._dicom_value).modality
        return networks_for_scan(networks, modality, grid_of_node(volume), history)

    def server(self) -> str:
        """Return the address of the server that runs the networks, empty for this computer."""
        return self._setup.settings().server

    def ask_server(self, on_end: OnEnd) -> None:
        """Ask the server how it is and for its networks.

        Raises:
            SegmentationAIError: Its address or token cannot be used, or the network may not be.
        """
        address = self._setup.settings().server
        worker = self._setup.server()

        def work(progress: Progress) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
            progress(0.0, _("Asking {address}").format(address=address))
            return worker.health(), worker.networks().result(SERVER_SECONDS)

        call = started(work, "server")

        def ended(call: Call[Any]) -> None:
            outcome = outcome_of_call(call, lambda found: _server_in_words(address, found[0]))
            if outcome.is_success:
                self._served, self._asked_server = tuple(call.result(0)[1]), address
            on_end(outcome)

        watch_call(call, self._ticker, lambda *told: None, ended)

    def install(
        self,
        source: str,
        on_progress: OnProgress,
        on_end: OnEnd,
        network_id: str = "",
        sha256: str = "",
    ) -> None:
        """Install a network in the background.

        Args:
            source: ID of a listed network, an address, or the path of a folder or a file.
            on_progress: Told a fraction, a sentence and the seconds left.
            on_end: Told how it ended.
            network_id: ID to install it under, empty for its own.
            sha256: Of the file; an address that is not listed needs it.

        Raises:
            WorkerEnvironmentError: The worker has no environment yet.
        """
        call = self._setup.worker().install(source, network_id, sha256)

        def ended(call: Call[Any]) -> None:
            on_end(outcome_of_call(call, _installed))

        watch_call(call, self._ticker, on_progress, ended)

    def update(self, network_id: str, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Install the weights that the catalogue lists in place of those that are installed.

        Raises:
            WorkerEnvironmentError: The worker has no environment yet.
        """
        call = self._setup.worker().install(network_id, replaces=True)

        def ended(call: Call[Any]) -> None:
            on_end(outcome_of_call(call, _installed))

        watch_call(call, self._ticker, on_progress, ended)

    def remove(self, network_id: str) -> str:
        """Delete an installed network; return what was done.

        Raises:
            SegmentationAIError: It is not installed, or is in use, or lies on a server.
        """
        if self._setup.settings().server:
            raise SegmentationAIError(
                _("Networks of a server are removed on the server itself: others use them too.")
            )
        remove_network(data_folder(), network_id)
        return _("The network was removed.")

    def lacking(self, network_id: str) -> list[Callable[[], Call[Any]]]:
        """Return what has to be begun before a network can run; see `PreparedRuns`."""
        steps: list[Callable[[], Call[Any]]] = []
        if not self._setup.is_ready():
            steps.append(self._setup.make)
        network = next((n for n in self.networks(None) if n.id == network_id), None)
        if network is not None and network.state == "available":
            steps.append(lambda: self._setup.worker().install(network_id))
        return steps


def _server_in_words(address: str, health: Mapping[str, Any]) -> str:
    load = health.get("load", {})
    said = _(
        "{address} answers: version {version}, {device}, {running} running, {waiting} waiting."
    )
    return said.format(
        address=address,
        version=health.get("version"),
        device=health.get("device"),
        running=load.get("running", 0),
        waiting=load.get("waiting", 0),
    )


def _installed(row: Mapping[str, Any]) -> str:
    return _("{title} is installed.").format(title=row["card"]["title"])
