"""What the worker does for the calls ``networks``, ``install``, ``remove`` and ``device``."""

import platform
from collections.abc import Mapping
from typing import Any

import torch

from ..core.progress import Progress
from ..networks.build import available_precisions
from ..networks.card_reader import card_to_json
from ..networks.device import choose_device, memory_available_bytes, physical_cores
from ..networks.expected_shapes import check_architecture
from ..networks.install import InstallRequest, install
from ..networks.store import NetworkStore, StoredNetwork
from .frame import Frame
from .history import RunHistory
from .protocol import WorkerError


def networks(history: RunHistory) -> Frame:
    """Return all networks: the card, the state, and how long they take here."""
    listing = NetworkStore().listing()
    rows = [_row(network, history) for network in listing.networks]
    return Frame({"networks": rows, "notes": list(listing.notes)}, {})


def install_network(header: Mapping[str, Any], progress: Progress, *, takes_paths: bool) -> Frame:
    """Install the network that ``source``, ``id`` and ``sha256`` of the header name.

    Raises:
        WorkerError: The source is a file of this machine, and the call came from another.
        WeightsError: The ID is taken, or the source was refused.
    """
    request = InstallRequest(
        _text(header, "source"),
        _text(header, "id"),
        _text(header, "sha256"),
        replaces=header.get("replaces") is True,
    )
    store = NetworkStore()
    if not takes_paths and "://" not in request.source and not _is_listed(store, request.source):
        raise WorkerError(
            "A server installs networks of its catalogue and from https addresses only; install "
            "files on the server itself with: segmentationai networks install"
        )
    progress(0.0, "Installing")
    stored = install(store, request, check_architecture, progress)
    return Frame({"network": _row(stored, None)}, {})


def remove_network(header: Mapping[str, Any]) -> Frame:
    """Remove the network that ``id`` of the header names.

    Raises:
        WeightsError: It is not installed, or ships with the program.
    """
    network_id = _text(header, "id")
    NetworkStore().remove(network_id)
    return Frame({"removed": network_id}, {})


def device_facts(request: str) -> Frame:
    """Return the facts of a device ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        SegmentationAIError: It is not to be had here.
    """
    device = choose_device(request)
    facts = {
        "device": device.name,
        "kind": device.kind,
        "note": device.note,
        "precisions": ["fp32", *available_precisions(device)],
        "memory_available_bytes": memory_available_bytes(device),
        "cores": physical_cores(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    return Frame(facts, {})


def _row(network: StoredNetwork, history: RunHistory | None) -> dict[str, Any]:
    known = history.seconds_per_million_voxels(network.card.id) if history else {}
    return {
        "id": network.card.id,
        "state": network.state,
        "installed": network.weights is not None,
        "card": card_to_json(network.card),
        "seconds_per_million_voxels": known,
    }


def _is_listed(store: NetworkStore, source: str) -> bool:
    card = store.catalog.by_id(source)
    return card is not None and bool(card.address)


def _text(header: Mapping[str, Any], name: str) -> str:
    value = header.get(name, "")
    if not isinstance(value, str):
        raise WorkerError(f"The call gives {name} as something else than text.")
    return value
