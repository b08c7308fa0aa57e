"""The first look of a `TwoScaleUNet` from weights of the version with 16 structures at 2 mm."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..networks.architectures.space_to_depth_unet import GROUPS
from ..networks.architectures.two_scale_unet import TwoScaleUNet
from .brain_structures import CHANNEL_OF_VALUE, CHANNELS, MIRRORED_CHANNEL

# What that version answered, in the order of its channels after background.
ANSWERED = (2, 3, 4, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 24, 28)
# Structures that it counted to others: they start as these, and less likely.
PART_OF = {5: 4, 26: 11}
LESS = 2.0


@torch.no_grad()
def start_from_coarse(network: TwoScaleUNet, weights: Mapping[str, Tensor]) -> None:
    """Copy what fits into the network, in place; what reads the volume is frozen.

    A level that is narrower than it was keeps the first channels of each group of its norm.
    """
    for name, parameter in network.whole.named_parameters():
        parameter.copy_(_narrowed(weights[name].float(), parameter.shape))
    for frozen in (network.whole.stem, network.whole.encoder[0]):
        frozen.requires_grad_(False)
    head, bias = weights["head.weight"].float(), weights["head.bias"].float()
    channel = {0: 0} | {value: n for n, value in enumerate(ANSWERED, start=1)}
    for value, here in CHANNEL_OF_VALUE.items():
        source = channel[PART_OF.get(value, value)] if value in PART_OF or value in channel else -1
        if source < 0:
            continue
        offset = LESS if value in PART_OF else 0.0
        for target in {here, int(MIRRORED_CHANNEL[here])}:
            for place in range(8):
                row = place * CHANNELS + target
                network.whole_head.weight[row] = head[8 * source + place]
                assert network.whole_head.bias is not None
                network.whole_head.bias[row] = bias[8 * source + place] - offset


def _narrowed(weight: Tensor, shape: torch.Size) -> Tensor:
    for axis, (was, now) in enumerate(zip(weight.shape, shape, strict=True)):
        if was != now:
            kept = torch.arange(was).reshape(GROUPS, -1)[:, : now // GROUPS].flatten()
            weight = weight.index_select(axis, kept)
    return weight
