"""Losses for label training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def dice_and_cross_entropy(logits: Tensor, channels: Tensor, dice_weight: float = 1.0) -> Tensor:
    """Return cross-entropy plus weighted one minus mean soft Dice of the channels that occur.

    The Dice part is that of Milletari et al., V-Net, 3DV 2016, doi:10.1109/3DV.2016.79, with plain
    (not squared) sums; background counts as one channel. A channel that does not occur is left to
    the cross-entropy: its Dice is 0 for any false positive, however small, and would add noise.

    Args:
        logits: `(N, K)`, a row per voxel, any float type; computed in float32.
        channels: `(N,)` int64, 0 to K - 1.
        dice_weight: of the Dice part.
    """
    count = logits.shape[1]
    log_probabilities = functional.log_softmax(logits.float(), dim=1)
    of_target = log_probabilities.gather(1, channels[:, None])[:, 0]
    cross_entropy = -of_target.mean()
    hit = torch.zeros(count).index_add(0, channels, of_target.exp())
    predicted = log_probabilities.exp().sum(dim=0)
    present = torch.bincount(channels, minlength=count).float()
    dice = (2.0 * hit + 1.0) / (predicted + present + 1.0)
    return cross_entropy + dice_weight * (1.0 - dice[present > 0].mean())
