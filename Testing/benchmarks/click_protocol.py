"""The protocol: click what is wrong most, note the Dice, until it is good or 20 clicks are used."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.simulated_clicks import Click, next_click

MOST_CLICKS = 20
GOALS = (0.80, 0.85, 0.90)

Contestant = Callable[[Volume], "Opened"]


class Opened:
    """Something that answers clicks on one volume."""

    def click(self, click: Click) -> np.ndarray:
        """Return the mask after one more click, bool `(I, J, K)`."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back what it holds."""


@dataclass
class Course:
    """What happened on one target.

    Attributes:
        dice: after each click.
        seconds: of each answer, the click's own placing not counted.
        final: the last mask.
    """

    dice: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    final: np.ndarray | None = None


def run(
    contestant: Contestant, volume: Volume, target: np.ndarray, most: int = MOST_CLICKS
) -> Course:
    """Return the course of one target.

    It ends early once Dice exceeds the highest goal, and when nothing is wrong any more.
    """
    course, mask = Course(), np.zeros(target.shape, dtype=bool)
    opened = contestant(volume)
    try:
        for _ in range(most):
            click = next_click(target, mask, volume.spacing)
            if click is None:
                break
            started = time.perf_counter()
            mask = opened.click(click)
            course.seconds.append(time.perf_counter() - started)
            course.dice.append(dice(mask, target))
            if course.dice[-1] > max(GOALS):
                break
    finally:
        opened.close()
    course.final = mask
    return course


def clicks_to(course_dice: list[float], goal: float) -> int:
    """Return how many clicks it took to a Dice, `MOST_CLICKS` when it was not reached."""
    reached = [n for n, value in enumerate(course_dice, start=1) if value >= goal]
    return reached[0] if reached else MOST_CLICKS


def seconds_to(course_dice: list[float], seconds: list[float], goal: float) -> float:
    """Return the seconds of the answers until a Dice, of all of them when it was not reached."""
    return sum(seconds[: clicks_to(course_dice, goal)])


def dice_at(course_dice: list[float], clicks: int) -> float:
    """Return the Dice after so many clicks; one that ended early keeps its last."""
    return course_dice[min(clicks, len(course_dice)) - 1]


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Dice of two masks."""
    return float(2 * np.count_nonzero(first & second) / (first.sum() + second.sum()))
