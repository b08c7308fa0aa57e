"""Dice and cross-entropy with label smoothing, for labels that are not to be taken at their word.

Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016,
doi:10.1109/CVPR.2016.308: a share of each voxel's certainty is spread evenly over all channels. On
noisy labels it acts as a loss correction: Lukasik et al., "Does label smoothing mitigate label
noise?", ICML 2020, arXiv:2003.02819.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from .across_processes import summed
from .label_losses import SMALLEST, cross_entropy, dice
from .loss_target import LossTarget

# What both papers use.
SPREAD: Final = 0.1


def smoothed_dice_and_cross_entropy(logits: Tensor, target: LossTarget) -> Tensor:
    """Return Dice plus the cross-entropy to labels of which a tenth is spread over all channels.

    Args:
        logits: `(B, K, ...)`.
        target: On the same grid.
    """
    smoothed = (1.0 - SPREAD) * cross_entropy(logits, target) + SPREAD * _evenly(logits, target)
    return dice(logits, target) + smoothed


def _evenly(logits: Tensor, target: LossTarget) -> Tensor:
    """Return the cross-entropy to labels that know nothing, mean over the voxels that count."""
    voxels = -functional.log_softmax(logits.float(), dim=1).mean(dim=1)
    sums = summed(torch.stack([(voxels * target.weights).sum(), target.weights.sum()]))
    return sums[0] / sums[1].clamp(min=SMALLEST)
