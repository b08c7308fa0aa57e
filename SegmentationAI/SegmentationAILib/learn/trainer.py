"""Training a network on prepared cases: from random or given weights to a network with scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.progress import IGNORE, Progress
from ..networks.device import choose_device, compute_on_cores
from ..networks.weights import Weights
from .across_processes import process_number
from .checkpoint_file import load_checkpoint
from .frozen_layers import Freeze
from .hold_out import HoldOutScores, scores_on
from .learning_rate import Schedule
from .named_losses import loss_by_name
from .patch_sampler import PatchSampler
from .plan import TrainingPlan
from .training_case import PreparedCase
from .training_events import OnEvent, TrainingEvent, no_one
from .training_folder import TrainingFolder, sha256_of_cases
from .training_log import TrainingLog
from .training_loop import TrainingLoop
from .training_session import TrainingSession

# The share of the progress that is left for the last look at the whole hold-out.
TRAINED = 0.97


@dataclass(frozen=True)
class TrainingOptions:
    """How a training is run.

    Attributes:
        minutes: Length by the clock; None takes the plan's epochs. By the clock, a resumed
            training is not bit for bit the uninterrupted one.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        resume: Go on with the training in the folder, where there is one.
        schedule: Of the learning rate.
    """

    minutes: float | None = None
    device: str = "auto"
    resume: bool = False
    schedule: Schedule = "cosine"


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """What came out of a training.

    Attributes:
        weights: Float32 tensors by name.
        plan: With the patches and batch that memory allowed.
        scores: On the whole hold-out, in single precision; None without one.
        losses: Of every step.
        best_epoch: The epoch whose weights these are, from 1; 0 without a hold-out.
        seconds: Trained, pauses not counted.
        notes: Fallbacks and why it ended, sentences.
    """

    weights: Weights
    plan: TrainingPlan
    scores: HoldOutScores | None
    losses: tuple[float, ...]
    best_epoch: int
    seconds: float
    notes: tuple[str, ...]


def train(
    cases: Sequence[PreparedCase],
    plan: TrainingPlan,
    *,
    output: Path,
    hold_out: Sequence[PreparedCase] = (),
    start: Weights | None = None,
    freeze: Freeze = "none",
    options: TrainingOptions | None = None,
    progress: Progress = IGNORE,
    on_event: OnEvent = no_one,
) -> TrainedNetwork:
    """Train a network and return that of the epoch that was best on the hold-out.

    On one CPU, a training that was killed and resumed gives the same losses, bit for bit, as one
    that was not, when the plan says its length. To pause, let ``progress`` wait.

    Args:
        cases: To learn from.
        plan: What to do.
        output: Folder for checkpoints and curves; made when absent.
        hold_out: Cases to watch and score, none of them in ``cases``.
        start: Weights to start from, all of the plan's network (see `starting_weights`); None for
            random ones.
        freeze: What stays as it is.
        options: How to run it.
        progress: Told before each step.
        on_event: Told everything, see `training_events`.

    Raises:
        SegmentationAIError: The folder holds another training, the plan names no loss or network of
            ours, memory does not suffice, or the loss is not finite again and again.
        Cancelled: Raised by ``progress``; the folder can be resumed.
    """
    options = options or TrainingOptions()
    loss_by_name(plan.loss)
    device = choose_device(options.device)
    if device.kind == "cpu":
        compute_on_cores()
    folder = TrainingFolder(output, plan, sha256_of_cases([*cases, *hold_out]), freeze)
    is_resumed = options.resume and folder.last.exists()
    if not is_resumed:
        folder.begin(plan)
    session = TrainingSession(plan, freeze, device, start)
    events = _Events(on_event)
    loop = TrainingLoop(
        session, PatchSampler(cases, plan), plan, hold_out, folder, events,
        options.minutes, options.schedule,
    )  # fmt: skip
    if is_resumed:
        loop.resume()
    else:
        loop.save()
    if process_number() == 0:
        events.log = TrainingLog(output, session.step, tuple(lab.name for lab in plan.labels))
    try:
        loop.run(progress.part(0.0, TRAINED))
        return _result(loop, progress.part(TRAINED, 1.0))
    finally:
        events.close()


class _Events:
    """Hands events to the caller and to the log."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self.log: TrainingLog | None = None

    def __call__(self, event: TrainingEvent) -> None:
        if self.log is not None:
            self.log(event)
        self._on_event(event)

    def close(self) -> None:
        if self.log is not None:
            self.log.close()


def _result(loop: TrainingLoop, progress: Progress) -> TrainedNetwork:
    best = load_checkpoint(loop.folder.best)
    loop.session.averaged.load_state_dict(best["averaged"])
    plan = loop.current_plan
    scores = None
    if loop.hold_out:
        scores = scores_on(loop.session.answer, loop.hold_out, plan, "fp32", progress)
    weights = {
        name: tensor.detach().cpu().contiguous().numpy()
        for name, tensor in loop.session.averaged.state_dict().items()
    }
    kept = loop.kept
    return TrainedNetwork(
        weights=weights,
        plan=replace(plan, notes=tuple(dict.fromkeys((*plan.notes, *kept.notes)))),
        scores=scores,
        losses=tuple(kept.losses),
        best_epoch=kept.best_epoch,
        seconds=kept.seconds,
        notes=tuple(kept.notes),
    )
