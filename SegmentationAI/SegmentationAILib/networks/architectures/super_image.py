"""Super images: the slices of a volume side by side as one picture, for any network of planes.

Sobirov, Saeed, Yaqub, Super images: a new 2D perspective on 3D medical imaging analysis, MIUA 2023,
Springer LNCS 14122, arXiv:2205.02847.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import build
from ..trainable import TrainableNetwork


class SuperImage(nn.Module):
    """Logits ``(B, out_channels, X, Y, Z)`` of ``(B, in_channels, X, Y, Z)``; any number of slices.

    Args:
        in_channels: Channels of the volume.
        out_channels: Background and structures.
        body: Name of an architecture of two dimensions.
        **settings: Its other parameters.

    Raises:
        ValueError: ``body`` has three dimensions.
    """

    def __init__(
        self, in_channels: int, out_channels: int, body: str = "unet2d-liver", **settings: Any
    ) -> None:
        super().__init__()
        shapes = {"in_channels": in_channels, "out_channels": out_channels}
        network = build(body, {**settings, **shapes})
        if not isinstance(network, TrainableNetwork) or len(network.divisors) != 2:
            raise ValueError(f"{body} is not a network of two dimensions")
        self.out_channels = out_channels
        self.body = network
        self.divisors = (*network.divisors, 1)
        self.output_strides = tuple((*strides, 1) for strides in network.output_strides)
        self.encoder_prefixes = tuple(f"body.{name}" for name in network.encoder_prefixes)
        self.last_block_prefixes = tuple(f"body.{name}" for name in network.last_block_prefixes)

    def forward(self, volume: Tensor) -> Tensor:
        """Return the logits on the volume's own grid."""
        slices = volume.shape[4]
        return volume_from_super_image(self.body(super_image(volume)), slices)

    def training_logits(self, volume: Tensor) -> list[Tensor]:
        """Return the body's training logits, each cut into slices again."""
        logits = self.body.training_logits(super_image(volume))
        return [volume_from_super_image(one, volume.shape[4]) for one in logits]


def grid_of(slices: int) -> tuple[int, int]:
    """Return rows and columns of the most square grid that holds this many slices.

    A grid without empty places is taken up to twice as long as wide.

    Examples:
        >>> grid_of(144), grid_of(64), grid_of(88), grid_of(48), grid_of(37)
        ((12, 12), (8, 8), (11, 8), (8, 6), (7, 6))
    """
    columns = next(n for n in range(math.isqrt(slices), 0, -1) if slices % n == 0)
    if slices > 2 * columns**2:
        columns = round(math.sqrt(slices))
    return -(-slices // columns), columns


def super_image(volume: Tensor) -> Tensor:
    """Return ``(B, C, rows * X, columns * Y)`` of ``(B, C, X, Y, Z)``: slices row by row.

    Empty places get the lowest intensity of their channel, which is what air has.
    """
    rows, columns = grid_of(volume.shape[4])
    empty = rows * columns - volume.shape[4]
    if empty:
        air = volume.amin(dim=(2, 3, 4), keepdim=True).expand(*volume.shape[:4], empty)
        volume = torch.cat([volume, air], dim=4)
    batch, channels, x, y, _ = volume.shape
    tiles = volume.reshape(batch, channels, x, y, rows, columns).permute(0, 1, 4, 2, 5, 3)
    return tiles.reshape(batch, channels, rows * x, columns * y)


def volume_from_super_image(image: Tensor, slices: int) -> Tensor:
    """Return ``(B, C, X, Y, slices)`` of a super image, undoing `super_image`."""
    rows, columns = grid_of(slices)
    batch, channels, height, width = image.shape
    x, y = height // rows, width // columns
    tiles = image.reshape(batch, channels, rows, x, columns, y).permute(0, 1, 3, 5, 2, 4)
    return tiles.reshape(batch, channels, x, y, rows * columns)[..., :slices]
