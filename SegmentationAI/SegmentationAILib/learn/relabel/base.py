"""Where an iteration starts: a copy of the base network, and the plan to train it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...core.errors import WeightsError
from ...core.labelmap import Label
from ...networks.card import Architecture, NetworkCard
from ...networks.store import NetworkStore
from ...networks.weights import Weights
from ..plan import TrainingPlan
from ..starting_weights import starting_weights
from ..study.study import Study
from .settings import RelabelSettings

# Patches per step where nothing else is asked for; the liver paper had 16 planes.
PATCHES: Final = 2
PLANES: Final = 16


@dataclass(frozen=True, eq=False)
class Base:
    """The base network of a study, read anew from its file.

    Attributes:
        card: Its card.
        weights: Its tensors, the file's hash checked.
    """

    card: NetworkCard
    weights: Weights


def read_base(study: Study, store: NetworkStore) -> Base:
    """Return the base network of a study.

    Raises:
        WeightsError: It is not installed any more, or is another than when the study was made.
    """
    stored = store.find(study.facts.base)
    if stored.card.sha256 != study.facts.base_sha256:
        raise WeightsError(
            f"The network {study.facts.base} has weights {stored.card.sha256[:12]}... and the "
            f"study was made with {study.facts.base_sha256[:12]}...; install those again."
        )
    # Reading checks the file against this hash: what is started from is what was recorded.
    return Base(stored.card, stored.read_weights())


def plan_of_base(
    card: NetworkCard, labels: Sequence[Label], settings: RelabelSettings, seed: int
) -> TrainingPlan:
    """Return the plan by which a copy of a network is trained, but for the steps of an epoch.

    Grid, intensity rules and patches are the network's own.

    Args:
        card: Of the network that is started from.
        labels: Of the study; where they are the network's own, in the network's order.
        settings: Epochs, batch and rate.
        seed: Of the training.

    Raises:
        WeightsError: The network cannot be trained here.
    """
    if card.orientation is None or card.spacing_mm is None or card.patch_size is None:
        raise WeightsError(
            f"The network {card.id} takes any grid or no patches; one with an orientation, a "
            "spacing and a patch size is needed to train a copy of it."
        )
    if card.monai is not None or card.folds > 1 or card.output != "softmax":
        raise WeightsError(
            f"The network {card.id} was prepared by another tool's own steps, or answers several "
            "labels at once; a copy of it cannot be trained here."
        )
    own = same_labels(card, labels)
    arguments = {**card.architecture.arguments(), "out_channels": 1 + len(labels)}
    return TrainingPlan(
        architecture=Architecture(card.architecture.name, tuple(arguments.items())),
        labels=card.labels if own else tuple(labels),
        channels=card.channels,
        modality=card.modality,
        orientation=card.orientation,
        spacing_mm=card.spacing_mm,
        intensity=card.intensity,
        patch_size=card.patch_size,
        batch_size=settings.batch_size or (PLANES if card.patch_size[2] == 1 else PATCHES),
        epochs=settings.epochs,
        steps_per_epoch=1,
        learning_rate=settings.learning_rate,
        optimizer=settings.optimizer,
        loss="dice-ce-smooth" if settings.smooths else "dice-ce",
        precision=settings.precision,
        seed=seed,
        validation_fraction=0.0,
        overlap=card.overlap,
        conventions=card.conventions,
    )


def start_weights(start: Base, plan: TrainingPlan) -> Weights:
    """Return the tensors that a training of a plan starts from.

    Where the study has other labels than the network, the head's rows follow by name and new ones
    are random, from the plan's seed; see `starting_weights`.

    Raises:
        WeightsError: The plan has another architecture.
    """
    if same_labels(start.card, plan.labels):
        return start.weights
    return starting_weights(start.card, start.weights, plan).weights


def same_labels(card: NetworkCard, labels: Sequence[Label]) -> bool:
    """Return whether a network's labels are those of a study, value by value and name by name."""
    return {(x.value, x.name) for x in card.labels} == {(x.value, x.name) for x in labels}


def steps_per_epoch(shapes: Sequence[tuple[int, ...]], patch: Sequence[int], batch: int) -> int:
    """Return the steps in which a training sees about every voxel once.

    Args:
        shapes: Of the prepared cases ``(X, Y, Z)``.
        patch: Sides of a patch.
        batch: Patches per step.
    """
    patches = sum(max(1, round(math.prod(shape) / math.prod(patch))) for shape in shapes)
    return max(1, math.ceil(patches / batch))
