"""How well a network does on cases that it was not trained on, as they would be segmented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..core.patches import logits_slabs
from ..core.progress import IGNORE, Progress
from ..core.windows import plan_windows
from .plan import Precision, TrainingPlan
from .training_case import IGNORED, PreparedCase

Scores = tuple[float | None, ...]


@dataclass(frozen=True)
class HoldOutScores:
    """Dice on the plan's grid.

    Attributes:
        cases: Case ID to the Dice of each label: None where it is in neither, 0 where in one.
        labels: Of each label, the mean over the cases that have a number.
        mean: Of the labels that have one; None where none has.
    """

    cases: dict[str, Scores]
    labels: Scores
    mean: float | None


def scores_on(
    network: nn.Module,
    cases: Sequence[PreparedCase],
    plan: TrainingPlan,
    precision: Precision = "fp32",
    progress: Progress = IGNORE,
) -> HoldOutScores:
    """Return the scores of a network on prepared cases.

    Args:
        network: As an `InferenceForm`, in evaluation mode.
        cases: On the plan's grid.
        plan: Says patch size and overlap.
        precision: ``bf16`` computes in it where the device can.
        progress: Told before each case and patch.
    """
    found: dict[str, Scores] = {}
    for number, case in enumerate(cases):
        told = _of_case(progress, number, len(cases))
        answer = predicted_channels(network, case, plan, precision, told)
        found[case.id] = dice_of_labels(case.channels, answer, len(plan.labels))
    return pooled(found, len(plan.labels))


def predicted_channels(
    network: nn.Module,
    case: PreparedCase,
    plan: TrainingPlan,
    precision: Precision = "fp32",
    progress: Progress = IGNORE,
) -> NDArray[np.uint8]:
    """Return the winning channel of each voxel, `(I, J, K)`, by the windows of `segment`."""
    shape = case.channels.shape
    windows = plan_windows((shape[0], shape[1], shape[2]), plan.patch_size, plan.overlap)
    answer = np.empty(shape, np.uint8)
    run = _Runner(network, precision)
    padding = case.padding or None
    for slab in logits_slabs(case.array, run, windows, padding=padding, progress=progress):
        planes = [slice(None)] * 3
        planes[slab.axis] = slice(slab.start, slab.stop)
        answer[tuple(planes)] = slab.logits.argmax(axis=0)
    return answer


def dice_of_labels(truth: NDArray[np.uint8], found: NDArray[np.uint8], labels: int) -> Scores:
    """Return the Dice of channels 1 to ``labels``, voxels that are not known left out."""
    known = truth != IGNORED
    both = np.bincount(truth[known & (truth == found)], minlength=labels + 1)
    sizes = np.bincount(truth[known], minlength=labels + 1)
    sizes = sizes + np.bincount(found[known], minlength=labels + 1)
    return tuple(
        float(2 * both[label] / sizes[label]) if sizes[label] else None
        for label in range(1, labels + 1)
    )


def pooled(cases: dict[str, Scores], labels: int) -> HoldOutScores:
    """Return the scores of cases with their means."""
    means: list[float | None] = []
    for label in range(labels):
        numbers = [s for scores in cases.values() if (s := scores[label]) is not None]
        means.append(float(np.mean(numbers)) if numbers else None)
    known = [mean for mean in means if mean is not None]
    return HoldOutScores(cases, tuple(means), float(np.mean(known)) if known else None)


def _of_case(progress: Progress, number: int, cases: int) -> Progress:
    part = progress.part(number / cases, (number + 1) / cases)
    return Progress(lambda done, _: part(done, f"Scoring case {number + 1} of {cases}"))


class _Runner:
    """A torch module as the sliding window calls it."""

    def __init__(self, network: nn.Module, precision: Precision) -> None:
        self._network = network
        self._device = next(network.parameters()).device
        self._is_bf16 = precision == "bf16"

    @torch.inference_mode()
    def __call__(self, patch: NDArray[np.float32], /) -> NDArray[np.float32]:
        tensor = torch.from_numpy(np.require(patch, requirements=["C", "W"])).to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._is_bf16):
            logits = self._network(tensor)
        answer: NDArray[np.float32] = logits.float().cpu().numpy()
        return answer
