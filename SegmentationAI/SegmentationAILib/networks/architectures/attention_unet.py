"""Attention U-Net: gates decide which features a skip connection hands on.

Oktay et al., Attention U-Net: Learning where to look for the pancreas, MIDL 2018, arXiv:1804.03999.
MONAI's implementation departs from the paper: the gate works on the grid of the skip connection
(the features from below are raised to it first) rather than on the one below.
"""

from collections.abc import Sequence

from monai.networks.nets.attentionunet import AttentionUnet as MonaiAttentionUnet
from torch import Tensor

from .axis_strides import Stride, level_strides
from .unet import encoder_prefixes


class AttentionUNet(MonaiAttentionUnet):  # type: ignore[misc]  # MONAI is read without its types
    """Logits ``(B, out_channels, ...)`` of ``(B, in_channels, ...)``, two or three dimensions.

    The names of parameters and weights are MONAI's.

    Args:
        in_channels: Channels of the volume.
        out_channels: Background and structures.
        spatial_dims: 2 or 3.
        channels: Per level; those of the authors' code by default.
        strides: Between one level and the next.
        dropout: Probability.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spatial_dims: int = 3,
        channels: Sequence[int] = (16, 32, 64, 128, 256),
        strides: Sequence[Stride] = (2, 2, 2, 2),
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            spatial_dims, in_channels, out_channels, channels, strides, dropout=dropout
        )
        self.divisors = level_strides(strides, spatial_dims)[-1]
        self.output_strides = ((1,) * spatial_dims,)
        self.encoder_prefixes = encoder_prefixes(len(channels))
        parts = ("attention", "upconv", "merge")
        self.last_block_prefixes = (*(f"model.1.{part}." for part in parts), "model.2.")

    def training_logits(self, patch: Tensor) -> list[Tensor]:
        """Return the logits, the only ones there are."""
        return [self(patch)]
