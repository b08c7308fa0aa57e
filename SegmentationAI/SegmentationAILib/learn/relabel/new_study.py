"""A new study from what a person names: folders, a base network, a share to hold out."""

from dataclasses import dataclass
from pathlib import Path

from ...core.errors import WeightsError
from ...core.progress import IGNORE, Progress
from ...networks.card import NetworkCard
from ...networks.registry import build
from ...networks.store import NetworkStore, StoredNetwork
from ...networks.trainable import TrainableNetwork
from ..study.create import StudySource, create_study
from ..study.study import Study
from ..study.weak_method import WeakMethod
from .base import plan_of_base
from .own_labels import OwnName, own_labels
from .settings import RelabelSettings


@dataclass(frozen=True)
class NewStudy:
    """What a study is to be made from.

    Attributes:
        images: Folder of the volumes; they stay there.
        weak_labels: Folder with a labelmap of the same name for each, or the name of a method of
            `own_labels` that makes them now.
        base: ID of the network that each iteration starts from.
        references: Folder with reference labels for scores, None without any.
        hold_out: Share of the cases that no network learns from, 0 to under 1.
        seed: Chooses the held-out cases.
        device: On which a network makes the first labels.
    """

    images: Path
    weak_labels: Path | OwnName
    base: str
    references: Path | None = None
    hold_out: float = 0.0
    seed: int = 0
    device: str = "auto"


def make_study(
    folder: Path, asked: NewStudy, progress: Progress = IGNORE, store: NetworkStore | None = None
) -> Study:
    """Make a study and return it opened; see `create_study`.

    Args:
        folder: Of the study: absent or empty.
        asked: What it is made from.
        progress: Told at least once per case.
        store: Where networks are, None for this person's own.

    Raises:
        WeightsError: The base network is not installed, or a copy of it cannot be trained.
        SegmentationAIError: See `create_study`; nothing is left of the study.
        Cancelled: Raised by ``progress``; nothing is left either.
    """
    store = store or NetworkStore()
    base = _base(asked.base, store)
    weak: Path | WeakMethod
    if isinstance(asked.weak_labels, Path):
        weak = asked.weak_labels
    else:
        progress(0.0, "Preparing the first labels")
        weak = own_labels(asked.weak_labels, base.card.id, store, asked.device)
    source = StudySource(
        images=asked.images,
        weak_labels=weak,
        base=base.card.id,
        base_sha256=base.card.sha256,
        base_labels=base.card.labels,
        references=asked.references,
        hold_out=asked.hold_out,
        seed=asked.seed,
    )
    return create_study(folder, source, progress)


def networks_for_a_base(store: NetworkStore | None = None) -> tuple[NetworkCard, ...]:
    """Return the cards of all networks at hand of which a copy can be trained, by ID."""
    found = []
    for one in (store or NetworkStore()).listing().networks:
        try:
            _check_base(one)
        except WeightsError:
            continue
        if _is_trained_here(one.card):
            found.append(one.card)
    return tuple(found)


def _base(network_id: str, store: NetworkStore) -> StoredNetwork:
    """Return the base network, sure that it is here and that a copy of it can be trained."""
    base = store.find(network_id)
    _check_base(base)
    return base


def _check_base(base: StoredNetwork) -> None:
    """Raise unless a network is here and a copy of it can be trained."""
    card = base.card
    if base.weights is None:
        raise WeightsError(
            f"The network {card.id} is not installed; install it in the step Networks, or run: "
            f"segmentationai networks install {card.id}"
        )
    if card.promptable:
        raise WeightsError(
            f"The network {card.id} answers prompts and segments nothing by itself; choose another "
            "base."
        )
    plan_of_base(card, card.labels, RelabelSettings(), 0)


def _is_trained_here(card: NetworkCard) -> bool:
    network = build(card.architecture.name, card.architecture.arguments())
    return isinstance(network, TrainableNetwork)
