"""The training protocols of the liver papers: one stage, several in a row, or all data at once.

"Cross-modality deep transfer learning: application to liver segmentation in CT and MRI", MIUA 2023,
Springer LNCS 14122, doi:10.1007/978-3-031-48593-0. Single-stage transfer is `trainer.train` with
weights to start from. In several stages each starts from the one before, and what was learned first
is forgotten: so every stage is scored on the hold-out of every data set. The universal network
learns from all data sets together, their cases shuffled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.progress import IGNORE, Progress
from ..networks.device import choose_device
from ..networks.trainable import InferenceForm, TrainableNetwork
from ..networks.weights import Weights
from .frozen_layers import Freeze
from .hold_out import HoldOutScores, scores_on
from .plan import TrainingPlan
from .trainer import TrainedNetwork, TrainingOptions, train
from .training_case import PreparedCase
from .training_events import OnEvent, no_one
from .training_session import load_weights, seeded_network


@dataclass(frozen=True, eq=False)
class Stage:
    """One training of a protocol.

    Attributes:
        name: Of its folder, and of its data set among the hold-outs where it is one.
        cases: To learn from.
        plan: Of the same network, labels and grid as the other stages'.
        freeze: What stays as it is.
    """

    name: str
    cases: Sequence[PreparedCase]
    plan: TrainingPlan
    freeze: Freeze = "none"


@dataclass(frozen=True, eq=False)
class StageResult:
    """What came out of a stage.

    Attributes:
        name: Of the stage.
        trained: The network after it.
        scores: On the hold-out of every data set, by its name.
    """

    name: str
    trained: TrainedNetwork
    scores: dict[str, HoldOutScores]


def train_in_stages(
    stages: Sequence[Stage],
    hold_outs: Mapping[str, Sequence[PreparedCase]],
    *,
    output: Path,
    start: Weights | None = None,
    options: TrainingOptions | None = None,
    progress: Progress = IGNORE,
    on_event: OnEvent = no_one,
) -> tuple[StageResult, ...]:
    """Train one stage after the other, each from the network of the one before.

    Can be resumed: stages that are finished are read back.

    Args:
        stages: In order.
        hold_outs: By the name of the data set; a stage watches the one of its own name.
        output: Gets a folder for each stage.
        start: Weights of the first stage; None for random ones.
        options: Of each stage; ``resume`` takes up what is there.
        progress: Told before each step.
        on_event: Told everything.

    Raises:
        SegmentationAIError: See `trainer.train`.
        Cancelled: Raised by ``progress``.
    """
    options = options or TrainingOptions()
    results: list[StageResult] = []
    for number, stage in enumerate(stages):
        part = progress.part(number / len(stages), (number + 1) / len(stages))
        trained = train(
            stage.cases, stage.plan,
            output=output / f"{number + 1:02d}-{stage.name}",
            hold_out=hold_outs.get(stage.name, ()),
            start=start, freeze=stage.freeze, options=options, progress=part, on_event=on_event,
        )  # fmt: skip
        start = trained.weights
        scores = scores_of(trained, hold_outs, options.device)
        results.append(StageResult(stage.name, trained, scores))
    return tuple(results)


def scores_of(
    trained: TrainedNetwork,
    hold_outs: Mapping[str, Sequence[PreparedCase]],
    device: str = "auto",
) -> dict[str, HoldOutScores]:
    """Return a network's scores on the hold-out of every data set."""
    network = seeded_network(trained.plan)
    load_weights(network, trained.weights)
    assert isinstance(network, TrainableNetwork)
    answer = InferenceForm(network).eval().to(choose_device(device).torch_name)
    return {name: scores_on(answer, cases, trained.plan) for name, cases in hold_outs.items()}


def pooled_cases(data_sets: Mapping[str, Sequence[PreparedCase]]) -> list[PreparedCase]:
    """Return the cases of several data sets as one, for a universal network.

    Their IDs get the name of their data set in front. The trainer shuffles them.
    """
    return [
        replace(case, id=f"{name}/{case.id}") for name, cases in data_sets.items() for case in cases
    ]
