"""Losses of label training, pooled over the batch: every one is made of sums over its voxels.

All take logits `(B, K, ...)` of any float type and a `LossTarget` on the same grid, compute in
float32, count a voxel by its weight (0 where nothing is known), and return a scalar. A structure
that does not occur in the batch is left to the cross-entropy by the losses that are called with
it: its Dice is 0 for any false positive, however small, and would add noise.

Sources: Dice: Milletari et al., V-Net, 3DV 2016, doi:10.1109/3DV.2016.79, with plain sums. Focal:
Lin et al., ICCV 2017, doi:10.1109/ICCV.2017.324. Tversky: Salehi et al., MLMI 2017,
doi:10.1007/978-3-319-67389-9_44. Soft Jaccard over the batch: the liver papers of MIUA 2023 (see
`networks.architectures.liver_unet`). Weighted binary cross-entropy: Li et al., "Advanced deep
networks for 3D mitochondria instance segmentation", 2021, arXiv:2104.07961, with the weights that
its code has (the printed rule weights the rarer class down).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .across_processes import summed
from .loss_target import LossTarget

FOCUS = 2.0
# Tversky's weights of what is drawn too much and of what is missed, as in the paper.
TOO_MUCH, MISSED = 0.3, 0.7
# A batch with next to no foreground would be nothing but its weight.
MOST_IMBALANCE = 0.95
SMALLEST = 1e-5


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Weighted sums over a batch, `(K,)` each.

    Attributes:
        hit: Probability of the channel where it is right.
        predicted: Probability of the channel anywhere.
        present: Voxels where it is right.
    """

    hit: Tensor
    predicted: Tensor
    present: Tensor


def cross_entropy(logits: Tensor, target: LossTarget) -> Tensor:
    """Return the mean of minus the logarithm of the right channel's probability."""
    return _weighted_mean(-_log_of_right(logits, target), target)


def focal(logits: Tensor, target: LossTarget) -> Tensor:
    """Return the cross-entropy with each voxel weighted by the square of what it lacks to 1."""
    log_right = _log_of_right(logits, target)
    return _weighted_mean(-((1.0 - log_right.exp()) ** FOCUS) * log_right, target)


def dice(logits: Tensor, target: LossTarget) -> Tensor:
    """Return 1 minus the mean soft Dice of the structures that occur; 0 where none does."""
    found = overlaps(logits, target)
    score = (2.0 * found.hit + SMALLEST) / (found.predicted + found.present + SMALLEST)
    return _mean_of_present(1.0 - score, found)


def tversky(logits: Tensor, target: LossTarget) -> Tensor:
    """Return 1 minus the mean Tversky index of the structures that occur; 0 where none does."""
    found = overlaps(logits, target)
    too_much, missed = found.predicted - found.hit, found.present - found.hit
    below = found.hit + TOO_MUCH * too_much + MISSED * missed
    return _mean_of_present(1.0 - (found.hit + SMALLEST) / (below + SMALLEST), found)


def jaccard(logits: Tensor, target: LossTarget) -> Tensor:
    """Return the mean soft Jaccard distance of all structures, those that do not occur as well."""
    found = overlaps(logits, target)
    union = found.predicted + found.present - found.hit
    return (1.0 - (found.hit + SMALLEST) / (union + SMALLEST))[1:].mean()


def dice_and_cross_entropy(logits: Tensor, target: LossTarget) -> Tensor:
    """Return the sum of both."""
    return dice(logits, target) + cross_entropy(logits, target)


def weighted_binary_cross_entropy(logits: Tensor, target: LossTarget) -> Tensor:
    """Return the mean over structures of the binary cross-entropy, the rarer side weighted up.

    A structure's probability is that of the softmax. With `f` the share of the batch that it fills,
    cut to 0.05 to 0.95, its voxels weigh `(1 - f) / f` where it is the rarer side, and the others
    `f / (1 - f)` where they are; both weigh 1 where only one side occurs.
    """
    log_inside = functional.log_softmax(logits.float(), dim=1)[:, 1:]
    log_outside = torch.log1p(-log_inside.exp().clamp(max=1.0 - 1e-6))
    structures = torch.arange(1, logits.shape[1], device=logits.device)
    shape = (1, -1, *([1] * (logits.ndim - 2)))
    inside = (target.channels[:, None] == structures.reshape(shape)).float()
    counted = target.weights[:, None]
    axes = [0, *range(2, logits.ndim)]
    filled, total = summed((counted * inside).sum(axes)), summed(target.weights.sum())
    share = filled / total.clamp(min=SMALLEST)
    bounded = share.clamp(1.0 - MOST_IMBALANCE, MOST_IMBALANCE)
    both = (filled > 0) & (filled < total)
    ratio = (1.0 - bounded) / bounded
    own = torch.where(both & (bounded <= 0.5), ratio, 1.0).reshape(shape)
    others = torch.where(both & (bounded > 0.5), 1.0 / ratio, 1.0).reshape(shape)
    voxels = -(own * inside * log_inside + others * (1.0 - inside) * log_outside)
    per_structure = summed((counted * voxels).sum(axes)) / total.clamp(min=SMALLEST)
    return per_structure.mean()


def overlaps(logits: Tensor, target: LossTarget) -> Overlaps:
    """Return the sums that overlap losses are made of, over all processes."""
    count = logits.shape[1]
    probabilities = functional.softmax(logits.float(), dim=1)
    of_right = probabilities.gather(1, target.channels[:, None])[:, 0] * target.weights
    flat = target.channels.reshape(-1)
    zeros = torch.zeros(count, device=logits.device)
    hit = zeros.index_add(0, flat, of_right.reshape(-1))
    present = zeros.index_add(0, flat, target.weights.reshape(-1))
    axes = [0, *range(2, logits.ndim)]
    predicted = (probabilities * target.weights[:, None]).sum(axes)
    found = summed(torch.stack([hit, predicted, present]))
    return Overlaps(found[0], found[1], found[2])


def _log_of_right(logits: Tensor, target: LossTarget) -> Tensor:
    logarithms = functional.log_softmax(logits.float(), dim=1)
    return logarithms.gather(1, target.channels[:, None])[:, 0]


def _weighted_mean(voxels: Tensor, target: LossTarget) -> Tensor:
    sums = summed(torch.stack([(voxels * target.weights).sum(), target.weights.sum()]))
    return sums[0] / sums[1].clamp(min=SMALLEST)


def _mean_of_present(losses: Tensor, found: Overlaps) -> Tensor:
    occurs = (found.present[1:] > 0).float()
    return (losses[1:] * occurs).sum() / occurs.sum().clamp(min=1.0)
