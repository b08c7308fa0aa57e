"""The loss of a `TwoScaleUNet` on one volume: the whole head coarsely, one crop of it finely."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..networks.architectures.space_to_depth_unet import space_to_depth
from ..networks.architectures.two_scale_unet import TwoScaleUNet
from .losses import dice_and_cross_entropy

# Blocks of 4 mm along each side of a crop.
CROP_BLOCKS = 20
# Voxels at a crop's faces that are not asked for: their neighbors are not seen.
MARGIN = 4
# Places of the 2 mm block for which the coarse answer is asked, at random: all eight cost more than
# they teach.
PLACES = 2
COARSE_WEIGHT = 0.4


def two_scale_loss(
    network: TwoScaleUNet,
    volume: np.ndarray,
    channels: np.ndarray,
    dice_weight: float,
    rng: np.random.Generator,
) -> Tensor:
    """Return the loss on a volume `(I, J, K)` of 1 mm voxels with its channels `(I, J, K)`.

    Args:
        network: to train.
        volume: 0 to 1.
        channels: uint8.
        dice_weight: of the Dice part.
        rng: chooses the crop, and which voxels the coarse answer is compared with.
    """
    patch = torch.from_numpy(volume.astype(np.float32))[None, None]
    truth = torch.from_numpy(channels)[None, None]
    # On CPUs with AVX512-BF16 and without AMX, torch 2.13 gives kernel gradients of NaN or worse
    # for bfloat16 convolutions on grids of two voxels (oneDNN 3.12); three and more are right.
    fast = min(patch.shape[2:]) >= 3 * network.stride
    with torch.autocast("cpu", torch.bfloat16, enabled=fast):
        features = network.whole.training_features(functional.avg_pool3d(patch, 2))
        coarse = _coarse_rows(network, features, truth, rng)
        start = [int(rng.integers(0, max(1, n - CROP_BLOCKS + 1))) for n in features.shape[2:]]
        fine = network.fine_logits(_crop(patch, start, 4), _crop(features, start, 1))
    fine_rows = _rows(_inner(fine), network.out_channels)
    fine_truth = _rows(_inner(space_to_depth(_crop(truth, start, 4))), 1)[:, 0].long()
    return dice_and_cross_entropy(fine_rows, fine_truth, dice_weight) + (
        COARSE_WEIGHT * dice_and_cross_entropy(*coarse, dice_weight)
    )


def _coarse_rows(
    network: TwoScaleUNet, features: Tensor, truth: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return logits `(N, K)` and channels `(N,)` of some places of all 2 mm blocks."""
    # A voxel of 2 mm is eight of 1 mm: one of them, another one each time, stands for it.
    i, j, k = (int(n) for n in rng.integers(0, 2, 3))
    folded = space_to_depth(truth[..., i::2, j::2, k::2])
    places = rng.choice(8, PLACES, replace=False).tolist()
    head, count = network.whole_head, network.out_channels
    assert head.bias is not None
    weight = head.weight.reshape(8, count, *head.weight.shape[1:])[places].flatten(0, 1)
    bias = head.bias.reshape(8, count)[places].flatten()
    logits = functional.conv3d(features, weight, bias)
    return _rows(logits, count), _rows(folded[:, places], 1)[:, 0].long()


def _crop(volume: Tensor, start: list[int], side: int) -> Tensor:
    """Return the crop that starts at blocks `start`, of a volume with `side` voxels per block."""
    i, j, k = (slice(side * a, side * (a + CROP_BLOCKS)) for a in start)
    return volume[:, :, i, j, k]


def _inner(folded: Tensor) -> Tensor:
    """Return folded voxels without the margin."""
    kept = slice(MARGIN // 2, -(MARGIN // 2))
    return folded[:, :, kept, kept, kept]


def _rows(folded: Tensor, count: int) -> Tensor:
    """Return `(N, count)` of `(1, places * count, X, Y, Z)`."""
    return folded[0].permute(1, 2, 3, 0).reshape(-1, count)
