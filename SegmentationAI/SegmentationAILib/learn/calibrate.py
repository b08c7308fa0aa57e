"""Offsets of the logits that give every structure its true volume on synthesized heads.

A network that is unsure of a border answers the channel that costs least, not the one that makes
volumes right: measured here, hippocampi of trained heads came out a fifth too large. One number per
channel, found on volumes of the trained heads alone, removes that; it is the logit adjustment of
Menon et al., Long-tail learning via logit adjustment, ICLR 2021, doi:10.48550/arXiv.2007.07314,
with the offsets measured instead of taken from the frequencies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..networks.architectures.two_scale_unet import TwoScaleUNet

Offsets = NDArray[np.float32]

# This part of the voxels tells a structure's volume over many heads to about 1 %.
EVERY = 64
ROUNDS = 60
RATE = 0.5
# An offset beyond this would repair a channel that has not been learned: it must show instead.
LARGEST = 1.5


@torch.no_grad()
def volume_offsets(
    network: Callable[[Tensor], Tensor],
    samples: Iterable[tuple[np.ndarray, np.ndarray]],
    seed: int = 0,
) -> Offsets:
    """Return what to add to each channel's logits, `(channels,)`, background's being 0.

    Args:
        network: logits `(1, channels, I, J, K)` of a patch `(1, 1, I, J, K)`.
        samples: volumes `(I, J, K)` with their channels.
        seed: of the choice of voxels.
    """
    rng = np.random.default_rng(seed)
    logits, truth = [], []
    for volume, channels in samples:
        chosen = rng.permutation(channels.size)[: channels.size // EVERY]
        with torch.autocast("cpu", torch.bfloat16):
            answer = network(torch.from_numpy(volume.astype(np.float32))[None, None])
        logits.append(answer[0].float().flatten(1)[:, torch.from_numpy(chosen)].numpy())
        truth.append(channels.ravel()[chosen])
    return _matching_offsets(np.concatenate(logits, axis=1), np.concatenate(truth))


def add_offsets(network: TwoScaleUNet, offsets: Offsets) -> None:
    """Add offsets to the network's logits, in place: they become part of the last layer's bias."""
    bias = network.head.bias
    assert bias is not None
    with torch.no_grad():
        bias.add_(torch.from_numpy(np.tile(offsets, 8)))


def _matching_offsets(logits: NDArray[np.float32], truth: np.ndarray) -> Offsets:
    """Return the offsets after which the winning channels are as frequent as the true ones."""
    count = len(logits)
    wanted = np.bincount(truth, minlength=count) + 1.0
    offsets = np.zeros(count, dtype=np.float32)
    for round_ in range(ROUNDS):
        found = np.bincount((logits + offsets[:, None]).argmax(axis=0), minlength=count) + 1.0
        # Smaller and smaller: volumes of neighbors depend on each other.
        offsets += np.float32(RATE * (1 - round_ / ROUNDS)) * np.log(wanted / found).astype(
            np.float32
        )
        offsets = np.clip(offsets - offsets[0], -LARGEST, LARGEST)
    return offsets
