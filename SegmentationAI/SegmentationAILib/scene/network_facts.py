"""Which networks there are, read by the host alone: the list works before any worker exists.

The worker checks cards strictly before it uses them; here they are only shown, and one that cannot
be read is left out with a note.
"""

import json
import logging
import math
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ..core.volume import Grid
from ..resources import resource
from .panel_facts import NetworkFacts

LARGEST_CARD: Final = 4 << 20
_STATES: Final = ("shipped", "installed", "available")

logger = logging.getLogger(__name__)


def all_networks(home: Path) -> tuple[NetworkFacts, ...]:
    """Return shipped, then installed, then available networks.

    Args:
        home: Data folder; installed networks lie in it.
    """
    found = {network.id.casefold(): network for network in _installed(home / "networks")}
    listed = json.loads(resource("networks.json").read_text(encoding="utf-8"))["networks"]
    for card in listed:
        state = "shipped" if card.get("file") and _ships(card["file"]) else "available"
        found.setdefault(card["id"].casefold(), _facts(card, state))
    return tuple(sorted(found.values(), key=lambda n: (_STATES.index(n.state), n.title)))


def networks_for_scan(
    networks: tuple[NetworkFacts, ...], modality: str, grid: Grid, home: Path
) -> tuple[NetworkFacts, ...]:
    """Return the networks with what they will cost on this scan, those that fit it first.

    Args:
        networks: As `all_networks` returns them.
        modality: Of the scan; empty fits every network.
        grid: Of the scan.
        home: Data folder; the history of runs on this computer lies in it.
    """
    history = _history(home / "history" / "runs.json")
    told = [
        replace(
            network,
            fits=not modality or network.modality == modality,
            expected_seconds=_expected_seconds(history, network, grid),
        )
        for network in networks
    ]
    return tuple(sorted(told, key=lambda n: not n.fits))


def _installed(folder: Path) -> list[NetworkFacts]:
    networks = []
    for path in sorted(folder.glob("*/card.json")):
        try:
            with path.open("rb") as file:
                card = json.loads(file.read(LARGEST_CARD))
            # The folder names the network: what a card calls itself decides nothing.
            size = (path.parent / "weights.safetensors").stat().st_size
            own = {**card, "id": path.parent.name, "size_bytes": size}
            networks.append(_facts(own, "installed"))
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
    )


def _history(path: Path) -> dict[str, Any]:
    """Return the worker's history of runs; only an estimate depends on it."""
    try:
        with path.open("rb") as file:
            return dict(json.loads(file.read(LARGEST_CARD))["runs"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _expected_seconds(history: dict[str, Any], network: NetworkFacts, grid: Grid) -> float | None:
    """Return the seconds of a run over the whole scan, by past runs on this computer."""
    voxels = float(math.prod(grid.shape))
    if network.spacing is not None:
        voxels *= 1000 * grid.voxel_volume_ml / math.prod(network.spacing)
    speeds = []
    for run, past in history.items():
        if run.split("|")[0] == network.id:
            speeds += [seconds / size for size, seconds in past if size > 0]
    return statistics.median(speeds) * voxels if speeds else None
