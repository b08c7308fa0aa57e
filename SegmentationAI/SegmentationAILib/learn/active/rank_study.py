"""Which case of a study to correct next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...core.progress import IGNORE, Progress
from ...networks.card import NetworkCard
from ...networks.store import NetworkStore
from ...networks.weights import Weights
from ..relabel.base import plan_of_base, read_base
from ..relabel.networks import read_network
from ..relabel.settings import RelabelSettings
from ..study.iterations import iterations
from ..study.label_table import labels_from_text
from ..study.study import Study
from .pool import Ranked, check_budget
from .strategies import StrategyName, strategy_named, what_is_seen
from .study_pool import pool_of

# Shares of the time: reading and preparing, then looking.
READ = 0.2


@dataclass(frozen=True)
class Ranking:
    """What to label next.

    Attributes:
        cases: The most wanted first.
        strategy: Its name.
        network: ID of the network that looked; empty where none did.
        iteration: That trained it, 0 for the base network.
        labeled: How many cases a person has decided.
        unlabeled: How many were chosen from.
        left_out: Reason by the name of a case that could not be read.
    """

    cases: tuple[Ranked, ...]
    strategy: StrategyName
    network: str
    iteration: int
    labeled: int
    unlabeled: int
    left_out: dict[str, str]


@dataclass(frozen=True)
class RankRequest:
    """What is asked.

    Attributes:
        strategy: One of `strategies.STRATEGIES`.
        budget: Cases at the utmost.
        auxiliary: Folder of a second modality for m-vaal; None takes the current labels.
        seed: Of everything random.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """

    strategy: StrategyName
    budget: int
    auxiliary: Path | None = None
    seed: int = 0
    device: str = "auto"


def rank_study(
    study: Study,
    request: RankRequest,
    store: NetworkStore | None = None,
    progress: Progress = IGNORE,
) -> Ranking:
    """Return which cases of a study to label next; nothing of the study changes.

    The network that looks is that of the current iteration, before the first one the base.

    Args:
        study: Open.
        request: What is asked.
        store: Where the base network is.
        progress: Told at least once per case.

    Raises:
        SegmentationAIError: The pool lacks what the strategy needs, or the network does.
        WeightsError: The base network is not installed any more.
        Cancelled: Raised by ``progress``.
    """
    check_budget(request.budget)
    card, weights, iteration = _current_network(study, store or NetworkStore())
    plan = plan_of_base(card, labels_from_text(study.facts.labels), RelabelSettings(), 0)
    sees = what_is_seen(request.strategy)
    found = pool_of(study, plan.input_rules(), sees, request.auxiliary, progress.part(0.0, READ))
    strategy = strategy_named(
        request.strategy, card, lambda: weights, device=request.device, seed=request.seed
    )
    ranked = strategy.rank(found.pool, request.budget, progress.part(READ, 1.0))
    looks = request.strategy not in ("random", "vaal", "m-vaal")
    return Ranking(
        cases=ranked,
        strategy=request.strategy,
        network=card.id if looks else "",
        iteration=iteration,
        labeled=len(found.pool.labeled),
        unlabeled=len(found.pool.unlabeled),
        left_out=found.left_out,
    )


def _current_network(study: Study, store: NetworkStore) -> tuple[NetworkCard, Weights, int]:
    kept = [one for one in iterations(study) if one.is_finished and not one.is_rolled_back]
    if not kept:
        base = read_base(study, store)
        return base.card, base.weights, 0
    network = read_network(study, kept[-1].number, 0)
    return network.card, network.weights, kept[-1].number
