"""Dice after some clicks, on what was held out: the protocol of the benchmark, patch by patch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..networks.architectures.click_unet import ClickUNet
from ..refine.click_input import PatchPrompts, click_input
from .click_rounds import random_target
from .click_samples import OUTSIDE, SIDE, Sample, Source
from .deform import Array
from .simulated_clicks import next_click

CLICKS = (1, 3, 5)
# A smaller object of a whole validation patch says more about its voxels than about the network.
LEAST_VOXELS = 30

Answer = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Question:
    """A sample and what to segment in it, a mask `(X, Y, Z)`."""

    sample: Sample
    target: NDArray[np.bool_]


def questions(source: Source, count: int, seed: int, only: tuple[int, ...] = ()) -> list[Question]:
    """Return `count` questions; a seed gives the same.

    Args:
        source: what to draw from.
        count: how many.
        seed: of every random choice.
        only: labels to ask for; any by default.
    """
    rng = np.random.default_rng([seed, 3000])
    found: list[Question] = []
    while len(found) < count:
        sample = source.sample(rng)
        if only:
            kept = np.where(np.isin(sample.labels, (*only, OUTSIDE)), sample.labels, 0)
            sample = Sample(sample.intensities, kept.astype(np.uint8), False)
        target = random_target(rng, sample)
        if target is not None and target.sum() >= LEAST_VOXELS:
            found.append(Question(sample, target))
    return found


def dice_after_clicks(answer: Answer, asked: list[Question]) -> NDArray[np.float64]:
    """Return Dice `(questions, len(CLICKS))` after 1, 3 and 5 clicks.

    Args:
        answer: logits `(X, Y, Z)` of channels `(7, X, Y, Z)`.
        asked: with at least one question.
    """
    return np.array([_one_object(answer, question) for question in asked])


def answer_of(network: ClickUNet) -> Answer:
    """Return the network as a function of numpy arrays, in bfloat16 as it is trained."""

    @torch.no_grad()
    def answer(channels: Array) -> Array:
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(torch.from_numpy(channels)[None])
        return np.asarray(logits[0, 0].float().numpy())

    return answer


def _one_object(answer: Answer, question: Question) -> list[float]:
    outside = question.sample.labels == OUTSIDE
    intensities = question.sample.intensities.astype(np.float32)
    positive, negative = (np.zeros((SIDE,) * 3, dtype=bool) for _ in range(2))
    drawn = np.zeros((SIDE,) * 3, dtype=bool)
    dice: list[float] = []
    for number in range(1, max(CLICKS) + 1):
        click = next_click(question.target, drawn)
        if click is not None:
            (positive if click.positive else negative)[click.ijk] = True
            before = drawn.astype(np.float32) if number > 1 else None
            channels = click_input(intensities, outside, before, PatchPrompts(positive, negative))
            drawn = (answer(channels) > 0) & ~outside
        if number in CLICKS:
            both = np.count_nonzero(drawn & question.target)
            dice.append(2.0 * both / (np.count_nonzero(drawn) + np.count_nonzero(question.target)))
    return dice
