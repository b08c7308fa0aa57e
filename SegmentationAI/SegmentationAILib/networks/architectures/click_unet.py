"""A promptable U-Net: a patch, what was answered before and prompts in; one logit a voxel out.

Built from the first look of `TwoScaleUNet`: 2x2x2 blocks of voxels become channels, a small U-Net
sees the whole patch, and a last pair of 1x1x1 layers reads its features beside the block's own
voxels, so that borders follow the voxels although no convolution ever runs on the full grid. A
patch of 48^3 costs about 4 billion multiplications.

U-Net: Ronneberger, Fischer, Brox, MICCAI 2015, doi:10.1007/978-3-319-24574-4_28. Blocks of voxels
as channels: Shi et al., CVPR 2016, doi:10.1109/CVPR.2016.207. Prompts and the mask before as input
channels: Sofiiuk, Petrov, Konushin, Reviving iterative training with mask guidance for interactive
segmentation, ICIP 2022, doi:10.1109/ICIP46576.2022.9897365; in 3D: Isensee et al., nnInteractive,
2025, doi:10.48550/arXiv.2503.08373.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .space_to_depth_unet import space_to_depth
from .two_scale_unet import WholeHead


class ClickUNet(nn.Module):
    """Logits ``(B, 1, X, Y, Z)`` of ``(B, in_channels, X, Y, Z)``.

    X, Y and Z have to be divisible by `stride`. What the channels are is said in
    `refine.click_input`.

    Args:
        in_channels: Channels of the patch, its prompts among them.
        out_channels: 1, the object's logit.
        widths: Channels per level (blocks of 2, 4, 8, ... voxels); multiples of 8.
        hidden: Channels between the two last layers.
    """

    def __init__(
        self,
        in_channels: int = 7,
        out_channels: int = 1,
        widths: Sequence[int] = (32, 64, 128, 160),
        hidden: int = 96,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.stride = 2 ** len(widths)
        self.whole = WholeHead(in_channels, widths)
        self.mix = nn.Conv3d(widths[0] + 8 * in_channels, hidden, 1)
        self.head = nn.Conv3d(hidden, 8 * out_channels, 1)

    def forward(self, patch: Tensor) -> Tensor:
        """Return logits on the patch's own grid, by operations that every engine has."""
        channels = 8 * patch.shape[1]
        each = torch.eye(channels, dtype=patch.dtype, device=patch.device)
        voxels = functional.conv3d(patch, each.reshape(channels, -1, 2, 2, 2), stride=2)
        seen = torch.cat([self.whole(patch), voxels], dim=1)
        hidden = functional.leaky_relu(self.mix(seen))
        # Each of the eight places in a block has a bias of its own: a channel of ones carries it.
        assert self.head.bias is not None
        hidden = torch.cat([hidden, torch.ones_like(hidden[:, :1])], dim=1)
        weights = torch.cat([self.head.weight.flatten(1), self.head.bias[:, None]], dim=1)
        kernel = weights.reshape(self.out_channels, 2, 2, 2, -1).permute(4, 0, 1, 2, 3)
        return functional.conv_transpose3d(hidden, kernel, stride=2)

    def folded_logits(self, patch: Tensor) -> Tensor:
        """Return the same logits as ``(B, 8 * out_channels, X/2, Y/2, Z/2)``, for training.

        `depth_to_space` unfolds them. The operations are those whose gradients are fast.
        """
        voxels = space_to_depth(patch)
        features = self.whole.training_features(patch)
        seen = torch.cat([features, voxels.to(features.dtype)], dim=1)
        return cast(Tensor, self.head(functional.leaky_relu(self.mix(seen))))
