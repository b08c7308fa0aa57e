"""A U-Net that looks twice: at a whole head in 2 mm voxels, and at every voxel of 1 mm.

The first look (`WholeHead`) works on 2x2x2 blocks of 2 mm voxels and knows where it is and what the
contrast is; the second works on blocks of 1 mm voxels, receives the features of the first, and
draws the borders. Nothing of the second look depends on how far the patch reaches, so that it
learns from small crops while the first sees the whole head: a training step takes 1.4 s of one
core with bfloat16.

U-Net: Ronneberger, Fischer, Brox, MICCAI 2015, doi:10.1007/978-3-319-24574-4_28. Blocks of voxels
as channels: Shi et al., Real-time single image and video super-resolution using an efficient
sub-pixel convolutional neural network, CVPR 2016, doi:10.1109/CVPR.2016.207. A coarse look at the
whole beside a fine one at a part: Kamnitsas et al., DeepMedic, Medical Image Analysis 36, 2017,
doi:10.1016/j.media.2016.10.004. Layer normalization of each voxel's channels: Liu et al., A ConvNet
for the 2020s, CVPR 2022, doi:10.1109/CVPR52688.2022.01167.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .space_to_depth_unet import ResidualBlock, depth_to_space, space_to_depth


class TwoScaleUNet(nn.Module):
    """Logits ``(B, out_channels, X, Y, Z)`` of ``(B, in_channels, X, Y, Z)``.

    X, Y and Z have to be divisible by `stride`.

    Args:
        in_channels: Channels of the volume.
        out_channels: Background and structures.
        widths: Channels of the first look per level (blocks of 4, 8, 16, ... voxels); multiples of
            8.
        fine_widths: Channels of the second look at blocks of 2 and of 4 voxels.
        hidden: Channels that the last layer reads; what makes them sees every voxel itself, too.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 33,
        widths: Sequence[int] = (32, 64, 128, 96),
        fine_widths: Sequence[int] = (48, 64),
        hidden: int = 192,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.stride = 2 ** (len(widths) + 1)
        self.whole = WholeHead(in_channels, widths)
        # Answers for voxels of 2 mm: only training asks for them.
        self.whole_head = nn.Conv3d(widths[0], 8 * out_channels, 1)
        fine, middle = fine_widths
        self.stem = nn.Conv3d(8 * in_channels, fine, 3, padding=1)
        self.encoder = LocalBlock(fine, fine)
        self.down = nn.Conv3d(fine, middle, 2, stride=2, bias=False)
        self.meeting = LocalBlock(middle + widths[0], middle)
        self.up = nn.ConvTranspose3d(middle, fine, 2, stride=2, bias=False)
        self.decoder = LocalBlock(2 * fine, fine)
        self.mix = nn.Conv3d(fine + 8 * in_channels, hidden, 1)
        self.head = nn.Conv3d(hidden, 8 * out_channels, 1)

    def forward(self, patch: Tensor) -> Tensor:
        """Return logits on the patch's own grid.

        Folding is written as strided convolutions: the numbers of the training's `fine_logits`, in
        operations that every inference engine has.
        """
        features = self.whole(functional.avg_pool3d(patch, 2))
        stem = depth_to_space(self.stem.weight)
        folded = functional.conv3d(patch, stem, self.stem.bias, stride=2, padding=2)
        channels = 8 * patch.shape[1]
        each = torch.eye(channels, dtype=patch.dtype, device=patch.device)
        voxels = functional.conv3d(patch, each.reshape(channels, -1, 2, 2, 2), stride=2)
        return self._unfolded(self._second_look(folded, voxels, features))

    def fine_logits(self, crop: Tensor, features: Tensor) -> Tensor:
        """Return folded logits ``(B, 8 * out_channels, X/2, Y/2, Z/2)`` of a crop.

        The channels of one voxel lie together: place in the block first, then the answer.

        Args:
            crop: ``(B, in_channels, X, Y, Z)``.
            features: What `whole` answers for the blocks of 4 voxels of the crop.
        """
        voxels = space_to_depth(crop)
        seen = self._second_look(self.stem(voxels), voxels, features)
        return cast(Tensor, self.head(functional.leaky_relu(self.mix(seen))))

    def _second_look(self, folded: Tensor, voxels: Tensor, features: Tensor) -> Tensor:
        skipped = self.encoder(functional.leaky_relu(folded))
        middle = functional.leaky_relu(self.down(skipped))
        middle = self.meeting(torch.cat([middle, features], dim=1))
        fine = self.decoder(torch.cat([self.up(middle), skipped], dim=1))
        # Context says where the borders between intensities lie, the voxel on which side it is.
        return torch.cat([fine, voxels.to(fine.dtype)], dim=1)

    def _unfolded(self, seen: Tensor) -> Tensor:
        """Return logits on the full grid from what the last layers read."""
        assert self.mix.bias is not None
        assert self.head.bias is not None
        # Each of the eight places in a block has a bias of its own: a hidden channel that is always
        # 1 carries it.
        none, one = torch.zeros_like(self.mix.weight[:1]), torch.ones_like(self.mix.bias[:1])
        mix = torch.cat([self.mix.weight, none]), torch.cat([self.mix.bias, one])
        hidden = functional.leaky_relu(functional.conv3d(seen, *mix))
        weights = torch.cat([self.head.weight.flatten(1), self.head.bias[:, None]], dim=1)
        kernel = weights.reshape(2, 2, 2, self.out_channels, -1).permute(4, 3, 0, 1, 2)
        return functional.conv_transpose3d(hidden, kernel, stride=2)


class WholeHead(nn.Module):
    """Features ``(B, widths[0], X/2, Y/2, Z/2)`` of a coarse volume ``(B, C, X, Y, Z)``."""

    def __init__(self, in_channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Conv3d(8 * in_channels, widths[0], 3, padding=1, bias=False)
        self.encoder = nn.ModuleList([ResidualBlock(width, width) for width in widths])
        steps = list(pairwise(widths))
        self.down = nn.ModuleList([nn.Conv3d(a, b, 2, stride=2, bias=False) for a, b in steps])
        self.up = nn.ModuleList(
            [nn.ConvTranspose3d(b, a, 2, stride=2, bias=False) for a, b in steps]
        )
        self.decoder = nn.ModuleList([ResidualBlock(2 * a, a) for a, _ in steps])

    def forward(self, volume: Tensor) -> Tensor:
        """Return the features."""
        stem = depth_to_space(self.stem.weight)
        return self._body(functional.conv3d(volume, stem, stride=2, padding=2))

    def training_features(self, volume: Tensor) -> Tensor:
        """Return what `forward` does, by operations whose gradients are fast."""
        return self._body(self.stem(space_to_depth(volume)))

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


class LocalBlock(nn.Module):
    """Two 3x3x3 convolutions beside a shortcut, normalized voxel by voxel."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(in_channels, out_channels, 3, padding=1, bias=False)
        self.first_norm = nn.LayerNorm(out_channels)
        self.second = nn.Conv3d(out_channels, out_channels, 3, padding=1, bias=False)
        self.second_norm = nn.LayerNorm(out_channels)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Conv3d(in_channels, out_channels, 1, bias=False)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's features."""
        inner = functional.leaky_relu(_of_each_voxel(self.first_norm, self.first(features)))
        inner = _of_each_voxel(self.second_norm, self.second(inner))
        return functional.leaky_relu(inner + self.shortcut(features))


def _of_each_voxel(norm: nn.Module, features: Tensor) -> Tensor:
    """Apply a norm of the last axis to the channels of every voxel."""
    return cast(Tensor, norm(features.permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3))
