"""What a training tells while it runs: for curves, pictures and logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StepDone:
    """One step was taken.

    Attributes:
        step: How many were taken so far.
        epoch: From 1.
        loss: Of the step's patches, before the step.
        learning_rate: With which it was taken.
    """

    step: int
    epoch: int
    loss: float
    learning_rate: float


@dataclass(frozen=True)
class EpochDone:
    """An epoch ended and the hold-out was looked at.

    Attributes:
        epoch: From 1.
        step: Steps taken so far.
        loss: Mean of the epoch's steps.
        dice: Of each label, mean over the watched cases; None where it occurs in none.
        mean_dice: Over the labels, None without a hold-out.
        is_best: Whether no epoch before was better.
        seconds: Trained so far, pauses not counted.
    """

    epoch: int
    step: int
    loss: float
    dice: tuple[float | None, ...]
    mean_dice: float | None
    is_best: bool
    seconds: float


@dataclass(frozen=True, eq=False)
class SampleDrawn:
    """A picture of what the network finds now in a case of the hold-out.

    Attributes:
        epoch: From 1.
        case_id: Which case.
        picture: `(rows, columns, 3)` uint8: the plane with the most voxels of a label, on the left
            with the outlines of the truth, on the right with those found.
    """

    epoch: int
    case_id: str
    picture: NDArray[np.uint8]


@dataclass(frozen=True)
class Noted:
    """Something that the person has to know: a fallback, or why the training ended.

    Attributes:
        step: Steps taken so far.
        sentence: For the person.
    """

    step: int
    sentence: str


TrainingEvent = StepDone | EpochDone | SampleDrawn | Noted
OnEvent = Callable[[TrainingEvent], None]


def no_one(_event: TrainingEvent) -> None:
    """Take no notice."""


def event_to_json(event: TrainingEvent) -> dict[str, Any]:
    """Return an event as a JSON object with its kind; of a picture only its shape."""
    kind = {StepDone: "step", EpochDone: "epoch", SampleDrawn: "sample", Noted: "note"}
    if isinstance(event, SampleDrawn):
        facts = {"epoch": event.epoch, "case": event.case_id, "shape": list(event.picture.shape)}
    else:
        facts = asdict(event)
    return {"event": kind[type(event)], **facts}
