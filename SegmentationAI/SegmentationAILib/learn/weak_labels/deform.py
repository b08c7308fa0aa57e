"""Weak labels made from known ones, as wrong as asked: deformed until the mean Dice is a target.

For trying the relabelling loop where the truth is known. The deformation is that of `random_warp`.
The published loop started at a mean Dice of 0.875 and does not say how strongly it deformed; here
the strength is searched for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError
from ...core.progress import IGNORE, Progress
from .random_warp import RandomWarp, random_warp

Integers = NDArray[np.integer[Any]]
Spacing = tuple[float, float, float]

TOLERANCE: Final = 0.005
SMALLEST_TARGET: Final = 0.1
# Halvings of the interval: far below one voxel's worth of strength for any scan.
HALVINGS: Final = 24
DOUBLINGS: Final = 6
# Searching on is of no use: this is a tenth of what the published loop gained in one iteration.
CLOSE_ENOUGH: Final = 0.001


@dataclass(frozen=True, eq=False)
class KnownLabels:
    """Labels that are held for true.

    Attributes:
        labels: ``(I, J, K)`` integers, 0 is background.
        spacing: Of the voxels, mm.
    """

    labels: Integers
    spacing: Spacing


@dataclass(frozen=True, eq=False)
class DeformedSet:
    """Deformed labels of a set of cases.

    Attributes:
        labels: One array ``(I, J, K)`` per case, dtype as it came.
        dice: Per case, the mean over its labels against what it came from; None where there was
            nothing to deform.
        strength: What all cases were deformed with.
    """

    labels: tuple[Integers, ...]
    dice: tuple[float | None, ...]
    strength: float

    @property
    def mean_dice(self) -> float:
        """Mean over the cases that have labels."""
        return float(np.mean([score for score in self.dice if score is not None]))


def deform_to_dice(
    cases: Sequence[KnownLabels],
    target_dice: float,
    *,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    progress: Progress = IGNORE,
) -> DeformedSet:
    """Return the labels of all cases, deformed by one strength to a mean Dice.

    Case number n is deformed with the seed ``(seed, n)``: the same again, and each in its own way.
    Takes 12 bytes per voxel about each case's labels.

    Args:
        cases: Not changed.
        target_dice: Wanted mean over the cases, above 0.1 and below 1.
        seed: Source of all that is random.
        tolerance: How far the mean may miss the target.
        progress: Told per case of each step of the search.

    Raises:
        SegmentationAIError: The target is out of range, nothing is labeled, or the voxels are too
            coarse for the target to be met.
        Cancelled: Raised by ``progress``.
    """
    if not SMALLEST_TARGET < target_dice < 1.0:
        raise SegmentationAIError(
            f"A Dice of {target_dice:g} was asked for; one between {SMALLEST_TARGET:g} and 1 can "
            "be deformed to, such as 0.875."
        )
    if not any(case.labels.any() for case in cases):
        raise SegmentationAIError("Nothing is labeled, so nothing can be deformed; draw it first.")
    seeds = np.random.SeedSequence(seed).generate_state(max(len(cases), 1))
    warps = [
        random_warp(case.labels, case.spacing, int(own))
        for case, own in zip(cases, seeds, strict=True)
    ]
    found = _searched(cases, warps, target_dice, progress)
    if abs(found.mean_dice - target_dice) > tolerance:
        raise SegmentationAIError(
            f"The nearest mean Dice to {target_dice:g} that these labels can be deformed to is "
            f"{found.mean_dice:.3f}: they have too few voxels. Take more cases or finer voxels."
        )
    return found


def mean_label_dice(truth: Integers, labels: Integers) -> float | None:
    """Return the mean Dice over the labels of ``truth``, None when it has none."""
    scores = []
    for value in np.unique(truth[truth != 0]):
        first, second = truth == value, labels == value
        scores.append(2.0 * np.count_nonzero(first & second) / (first.sum() + second.sum()))
    return float(np.mean(scores)) if scores else None


def _searched(
    cases: Sequence[KnownLabels], warps: Sequence[RandomWarp], target: float, progress: Progress
) -> DeformedSet:
    """Return the nearest set of the search: twice as strong until passed, then halving."""
    low, high = 0.0, 1.0
    found = best = _deformed(cases, warps, high, progress.part(0.0, 0.1))
    for step in range(DOUBLINGS):
        if found.mean_dice <= target:
            break
        part = progress.part(0.1 + 0.2 * step / DOUBLINGS, 0.1 + 0.2 * (step + 1) / DOUBLINGS)
        low, high = high, 2.0 * high
        found = _deformed(cases, warps, high, part)
        best = min(best, found, key=lambda one: abs(one.mean_dice - target))
    for step in range(HALVINGS):
        if abs(best.mean_dice - target) <= CLOSE_ENOUGH:
            break
        part = progress.part(0.3 + 0.7 * step / HALVINGS, 0.3 + 0.7 * (step + 1) / HALVINGS)
        middle = (low + high) / 2
        found = _deformed(cases, warps, middle, part)
        low, high = (middle, high) if found.mean_dice > target else (low, middle)
        best = min(best, found, key=lambda one: abs(one.mean_dice - target))
    return best


def _deformed(
    cases: Sequence[KnownLabels],
    warps: Sequence[RandomWarp],
    strength: float,
    progress: Progress,
) -> DeformedSet:
    labels, dice = [], []
    for number, (case, warp) in enumerate(zip(cases, warps, strict=True)):
        progress(number / len(cases), f"Deforming case {number + 1} of {len(cases)}")
        labels.append(warp.apply(case.labels, strength))
        dice.append(mean_label_dice(case.labels, labels[-1]))
    return DeformedSet(tuple(labels), tuple(dice), strength)
