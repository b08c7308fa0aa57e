"""A training as far as it has come: curves short enough to travel with every sign of progress."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from ..learn.training_events import EpochDone, Noted, SampleDrawn, StepDone, TrainingEvent
from ..learn.training_log import read_curves

# A curve 300 pixels wide shows no more; a line of progress stays far below its limit.
MOST_POINTS: Final = 150
MOST_NOTES: Final = 5
Point = tuple[int, float]


class TrainingStory:
    """Collects what a training tells.

    Args:
        names: Of the structures, in the plan's order.
        steps: Planned, 0 when the clock ends the training.
    """

    def __init__(self, names: Sequence[str], steps: int) -> None:
        self._names, self._steps = tuple(names), steps
        self._losses: list[Point] = []
        self._dice: list[Point] = []
        self._of_labels: tuple[float | None, ...] = ()
        self._rate: float | None = None
        self._notes: list[str] = []
        self._sample: SampleDrawn | None = None

    def remember(self, folder: Path) -> None:
        """Take up the curves that a training which goes on has in its folder."""
        for event in read_curves(folder):
            if event.get("event") == "step":
                self._losses.append((int(event["step"]), float(event["loss"])))
            elif event.get("event") == "epoch" and event["mean_dice"] is not None:
                self._dice.append((int(event["step"]), float(event["mean_dice"])))

    def hear(self, event: TrainingEvent) -> None:
        """Take up one event."""
        if isinstance(event, StepDone):
            self._losses = _before(self._losses, event.step)
            self._losses.append((event.step, event.loss))
            self._rate = event.learning_rate
        elif isinstance(event, EpochDone):
            self._of_labels = event.dice
            if event.mean_dice is not None:
                self._dice = _before(self._dice, event.step)
                self._dice.append((event.step, event.mean_dice))
        elif isinstance(event, SampleDrawn):
            self._sample = event
        elif isinstance(event, Noted):
            self._notes = [*self._notes, event.sentence][-MOST_NOTES:]

    def facts(self) -> dict[str, Any]:
        """Return the curves and where the training stands, ready for JSON."""
        sample = self._sample
        return {
            "step": self._losses[-1][0] if self._losses else 0,
            "steps": self._steps,
            "losses": shortened(self._losses),
            "dice": shortened(self._dice),
            "best": max((dice for _, dice in self._dice), default=None),
            "structures": [
                [name, None if dice is None else round(dice, 4)]
                for name, dice in zip(self._names, self._of_labels, strict=False)
            ],
            "rate": self._rate,
            "sample": 0 if sample is None else sample.epoch,
            "sample_case": "" if sample is None else sample.case_id,
            "notes": list(self._notes),
        }

    def picture(self) -> bytes:
        """Return the last sample as a PNG file, empty before there is one."""
        if self._sample is None:
            return b""
        stream = io.BytesIO()
        Image.fromarray(self._sample.picture).save(stream, "PNG")
        return stream.getvalue()


def shortened(points: Sequence[Point]) -> list[list[float]]:
    """Return a curve in at most `MOST_POINTS`: each the mean of neighbors, at the last one's step.

    Examples:
        >>> shortened([(1, 0.5), (2, 0.25)])
        [[1, 0.5], [2, 0.25]]
    """
    size = -(-len(points) // MOST_POINTS) or 1
    parts = [points[n : n + size] for n in range(0, len(points), size)]
    return [[part[-1][0], round(float(np.mean([y for _, y in part])), 5)] for part in parts]


def _before(points: list[Point], step: int) -> list[Point]:
    """Return the points before a step: a training that went back takes it once more."""
    if not points or points[-1][0] < step:
        return points
    return [point for point in points if point[0] < step]
