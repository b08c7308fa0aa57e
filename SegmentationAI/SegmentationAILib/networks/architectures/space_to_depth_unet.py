"""A U-Net that works at half resolution and answers at full resolution.

The first layer folds each 2x2x2 block of voxels into channels and the last unfolds them: a training
step on a whole head at 2 mm costs half a second on one core with bfloat16 matrix units. A narrow
branch on the full grid then adds the detail that 32 channels for eight voxels cannot hold: it reads
the volume itself beside what the U-Net lifts to it.

U-Net: Ronneberger, Fischer, Brox, MICCAI 2015, doi:10.1007/978-3-319-24574-4_28. Folding and
unfolding: Shi et al., Real-time single image and video super-resolution using an efficient
sub-pixel convolutional neural network, CVPR 2016, doi:10.1109/CVPR.2016.207. Residual blocks: He et
al., CVPR 2016, doi:10.1109/CVPR.2016.90. Group normalization: Wu and He, ECCV 2018,
doi:10.1007/978-3-030-01261-8_1.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS: Final = 8
# Channels of the branch on the full grid.
DETAIL: Final = 16


class SpaceToDepthUNet(nn.Module):
    """Logits ``(B, out_channels, X, Y, Z)`` of ``(B, in_channels, X, Y, Z)``.

    X, Y and Z have to be divisible by `stride`.

    Args:
        in_channels: Channels of the volume.
        out_channels: Background and structures.
        widths: Channels per level, each level at half the resolution of the one before; multiples
            of 8.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 17,
        widths: Sequence[int] = (32, 64, 128, 160),
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.stride = 2 ** len(widths)
        self.stem = nn.Conv3d(8 * in_channels, widths[0], 3, padding=1, bias=False)
        self.encoder = nn.ModuleList([ResidualBlock(width, width) for width in widths])
        steps = list(pairwise(widths))
        self.down = nn.ModuleList([nn.Conv3d(a, b, 2, stride=2, bias=False) for a, b in steps])
        self.up = nn.ModuleList(
            [nn.ConvTranspose3d(b, a, 2, stride=2, bias=False) for a, b in steps]
        )
        self.decoder = nn.ModuleList([ResidualBlock(2 * a, a) for a, _ in steps])
        self.head = nn.Conv3d(widths[0], 8 * out_channels, 1)
        self.lift = nn.ConvTranspose3d(widths[0], DETAIL - in_channels, 2, stride=2, bias=False)
        self.detail = nn.Conv3d(DETAIL, DETAIL, 3, padding=1, bias=False)
        self.detail_norm = nn.GroupNorm(GROUPS, DETAIL)
        self.detail_head = nn.Conv3d(DETAIL, out_channels, 1, bias=False)
        # The branch starts as nothing, so that it can join a U-Net that has learned already.
        nn.init.zeros_(self.detail_head.weight)

    def forward(self, patch: Tensor) -> Tensor:
        """Return logits on the patch's own grid.

        Folding is written as a strided convolution: the same numbers as `training_logits`, in
        operations that every inference engine has.
        """
        stem = depth_to_space(self.stem.weight)
        return self._unfolded(
            self._body(functional.conv3d(patch, stem, stride=2, padding=2)), patch
        )

    def training_logits(self, patch: Tensor) -> Tensor:
        """Return what `forward` does, by operations whose gradients are fast."""
        return self._unfolded(self._body(self.stem(space_to_depth(patch))), patch)

    def folded_logits(self, patch: Tensor) -> Tensor:
        """Return the U-Net's logits ``(B, 8 * out_channels, X/2, Y/2, Z/2)`` without detail.

        `depth_to_space` unfolds them. Early training compares them with folded labels, which
        spares the full grid.
        """
        return cast(Tensor, self.head(self._body(self.stem(space_to_depth(patch)))))

    def _unfolded(self, features: Tensor, patch: Tensor) -> Tensor:
        """Return logits on the full grid from features on the folded one."""
        assert self.head.bias is not None
        # Each of the eight places in a block has a bias of its own: a constant channel carries it.
        weights = torch.cat([self.head.weight.flatten(1), self.head.bias[:, None]], dim=1)
        kernel = weights.reshape(self.out_channels, 2, 2, 2, -1).permute(4, 0, 1, 2, 3)
        constant = torch.ones_like(features[:, :1])
        coarse = functional.conv_transpose3d(
            torch.cat([features, constant], dim=1), kernel, stride=2
        )
        lifted = self.lift(features)
        detail = self.detail(torch.cat([lifted, patch.to(lifted.dtype)], dim=1))
        detail = functional.leaky_relu(self.detail_norm(detail))
        return coarse + cast(Tensor, self.detail_head(detail))

    def _body(self, features: Tensor) -> Tensor:
        skipped = []
        for level, block in enumerate(self.encoder):
            features = block(features)
            if level < len(self.down):
                skipped.append(features)
                features = self.down[level](features)
        for level in reversed(range(len(self.up))):
            features = torch.cat([self.up[level](features), skipped[level]], dim=1)
            features = self.decoder[level](features)
        return features


class ResidualBlock(nn.Module):
    """Two normalized 3x3x3 convolutions beside a shortcut, ``(B, out_channels, X, Y, Z)``."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(in_channels, out_channels, 3, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(GROUPS, out_channels)
        self.second = nn.Conv3d(out_channels, out_channels, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(GROUPS, out_channels)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Conv3d(in_channels, out_channels, 1, bias=False)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's features."""
        inner = functional.leaky_relu(self.first_norm(self.first(features)))
        inner = self.second_norm(self.second(inner))
        return functional.leaky_relu(inner + self.shortcut(features))


def space_to_depth(volume: Tensor) -> Tensor:
    """Return ``(B, 8 C, X/2, Y/2, Z/2)`` of ``(B, C, X, Y, Z)``: blocks become channels."""
    b, c, x, y, z = volume.shape
    blocks = volume.reshape(b, c, x // 2, 2, y // 2, 2, z // 2, 2)
    return blocks.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(b, 8 * c, x // 2, y // 2, z // 2)


def depth_to_space(folded: Tensor) -> Tensor:
    """Return ``(B, C, 2 X, 2 Y, 2 Z)`` of ``(B, 8 C, X, Y, Z)``, undoing `space_to_depth`."""
    b, c, x, y, z = folded.shape
    blocks = folded.reshape(b, c // 8, 2, 2, 2, x, y, z)
    return blocks.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(b, c // 8, 2 * x, 2 * y, 2 * z)
