"""The networks of a study's iterations on the disk: whole, hashed, opened like any other."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...core.errors import WeightsError
from ...core.staging import publish, staged
from ...networks.build import RunningNetwork, load_network
from ...networks.card import NetworkCard
from ...networks.card_reader import MAX_CARD_BYTES, card_from_bytes
from ...networks.ensemble import Ensemble, joint_sha256
from ...networks.network_source import CARD
from ...networks.segmenter import Segmenter
from ...networks.store import WEIGHTS
from ...networks.training_record import Parent
from ...networks.weights import Weights, read_weights
from ..network_folder import NetworkFacts, write_network
from ..plan import TrainingPlan
from ..plan_file import plan_to_bytes
from ..study.study import NETWORKS, Study
from ..trainer import TrainedNetwork
from ..training_case import PreparedCase
from ..training_folder import sha256_of_cases

_TRAINING: Final = "-training-"


@dataclass(frozen=True, eq=False)
class IterationNetwork:
    """A network that an iteration has trained.

    Attributes:
        card: Its card.
        weights: Its tensors.
    """

    card: NetworkCard
    weights: Weights


def network_folder(study: Study, iteration: int, member: int) -> Path:
    """Return the folder of a network: one that `networks install` takes."""
    return study.folder / NETWORKS / f"{iteration:04d}-{member}"


def training_folder(
    study: Study, iteration: int, member: int, plan: TrainingPlan, cases: Sequence[PreparedCase]
) -> Path:
    """Return the folder in which a training keeps its checkpoints while it runs.

    Another plan or other cases, such as when one has failed since a kill, have another folder:
    what was begun with those is not gone on with.
    """
    words = plan_to_bytes(plan) + sha256_of_cases(cases).encode()
    key = hashlib.sha256(words).hexdigest()[:12]
    return study.folder / NETWORKS / f"{iteration:04d}-{member}{_TRAINING}{key}"


def discard_trainings(study: Study) -> None:
    """Remove the checkpoints of trainings that have ended; nobody trains meanwhile."""
    for folder in (study.folder / NETWORKS).glob(f"*{_TRAINING}*"):
        shutil.rmtree(folder, ignore_errors=True)


def keep_network(
    study: Study,
    iteration: int,
    member: int,
    base: NetworkCard,
    trained: TrainedNetwork,
    cases: Sequence[PreparedCase],
) -> None:
    """Write a trained network: its folder is there whole, or not at all.

    Args:
        study: Open.
        iteration: That trained it.
        member: Number of the network in the iteration.
        base: Card of the study's base network, whose license it has.
        trained: The network.
        cases: It has learned from.
    """
    target = network_folder(study, iteration, member)
    facts = NetworkFacts(
        id=f"relabel-{study.facts.id[:8]}-{iteration}-{member}",
        title=f"{base.title}, relabelling iteration {iteration}",
        task=f"Trained on the labels of a study from {base.id}.",
        license=base.license,
        parents=(Parent(base.id, base.sha256),),
    )
    with staged(target.parent) as staging:
        ready = staging / target.name
        write_network(ready, trained, facts, cases, ())
        publish(ready, target)


def read_network(study: Study, iteration: int, member: int) -> IterationNetwork:
    """Return a network that was kept.

    Raises:
        WeightsError: It is missing, changed or damaged.
    """
    folder = network_folder(study, iteration, member)
    path = folder / CARD
    if not path.is_file() or path.stat().st_size > MAX_CARD_BYTES:
        raise WeightsError(
            f"The network of iteration {iteration} is not in the study any more; restore "
            f"{folder.name} from a backup, or roll back to an iteration before it."
        )
    card = card_from_bytes(path.read_bytes(), f"{CARD} of {folder.name}")
    return IterationNetwork(card, read_weights(folder / WEIGHTS, card.sha256))


def segmenter_of(networks: Sequence[IterationNetwork], device: str = "auto") -> Segmenter:
    """Return networks opened to segment: one, or several by the mean of their probabilities.

    Args:
        networks: At least one, with the same card but for the weights.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """
    running: list[RunningNetwork] = [
        load_network(one.card, one.weights, device, "fp32") for one in networks
    ]
    card = networks[0].card
    sha256 = joint_sha256([one.card.sha256 for one in networks])
    if len(running) == 1:
        return Segmenter(card, running[0], sha256)
    name = f"{card.id.rsplit('-', 1)[0]}-all"
    return Segmenter(card.renamed(name), Ensemble(running, card.output), sha256)
