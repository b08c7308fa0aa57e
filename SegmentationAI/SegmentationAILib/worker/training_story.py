"""A training as far as it has come: curves short enough to travel with every sign of progress."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from ..core.atomic import whole_file
from ..learn.training_events import EpochDone, Noted, SampleDrawn, StepDone, TrainingEvent
from ..learn.training_log import read_curves

# A curve 300 pixels wide shows no more; a line of progress stays far below its limit.
MOST_POINTS: Final = 150
MOST_NOTES: Final = 5
SAMPLE: Final = "sample.png"
Point = tuple[int, float]


class TrainingStory:
    """Collects what a training tells.

    Args:
        folder: Of the training; the last sample is kept in it.
        names: Of the structures, in the plan's order.
        steps: Planned, 0 when the clock ends the training.
    """

    def __init__(self, folder: Path, names: Sequence[str], steps: int) -> None:
        self._folder, self._names, self._steps = folder, tuple(names), steps
        self._losses: list[Point] = []
        self._dice: list[Point] = []
        self._of_labels: tuple[float | None, ...] = ()
        self._rate: float | None = None
        self._notes: list[str] = []
        self._sample: tuple[int, str] = (0, "")

    def remember(self) -> None:
        """Take up the curves and the sample that a training which goes on has in its folder."""
        for event in read_curves(self._folder):
            if event.get("event") == "step":
                self._losses.append((int(event["step"]), float(event["loss"])))
            elif event.get("event") == "epoch" and event["mean_dice"] is not None:
                self._dice.append((int(event["step"]), float(event["mean_dice"])))
            elif event.get("event") == "sample" and (self._folder / SAMPLE).is_file():
                self._sample = int(event["epoch"]), str(event["case"])

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
            with whole_file(self._folder / SAMPLE) as beside:
                Image.fromarray(event.picture).save(beside, "PNG")
            self._sample = event.epoch, event.case_id
        elif isinstance(event, Noted):
            self._notes = [*self._notes, event.sentence][-MOST_NOTES:]

    def facts(self) -> dict[str, Any]:
        """Return the curves and where the training stands, ready for JSON."""
        epoch, case = self._sample
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
            "sample": epoch,
            "sample_case": case,
            "notes": list(self._notes),
        }

    def picture(self) -> bytes:
        """Return the last sample as a PNG file, empty before there is one."""
        return (self._folder / SAMPLE).read_bytes() if self._sample[0] else b""


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
