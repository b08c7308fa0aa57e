"""Which patches a step sees: a function of the seed and the step alone.

Nothing is remembered between steps, so that a resumed training, and one shared by several
processes, sees exactly the patches of an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .patch_cutting import Patch, cut_patch
from .plan import TrainingPlan
from .random_intensities import RandomIntensities
from .random_placement import RandomPlacement
from .training_case import IGNORED, PreparedCase

Shape = tuple[int, int, int]
# Voxels remembered per label and case to center patches on.
MOST_CENTERS = 4096
_ORDER, _CENTERS = 1, 2


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches of one step.

    Attributes:
        patches: `(B, C, X, Y, Z)` float32, or `(B, C, X, Y)` for a network of planes.
        channels: `(B, ...)` uint8.
        weights: `(B, ...)` float32, None where every known voxel counts 1.
    """

    patches: Tensor
    channels: Tensor
    weights: Tensor | None


class PatchSampler:
    """Draws the patches of each step.

    Cases come in a new random order each time all were seen. An exact share of the patches is
    centered on a voxel of a label, each label of the case being equally likely; the others lie
    anywhere. Where the case is larger than the patch, the patch lies within it.

    Args:
        cases: At least one.
        plan: Patch size, shares, mirrors and seed.
        placement: None for the default with the plan's mirrors.
        intensities: None for the default.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        plan: TrainingPlan,
        placement: RandomPlacement | None = None,
        intensities: RandomIntensities | None = None,
    ) -> None:
        if not cases:
            raise ValueError("there is no case to draw patches from")
        self._cases = tuple(cases)
        self._plan = plan
        self._placement = placement or RandomPlacement(mirror_axes=plan.mirror_axes)
        self._intensities = intensities or RandomIntensities()
        self._centers = [_centers(case, plan.seed) for case in cases]

    def batch(self, step: int, shape: Shape, size: int, first: int = 0, count: int = 0) -> Batch:
        """Return patches `first` to `first + count` of those of a step.

        Args:
            step: From 0.
            shape: Of a patch; the third side is 1 for planes.
            size: Patches of the step, over all processes.
            first: Of this process.
            count: Of this process, 0 for all.
        """
        numbers = range(first, first + (count or size))
        drawn = [self._patch(step, number, step * size + number, shape) for number in numbers]
        has_weights = any(patch.weights is not None for patch in drawn)
        patches = torch.from_numpy(np.stack([patch.array for patch in drawn]))
        channels = torch.from_numpy(np.stack([patch.channels for patch in drawn]))
        weights = None
        if has_weights:
            weights = torch.from_numpy(np.stack([_weights(patch) for patch in drawn]))
        if self._plan.is_of_planes:
            patches, channels = patches[..., 0], channels[..., 0]
            weights = None if weights is None else weights[..., 0]
        return Batch(patches, channels, weights)

    def _patch(self, step: int, number: int, position: int, shape: Shape) -> Patch:
        rng = np.random.default_rng([self._plan.seed, step, number])
        index = self._case_at(position)
        case = self._cases[index]
        share = self._plan.foreground_fraction
        on_label = int((position + 1) * share + 1e-9) > int(position * share + 1e-9)
        start = _start(rng, case, self._centers[index] if on_label else [], shape)
        matrix = self._placement.draw(rng, self._plan.spacing_mm, of_planes=self._plan.is_of_planes)
        patch = cut_patch(case, start, shape, matrix)
        return Patch(self._intensities.apply(rng, patch.array), patch.channels, patch.weights)

    def _case_at(self, position: int) -> int:
        round_, place = divmod(position, len(self._cases))
        order = np.random.default_rng([self._plan.seed, _ORDER, round_])
        return int(order.permutation(len(self._cases))[place])


def _centers(case: PreparedCase, seed: int) -> list[np.ndarray]:
    """Return for each label of a case some of its voxels, `(n, 3)`."""
    centers = []
    rng = np.random.default_rng([seed, _CENTERS])
    for label in np.unique(case.channels):
        if label in (0, IGNORED):
            continue
        voxels = np.flatnonzero(case.channels == label)
        if len(voxels) > MOST_CENTERS:
            voxels = rng.choice(voxels, MOST_CENTERS, replace=False)
        centers.append(np.stack(np.unravel_index(voxels, case.channels.shape), axis=1))
    return centers


def _start(
    rng: np.random.Generator, case: PreparedCase, centers: list[np.ndarray], shape: Shape
) -> Shape:
    """Return the first voxel of a patch; a case smaller than it lies in its middle."""
    room = [length - side for length, side in zip(case.channels.shape, shape, strict=True)]
    starts = [int(rng.integers(0, free + 1)) if free > 0 else -(-free // 2) for free in room]
    if centers:
        of_label = centers[int(rng.integers(len(centers)))]
        center = of_label[int(rng.integers(len(of_label)))]
        starts = [
            min(max(int(middle) - side // 2, 0), free) if free > 0 else start
            for middle, side, free, start in zip(center, shape, room, starts, strict=True)
        ]
    return starts[0], starts[1], starts[2]


def _weights(patch: Patch) -> np.ndarray:
    return np.ones(patch.channels.shape, np.float32) if patch.weights is None else patch.weights
