"""Keeping a network that was adapted to one scan as a network of its own."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import safetensors
import safetensors.numpy

from ..core.errors import WeightsError
from ..core.volume import Volume
from ..networks.card import NetworkCard
from ..networks.card_reader import write_card
from ..networks.expected_shapes import check_architecture
from ..networks.install import InstallRequest, install
from ..networks.network_source import CARD
from ..networks.store import WEIGHTS, NetworkStore, StoredNetwork
from ..networks.training_record import LabelScore, Parent, TrainingRecord
from ..networks.weights import Weights, sha256_of

LOSS: Final = "image-specific"
MOST_PARENTS: Final = 100


@dataclass(frozen=True, eq=False)
class AdaptedNetwork:
    """A network as it was adapted.

    Attributes:
        card: Of the network that it comes from.
        weights: By name, as a file of the network has them.
        structure: What was taught.
        prompts: How many prompts taught it.
        steps: That were taken.
        learning_rate: Of the steps.
        seconds: The steps took.
    """

    card: NetworkCard
    weights: Weights
    structure: str
    prompts: int
    steps: int
    learning_rate: float
    seconds: float


def keep_adapted(
    adapted: AdaptedNetwork, volume: Volume, network_id: str, store: NetworkStore | None = None
) -> StoredNetwork:
    """Install an adapted network under an ID of its own and return it.

    Its card names the network that it comes from with the hash of its weights, and has none of the
    measurements of that network: they were made with other weights.

    Args:
        adapted: The network.
        volume: What it was adapted to; of it the card has a hash alone.
        network_id: That no network has yet.
        store: Where to; None for the person's own.

    Raises:
        WeightsError: The ID is taken, also by a network that could be installed, or cannot be one.
    """
    store = store or NetworkStore()
    store.check_new_id(network_id)
    try:
        with tempfile.TemporaryDirectory(prefix=".adapted-", dir=store.made_folder()) as staging:
            source = Path(staging)
            safetensors.numpy.save_file(adapted.weights, str(source / WEIGHTS))
            write_card(_card(adapted, volume, source / WEIGHTS), source / CARD)
            return install(store, InstallRequest(str(source), network_id), check_architecture)
    except (OSError, safetensors.SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(
            f"The adapted network could not be written into the data folder ({reason}); make that "
            "possible and keep it again."
        ) from error


def _card(adapted: AdaptedNetwork, volume: Volume, weights: Path) -> NetworkCard:
    card, prompts = adapted.card, f"{adapted.prompts} prompt{'s' * (adapted.prompts != 1)}"
    earlier = card.training.parents if card.training is not None else ()
    parents = (Parent(card.id, card.sha256), *earlier)[:MOST_PARENTS]
    return replace(
        card,
        title=f"{card.title}, adapted to one scan",
        sha256=sha256_of(weights),
        size_bytes=weights.stat().st_size,
        address="",
        file="",
        converted_from="",
        gates=(),
        limits=(
            f"Adapted from {card.id} to one scan by {prompts} about "
            f"{adapted.structure}; on other scans it has not been measured.",
            *card.limits,
        ),
        training=_record(adapted, volume, parents),
    )


def _record(adapted: AdaptedNetwork, volume: Volume, parents: tuple[Parent, ...]) -> TrainingRecord:
    return TrainingRecord(
        cases=1,
        cases_sha256=hashlib.sha256(np.ascontiguousarray(volume.voxels).tobytes()).hexdigest(),
        hold_out=0,
        hold_out_sha256=hashlib.sha256().hexdigest(),
        loss=LOSS,
        freeze="none",
        learning_rate=adapted.learning_rate,
        batch_size=1,
        steps=adapted.steps,
        best_epoch=0,
        seed=0,
        precision="fp32",
        seconds=round(adapted.seconds, 1),
        mean_dice=None,
        scores=tuple(LabelScore(label.name, None) for label in adapted.card.labels),
        parents=parents,
    )
