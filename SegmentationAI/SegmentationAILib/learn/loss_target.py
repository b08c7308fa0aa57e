"""What is right at each voxel of a batch, and how much it counts, as losses take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .training_case import IGNORED


@dataclass(frozen=True, eq=False)
class LossTarget:
    """The truth of a batch of patches.

    Attributes:
        channels: `(B, ...)` int64, index into the logits; 0 where nothing is known.
        weights: `(B, ...)` float32, how much each voxel counts; 0 where nothing is known.
    """

    channels: Tensor
    weights: Tensor

    def at_stride(self, strides: Sequence[int]) -> LossTarget:
        """Return the target on a coarser grid: the voxel in the middle of each cell."""
        if max(strides) == 1:
            return self
        cut = (slice(None), *(slice(stride // 2, None, stride) for stride in strides))
        return LossTarget(self.channels[cut], self.weights[cut])


def loss_target(channels: Tensor, weights: Tensor | None = None) -> LossTarget:
    """Return the target of a batch.

    Args:
        channels: `(B, ...)` of any integer type; `IGNORED` where nothing is known.
        weights: `(B, ...)` float32, None is 1 everywhere.
    """
    known = channels != IGNORED
    counted = known.to(torch.float32) if weights is None else weights * known
    return LossTarget(torch.where(known, channels, 0).long(), counted)
