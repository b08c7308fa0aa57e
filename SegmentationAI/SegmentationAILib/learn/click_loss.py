"""The loss of the click network: what is drawn has to fit, first of all where was pointed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# A voxel under a prompt counts this many times more in the cross-entropy.
PROMPTED = 6.0


def click_loss(logits: Tensor, target: Tensor, prompted: Tensor, inside: Tensor) -> Tensor:
    """Return binary cross-entropy plus one minus soft Dice, mean over the batch.

    Dice is that of Milletari et al., V-Net, 3DV 2016, doi:10.1109/3DV.2016.79, with plain sums.

    Args:
        logits: `(B, ...)`, any float type; computed in float32.
        target: same shape, 0 or 1, float32.
        prompted: same shape, 0 to 1: how close a prompt is.
        inside: same shape, 1 where the scan reaches; elsewhere nothing counts.
    """
    logits = logits.float().flatten(1)
    target, prompted, inside = target.flatten(1), prompted.flatten(1), inside.flatten(1)
    weight = inside * (1.0 + PROMPTED * prompted)
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    cross_entropy = (weight * each).sum(dim=1) / weight.sum(dim=1).clamp_min(1.0)
    probabilities = torch.sigmoid(logits) * inside
    both = (probabilities * target).sum(dim=1)
    dice = (2.0 * both + 1.0) / (probabilities.sum(dim=1) + target.sum(dim=1) + 1.0)
    return (cross_entropy + 1.0 - dice).mean()
