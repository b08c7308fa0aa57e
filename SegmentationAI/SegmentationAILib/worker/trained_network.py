"""The network that a training has left in its folder: its card in short, and its way into use."""

import json
from pathlib import Path
from typing import Any, Final

from ..core.atomic import whole_file
from ..core.errors import SegmentationAIError
from ..core.progress import Progress
from ..learn.networks_compared import NetworksCompared, compared_from_json
from ..learn.replacement import Comparison, previous_versions, replace_network, roll_back
from ..networks.card_reader import card_from_bytes
from ..networks.expected_shapes import check_architecture
from ..networks.install import InstallRequest, install
from ..networks.network_source import CARD
from ..networks.store import NetworkStore
from ..networks.strict_json import json_from_bytes

COMPARED: Final = "comparison.json"
MOST_BYTES: Final = 16 << 20


def write_comparison(folder: Path, compared: NetworksCompared) -> None:
    """Write how the network in a folder does beside its base."""
    with whole_file(folder / COMPARED) as beside:
        beside.write_text(json.dumps(compared.to_json(), indent=1) + "\n", encoding="utf-8")


def is_finished(folder: Path) -> bool:
    """Return whether a training has come to its end and its network was held against the base."""
    return (folder / COMPARED).is_file() and (folder / CARD).is_file()


def result_facts(folder: Path) -> dict[str, Any]:
    """Return the card of a trained network beside the base's scores, ready for JSON.

    Raises:
        SegmentationAIError: Its files are damaged.
    """
    card = card_from_bytes((folder / CARD).read_bytes(), f"{CARD} of {folder.name}")
    compared, record = _compared(folder), card.training
    store = NetworkStore()
    is_replaceable = False
    if compared.base and compared.can_replace:
        is_replaceable = store.find(compared.base).state == "installed"
    return {
        "id": folder.name,
        "title": card.title,
        "task": card.task,
        "limits": list(card.limits),
        "notes": list(card.notes),
        "license": card.license.text,
        "cases": record.cases if record else 0,
        "hold_out": record.hold_out if record else 0,
        "steps": record.steps if record else 0,
        "seconds": record.seconds if record else 0.0,
        "structures": [[s.label, s.dice] for s in record.scores] if record else [],
        "base": compared.base,
        "base_mean": compared.base_mean,
        "trained_mean": compared.trained_mean,
        "compared": [[name, *pair] for name, pair in compared.cases.items()],
        "compared_structures": list(compared.structures),
        "verdict": compared.words(),
        "can_replace": is_replaceable,
    }


def keep(folder: Path, *, replaces: bool, progress: Progress) -> dict[str, Any]:
    """Install the network of a folder; return ``id`` and ``sentence``.

    Args:
        folder: Of the training.
        replaces: In the place of the base, which must not be better and is kept for `go_back`;
            otherwise under the training's own name.
        progress: Told while installing.

    Raises:
        SegmentationAIError: The training is not finished, the name is taken, or the base is better
            or was exchanged since: what is installed is as it was.
    """
    if not is_finished(folder):
        raise SegmentationAIError(
            f"The training {folder.name} has not come to its end; let it finish first."
        )
    store = NetworkStore()
    if not replaces:
        request = InstallRequest(str(folder), folder.name)
        found = install(store, request, check_architecture, progress)
        return {"id": found.card.id, "sentence": f"{found.card.id} is installed."}
    compared = _compared(folder)
    if not compared.base or not compared.can_replace:
        raise SegmentationAIError(
            f"{folder.name} does not know all that the network before it knows, or there is none; "
            "install it under its own name."
        )
    if store.find(compared.base).card.sha256 != compared.base_sha256:
        raise SegmentationAIError(
            f"{compared.base} was exchanged since the two were compared; install {folder.name} "
            "under its own name, or train again."
        )
    scores = Comparison(compared.base_mean, compared.trained_mean)
    replace_network(store, compared.base, folder, scores, progress)
    sentence = f"{compared.base} is the trained network now; the one before it is kept."
    return {"id": compared.base, "sentence": sentence, "versions": _versions(store, compared.base)}


def go_back(network_id: str, progress: Progress) -> dict[str, Any]:
    """Put the network that was replaced last back; return ``id`` and ``sentence``.

    Raises:
        SegmentationAIError: None was replaced.
    """
    store = NetworkStore()
    found = roll_back(store, network_id, progress)
    sentence = f"{network_id} is the network before the training again."
    return {"id": found.card.id, "sentence": sentence, "versions": _versions(store, network_id)}


def _versions(store: NetworkStore, network_id: str) -> int:
    return previous_versions(store, network_id)


def _compared(folder: Path) -> NetworksCompared:
    path = folder / COMPARED
    return compared_from_json(json_from_bytes(path.read_bytes(), path.name, MOST_BYTES))
