"""The losses that a plan can name, and their sum over the logits of deep supervision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor

from ..core.errors import SegmentationAIError
from .boundary_loss import boundary_and_overlap
from .label_losses import (
    cross_entropy,
    dice,
    dice_and_cross_entropy,
    focal,
    jaccard,
    tversky,
    weighted_binary_cross_entropy,
)
from .loss_target import LossTarget
from .smoothed_loss import smoothed_dice_and_cross_entropy

Loss = Callable[[Tensor, LossTarget], Tensor]

LOSSES: Final[dict[str, Loss]] = {
    "dice-ce": dice_and_cross_entropy,
    "dice-ce-smooth": smoothed_dice_and_cross_entropy,
    "dice": dice,
    "cross-entropy": cross_entropy,
    "focal": focal,
    "jaccard": jaccard,
    "tversky": tversky,
    "weighted-bce": weighted_binary_cross_entropy,
    "boundary": boundary_and_overlap,
}


def loss_by_name(name: str) -> Loss:
    """Return a loss.

    Raises:
        SegmentationAIError: There is none of that name; the message lists those there are.
    """
    if name not in LOSSES:
        raise SegmentationAIError(
            f"There is no loss {name[:40]!a}; choose one of {', '.join(LOSSES)}."
        )
    return LOSSES[name]


def supervised_loss(
    loss: Loss,
    logits: Sequence[Tensor],
    target: LossTarget,
    strides: Sequence[Sequence[int]],
) -> Tensor:
    """Return the mean of the losses of all logits, each level weighing half of the one above.

    Args:
        loss: Of one level.
        logits: Finest first, as `TrainableNetwork.training_logits` gives them.
        target: On the grid of the finest.
        strides: For each of the logits, voxels of the target per voxel along each axis.
    """
    weights = deep_supervision_weights(len(logits))
    losses = [
        weight * loss(level, target.at_stride(steps))
        for weight, level, steps in zip(weights, logits, strides, strict=True)
    ]
    return torch.stack(losses).sum()


def deep_supervision_weights(levels: int) -> tuple[float, ...]:
    """Return the weights of the levels, finest first: halves, with the sum 1, as in nnU-Net.

    Examples:
        >>> [round(weight, 3) for weight in deep_supervision_weights(3)]
        [0.571, 0.286, 0.143]
    """
    halves = [0.5**level for level in range(levels)]
    return tuple(half / sum(halves) for half in halves)
