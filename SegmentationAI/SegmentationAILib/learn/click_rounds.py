"""One object through the rounds of a correction: prompts come, the answer changes, until it fits.

Every round is a training step, and its answer is what the next click corrects: no forward pass is
made for the sake of the clicks alone. Starts are those of real work: a first click, a box, a
scribble, a mask that somebody else drew, and a coarse look that is to be refined.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..refine.click_input import PatchPrompts, click_input, seed_intensity
from .click_samples import LEAST_VOXELS, OUTSIDE, Sample
from .deform import Array
from .simulated_clicks import Click, deepest_point, next_click
from .wrong_masks import coarse_look, wrong_mask

Mask = NDArray[np.bool_]

# As many as a person has patience for: with 6, the network did not know what a tenth click means.
MOST_ROUNDS = 10
# An answer that differs in less than this share of the target is done.
DONE_SHARE = 0.02
_STARTS = ("click", "box", "scribble", "wrong mask", "coarse look")
_START_SHARES = (0.58, 0.07, 0.06, 0.13, 0.16)


class Rounds:
    """What is known of one object now.

    Attributes:
        target: what is wanted, `(X, Y, Z)`.
        outside: where the scan does not reach.
        left: rounds that are still to come.
    """

    def __init__(self, rng: np.random.Generator, sample: Sample, target: Mask) -> None:
        turned = _turn(rng)
        self._rng = rng
        self._intensities = turned(sample.intensities).astype(np.float32)
        self.outside: Mask = turned(sample.labels == OUTSIDE)
        self.target: Mask = turned(target)
        self.left = int(rng.integers(1, MOST_ROUNDS + 1))
        self._positive = np.zeros(target.shape, dtype=bool)
        self._negative = np.zeros(target.shape, dtype=bool)
        self._region: Mask | None = None
        self._previous: Array | None = None
        self._seed: float | None = None
        self._start(_STARTS[rng.choice(len(_STARTS), p=_START_SHARES)])

    def input(self) -> Array:
        """Return the network's channels `(7, X, Y, Z)`."""
        prompts = PatchPrompts(self._positive, self._negative, self._region)
        return click_input(self._intensities, self.outside, self._previous, prompts, self._seed)

    def answered(self, probabilities: Array) -> bool:
        """Take the network's answer `(X, Y, Z)`; return whether another round follows."""
        # What a person said outright holds whatever the network answers.
        answer = ((probabilities > 0.5) | self._positive) & ~self._negative & ~self.outside
        self.left -= 1
        wrong = np.count_nonzero(answer != self.target)
        if self.left <= 0 or wrong <= DONE_SHARE * np.count_nonzero(self.target):
            return False
        soft = self._rng.random() < 0.2
        self._previous = probabilities if soft else answer.astype(np.float32)
        self._seed = None
        self._correct(answer)
        return True

    def _start(self, kind: str) -> None:
        rng, target = self._rng, self.target
        if kind == "wrong mask":
            mask = wrong_mask(rng, target) & ~self.outside
            self._previous = mask.astype(np.float32)
            self._correct(mask)
        elif kind == "coarse look":
            self._previous = coarse_look(rng, target)
            self._seed = seed_intensity(self._intensities, _one_voxel(target), self.outside)
            self.left = min(self.left, 2)
            if rng.random() < 0.5:
                self._point(Click(deepest_point(target), True))
        elif kind == "scribble":
            self._scribble(target, True)
        else:
            if kind == "box":
                self._region = _loose_box(rng, target)
            if kind == "click" or rng.random() < 0.5:
                self._point(Click(self._place_in(target, 0.15), True))

    def _correct(self, answer: Mask) -> None:
        click = next_click(self.target, answer)
        if click is None:
            return
        error = (self.target & ~answer) if click.positive else (answer & ~self.target)
        if self._rng.random() < 0.06:
            self._scribble(error, click.positive)
        elif self._rng.random() < 0.15:
            self._point(Click(self._place_in(error, 1.0), click.positive))
        else:
            self._point(click)

    def _point(self, click: Click) -> None:
        (self._positive if click.positive else self._negative)[click.ijk] = True

    def _place_in(self, mask: Mask, anywhere: float) -> tuple[int, int, int]:
        """Return the deepest voxel, or with a probability any one."""
        if self._rng.random() >= anywhere:
            return deepest_point(mask)
        places = np.argwhere(mask)
        i, j, k = places[int(self._rng.integers(len(places)))]
        return int(i), int(j), int(k)

    def _scribble(self, mask: Mask, positive: bool) -> None:
        """Draw from the deepest voxel towards another one, as far as the mask reaches."""
        first = np.array(deepest_point(mask))
        second = np.array(self._place_in(mask, 1.0))
        for share in np.linspace(0.0, 1.0, int(np.abs(second - first).max()) + 2):
            i, j, k = np.rint(first + share * (second - first)).astype(int)
            if not mask[i, j, k]:
                return
            (self._positive if positive else self._negative)[i, j, k] = True


def random_target(rng: np.random.Generator, sample: Sample) -> Mask | None:
    """Return something to ask for in a sample, `(X, Y, Z)`; None when there is nothing."""
    sizes = np.bincount(sample.labels.ravel(), minlength=256).astype(np.float64)
    sizes[[0, OUTSIDE]] = 0.0
    values = np.flatnonzero(sizes >= LEAST_VOXELS)
    if len(values) == 0:
        return None
    weights = sizes[values] ** 0.25
    count = 1
    if sample.unions and len(values) > 1 and rng.random() < 0.2:
        count = int(rng.integers(2, min(4, len(values)) + 1))
    chosen = rng.choice(values, count, replace=False, p=weights / weights.sum())
    target = np.isin(sample.labels, chosen)
    # Nearly everything is nothing to point at.
    return None if target.mean() > 0.7 else target


def _one_voxel(mask: Mask) -> Mask:
    one = np.zeros(mask.shape, dtype=bool)
    one[deepest_point(mask)] = True
    return one


def _loose_box(rng: np.random.Generator, target: Mask) -> Mask:
    """Return a box around the target as a person draws it, a few voxels off."""
    region = np.zeros(target.shape, dtype=bool)
    places = np.nonzero(target)
    slices = []
    for axis in places:
        slack = 1.0 + 0.08 * (axis.max() - axis.min())
        first, last = np.rint(rng.normal(0.7, 0.6, 2) * slack).astype(int)
        low, high = int(axis.min()) - first, int(axis.max()) + 1 + last
        slices.append(slice(max(low, 0), max(high, low + 1, 1)))
    region[tuple(slices)] = True
    return region


def _turn(rng: np.random.Generator):  # type: ignore[no-untyped-def]  # generic over the dtype
    """Return a function that flips and exchanges axes, at random but the same for all."""
    order = tuple(int(axis) for axis in rng.permutation(3))
    flips = tuple(slice(None, None, int(step)) for step in rng.choice([-1, 1], 3))
    return lambda array: np.ascontiguousarray(array.transpose(order)[flips])
