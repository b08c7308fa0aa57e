"""Networks, the worker's environment and the data folder, as the panel asks for them."""

from collections.abc import Callable
from pathlib import Path

import slicer

from ..resources import data_folder
from .call_watch import OnProgress, outcome_of_call, watch_call
from .kept_data import ENVIRONMENT, delete_part, kept_parts, remove_network
from .network_facts import all_networks, networks_for_scan
from .panel_facts import KeptPart, NetworkFacts, Outcome
from .scan_kind import DicomValue, kind_of_scan, scan_in_words
from .ticker import Ticker
from .volume_node import grid_of_node
from .worker_setup import WorkerSetup

OnEnd = Callable[[Outcome], None]


class PanelStores:
    """What there is on this computer.

    Args:
        setup: The worker and its environment.
        ticker: The event loop.
        dicom_value: Reads DICOM tags of what was loaded.
    """

    def __init__(self, setup: WorkerSetup, ticker: Ticker, dicom_value: DicomValue) -> None:
        self._setup, self._ticker, self._dicom_value = setup, ticker, dicom_value

    def describe_volume(self, volume: slicer.vtkMRMLScalarVolumeNode) -> str:
        """Return one line: kind, body part as far as they are known, spacing in mm."""
        return scan_in_words(kind_of_scan(volume, self._dicom_value))

    def networks(self, volume: slicer.vtkMRMLScalarVolumeNode | None) -> tuple[NetworkFacts, ...]:
        """Return all networks, those that fit the scan first."""
        networks = all_networks(data_folder())
        if volume is None:
            return networks
        modality = kind_of_scan(volume, self._dicom_value).modality
        return networks_for_scan(networks, modality, grid_of_node(volume), data_folder())

    def install(self, network_id: str, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Download a network in the background.

        Raises:
            WorkerEnvironmentError: The worker has no environment yet.
        """
        call = self._setup.worker().install(network_id)

        def ended(call: object) -> None:
            on_end(outcome_of_call(finished, lambda row: f"{row['card']['title']} is installed."))

        finished = call
        watch_call(call, self._ticker, on_progress, ended)

    def remove(self, network_id: str) -> str:
        """Delete an installed network; return what was done.

        Raises:
            SegmentationAIError: It is not installed, or is in use.
        """
        remove_network(data_folder(), network_id)
        return "The network was removed."

    def badge(self) -> str:
        """Return on what networks run: "GPU works: NAME" or "CPU only, because ..."."""
        return self._setup.state().sentence

    def is_set_up(self) -> bool:
        """Return whether the worker's environment is there."""
        return self._setup.state().kind == "ready"

    def set_up(self, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Make the worker's environment in the background; consent has been given."""
        call = self._setup.make()
        watch_call(
            call,
            self._ticker,
            on_progress,
            lambda finished: on_end(outcome_of_call(finished, lambda proof: proof.badge)),
        )

    def data_folder(self) -> Path:
        """Return where everything lies."""
        return data_folder()

    def kept(self) -> tuple[KeptPart, ...]:
        """Return the parts of the data folder."""
        return kept_parts(data_folder())

    def delete(self, key: str) -> str:
        """Delete one part; return what was done."""
        if key == ENVIRONMENT:
            self._setup.delete()
        else:
            delete_part(data_folder(), key)
        return "Deleted."
