"""A loss on the distance to the right boundary, beside one on the overlap.

Kervadec et al., "Boundary loss for highly unbalanced segmentation", Medical Image Analysis
67:101851, 2021, doi:10.1016/j.media.2020.101851. The paper raises its share during the training;
here it stays what the paper begins with.
"""

from __future__ import annotations

import edt
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .across_processes import summed
from .label_losses import SMALLEST, dice_and_cross_entropy
from .loss_target import LossTarget

SHARE = 0.01


def boundary(logits: Tensor, target: LossTarget) -> Tensor:
    """Return the mean over voxels and structures of probability times signed distance, in voxels.

    The distance is negative inside of the structure; a structure that does not occur in a patch
    has none there.

    Args:
        logits: `(B, K, ...)`.
        target: On the same grid.
    """
    distances = torch.from_numpy(signed_distances(target.channels.cpu().numpy(), logits.shape[1]))
    probabilities = functional.softmax(logits.float(), dim=1)[:, 1:]
    products = probabilities * distances.to(logits.device) * target.weights[:, None]
    sums = summed(torch.stack([products.sum(), target.weights.sum()]))
    return sums[0] / sums[1].clamp(min=SMALLEST) / (logits.shape[1] - 1)


def boundary_and_overlap(logits: Tensor, target: LossTarget) -> Tensor:
    """Return Dice and cross-entropy plus `SHARE` of the boundary loss."""
    return dice_and_cross_entropy(logits, target) + SHARE * boundary(logits, target)


def signed_distances(channels: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """Return `(B, count - 1, ...)`: distance of each voxel to the other side of each structure.

    Outside it is the distance to the structure's nearest voxel; inside it is minus the distance to
    the nearest voxel outside, plus 1, so that the voxels along the surface are 0.

    Args:
        channels: `(B, ...)`.
        count: Channels of the logits.
    """
    distances = np.zeros((len(channels), count - 1, *channels.shape[1:]), np.float32)
    for patch, rows in zip(channels, distances, strict=True):
        for structure, row in enumerate(rows, start=1):
            inside = patch == structure
            if inside.any() and not inside.all():
                outer = edt.edt(np.ascontiguousarray(~inside), parallel=1)
                inner = edt.edt(np.ascontiguousarray(inside), parallel=1)
                row[:] = np.where(inside, 1.0 - inner, outer)
    return distances
