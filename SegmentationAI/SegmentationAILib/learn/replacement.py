"""Putting a trained network in the place of an installed one: only a better one, and undoable."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..core.errors import SegmentationAIError, WeightsError
from ..core.folder_lock import locked
from ..core.progress import IGNORE, Progress
from ..core.staging import publish, staged
from ..networks.expected_shapes import check_architecture
from ..networks.install import InstallRequest, install
from ..networks.network_source import check_id
from ..networks.store import NetworkStore, StoredNetwork
from ..resources import OWNER_ONLY

FOLDER: Final = "previous-networks"


@dataclass(frozen=True)
class Comparison:
    """Mean Dice of two networks on the same held-out cases; None where nothing could be scored."""

    installed: float | None
    trained: float | None


def replace_network(
    store: NetworkStore,
    network_id: str,
    folder: Path,
    scores: Comparison,
    progress: Progress = IGNORE,
) -> StoredNetwork:
    """Install a trained network in the place of another, which is kept for `roll_back`.

    Args:
        store: That has both.
        network_id: Of the installed network.
        folder: Of the trained one, as `write_network` leaves it.
        scores: Of both, on cases that neither was trained on.
        progress: Told while installing.

    Raises:
        SegmentationAIError: The trained network is worse or could not be scored: nothing changes.
        WeightsError: There is no such installed network, or the folder was refused.
    """
    current = _installed(store, network_id)
    if scores.trained is None or (
        scores.installed is not None and scores.trained < scores.installed
    ):
        new, old = (
            "no score" if one is None else f"a mean Dice of {one:.4f}"
            for one in (scores.trained, scores.installed)
        )
        raise SegmentationAIError(
            f"The trained network has {new} on the held-out cases and {network_id} has {old}: the "
            "better one stays. Install it under another ID to use it all the same."
        )
    _keep(store, current)
    request = InstallRequest(str(folder), network_id, replaces=True)
    try:
        return install(store, request, check_architecture, progress)
    except BaseException:
        shutil.rmtree(_versions(store, network_id)[-1])
        raise


def previous_versions(store: NetworkStore, network_id: str) -> int:
    """Return how many replaced versions of a network are kept."""
    return len(_versions(store, network_id))


def roll_back(store: NetworkStore, network_id: str, progress: Progress = IGNORE) -> StoredNetwork:
    """Put the version that was replaced last back in its place; the present one is dropped.

    Raises:
        SegmentationAIError: None was replaced.
    """
    versions = _versions(store, network_id)
    if not versions:
        raise SegmentationAIError(
            f"No version of {network_id} was replaced, so there is none to go back to."
        )
    request = InstallRequest(str(versions[-1]), network_id, replaces=True)
    found = install(store, request, check_architecture, progress)
    shutil.rmtree(versions[-1])
    return found


def _installed(store: NetworkStore, network_id: str) -> StoredNetwork:
    network = store.find(network_id)
    if network.state != "installed" or network.weights is None:
        raise WeightsError(
            f"{network_id} is {network.state}, not installed by a person; only such a network is "
            "replaced. Install the trained one under an ID of its own."
        )
    return network


def _keep(store: NetworkStore, network: StoredNetwork) -> None:
    """Copy a network to the end of its row of versions."""
    assert network.weights is not None
    row = store.home / FOLDER / network.card.id
    row.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    with locked(row), staged(row) as staging:
        versions = _versions(store, network.card.id)
        number = int(versions[-1].name) + 1 if versions else 1
        copy = staging / "copy"
        shutil.copytree(network.weights.parent, copy)
        publish(copy, row / f"{number:06d}")


def _versions(store: NetworkStore, network_id: str) -> list[Path]:
    row = store.home / FOLDER / check_id(network_id)
    found = [path for path in row.iterdir() if path.name.isdigit()] if row.is_dir() else []
    return sorted(found)
