"""Which networks there are, read by the host alone: the list works before any worker exists.

The worker checks cards strictly before it uses them; here they are only shown, and one that cannot
be read is left out with a note.
"""

import json
import logging
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ..core.volume import Grid
from ..resources import resource
from .panel_facts import NetworkFacts

LARGEST_CARD: Final = 4 << 20
# As the worker's own estimate: the runs nearest in size say most.
NEAREST_RUNS: Final = 5
History = Mapping[str, Sequence[tuple[float, ...]]]
"""Voxels that the network saw, seconds, and where known bytes, by network, device and options."""
_STATES: Final = ("shipped", "installed", "available")
# The architecture of a card whose network is an ONNX file alone: it runs, and cannot be trained.
_ONNX: Final = "onnx"

logger = logging.getLogger(__name__)


def all_networks(home: Path) -> tuple[NetworkFacts, ...]:
    """Return shipped, then installed, then available networks.

    Args:
        home: Data folder; installed networks lie in it.
    """
    listed = json.loads(resource("networks.json").read_text(encoding="utf-8"))["networks"]
    installed = _installed(home / "networks", {str(c["id"]).casefold(): c for c in listed})
    found = {network.id.casefold(): network for network in installed}
    for card in listed:
        state = "shipped" if card.get("file") and _ships(card["file"]) else "available"
        found.setdefault(card["id"].casefold(), _facts(card, state))
    return tuple(sorted(found.values(), key=lambda n: (_STATES.index(n.state), n.title)))


def networks_of_server(rows: Sequence[Mapping[str, Any]]) -> tuple[NetworkFacts, ...]:
    """Return the networks that a server lists; a card that cannot be read is left out."""
    networks = []
    for row in rows:
        try:
            state = str(row["state"]) if row["installed"] else "available"
            networks.append(_facts(row["card"], state if state in _STATES else "installed"))
        except (ValueError, KeyError, TypeError, AttributeError):
            logger.info("the card of a network of the server cannot be read")
    return tuple(sorted(networks, key=lambda n: (_STATES.index(n.state), n.title)))


def history_of_server(rows: Sequence[Mapping[str, Any]]) -> History:
    """Return past runs at a server, as far as its list of networks tells of them."""
    return {
        f"{row['id']}|{device}|": [(1e6, float(seconds))]
        for row in rows
        for device, seconds in dict(row.get("seconds_per_million_voxels") or {}).items()
    }


def networks_for_scan(
    networks: tuple[NetworkFacts, ...], modality: str, grid: Grid, history: History
) -> tuple[NetworkFacts, ...]:
    """Return the networks with what they will cost on this scan, those that fit it first.

    Those that answer prompts only are left out: they segment nothing by themselves.

    Args:
        networks: As `all_networks` returns them.
        modality: Of the scan; empty fits every network.
        grid: Of the scan.
        history: Of runs where the networks run, see `history_of`.
    """
    told = []
    for network in networks:
        if network.is_promptable:
            continue
        seconds, size = _expected(history, network, grid)
        fits = not modality or network.modality == modality
        told.append(replace(network, fits=fits, expected_seconds=seconds, expected_bytes=size))
    return tuple(sorted(told, key=lambda n: not n.fits))


def _installed(folder: Path, listed: Mapping[str, Any]) -> list[NetworkFacts]:
    """Return what is installed.

    Args:
        folder: Of all installed networks.
        listed: Cards of the catalogue by ID in lower case.
    """
    networks = []
    for path in sorted(folder.glob("*/card.json")):
        try:
            with path.open("rb") as file:
                card = json.loads(file.read(LARGEST_CARD))
            # The folder names the network: what a card calls itself decides nothing.
            size = (path.parent / "weights.safetensors").stat().st_size
            facts = _facts({**card, "id": path.parent.name, "size_bytes": size}, "installed")
            newest = listed.get(facts.id.casefold(), {})
            is_other = newest.get("sha256") not in (card["sha256"], card.get("converted_from"))
            has_update = is_other and bool(newest.get("address"))
            networks.append(replace(facts, has_update=has_update))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            logger.info("the card of an installed network cannot be read")
    return [network for network in networks if not network.id.startswith(".")]


def _ships(name: str) -> bool:
    try:
        resource(name)
    except FileNotFoundError:
        return False
    return True


def _facts(card: dict[str, Any], state: str) -> NetworkFacts:
    spacing = card.get("spacing_mm")
    return NetworkFacts(
        id=str(card["id"]),
        title=str(card["title"]),
        task=str(card["task"]),
        modality=str(card["modality"]),
        structures=tuple(str(label["name"]) for label in card["labels"]),
        roles=tuple((str(c["role"]), str(c.get("title") or c["role"])) for c in card["channels"]),
        license_id=str(card["license"]["id"]),
        use=str(card["license"]["use"]),
        state=state,
        size_bytes=int(card.get("size_bytes", 0)),
        can_be_installed=bool(card.get("address")),
        limits=tuple(str(sentence) for sentence in card.get("limits", ())),
        spacing=None if spacing is None else (spacing[0], spacing[1], spacing[2]),
        license_text=str(card["license"].get("text", "")),
        source=str(card.get("source", "")),
        paper=str(card.get("paper", "")),
        is_promptable=card.get("promptable") is True,
        can_be_adapted=card["architecture"]["name"] != _ONNX,
    )


def history_of(home: Path) -> History:
    """Return past runs on this computer, by network, device and options; see `worker.history`.

    Args:
        home: Data folder.
    """
    try:
        with (home / "history" / "runs.json").open("rb") as file:
            found = dict(json.loads(file.read(LARGEST_CARD))["runs"])
        return {run: [tuple(map(float, one)) for one in past] for run, past in found.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # only an estimate depends on it


def _expected(
    history: History, network: NetworkFacts, grid: Grid
) -> tuple[float | None, int | None]:
    """Return seconds and bytes of a run over the whole scan, by past runs without options."""
    voxels = float(math.prod(grid.shape))
    if network.spacing is not None:
        voxels *= 1000 * grid.voxel_volume_ml / math.prod(network.spacing)
    past = [
        one
        for run, runs in history.items()
        if run.split("|")[0] == network.id and run.split("|")[2:] == [""]
        for one in runs
        if one[0] > 0
    ]
    if not past or not voxels:
        return None, None
    nearest = sorted(past, key=lambda one: abs(math.log(one[0] / voxels)))[:NEAREST_RUNS]
    seconds = statistics.median(one[1] / one[0] for one in nearest) * voxels
    sizes = [one[2] for one in nearest if len(one) > 2]
    return seconds, int(statistics.median(sizes)) if sizes else None
