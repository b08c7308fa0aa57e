"""DynU-Net: the plain convolutional U-Net whose shape nnU-Net derives from the data.

Isensee et al., nnU-Net, Nature Methods 2021, doi:10.1038/s41592-020-01008-z. MONAI's blocks, run by
a loop of our own: MONAI's recursion lists every weight twice and raises all training logits to the
full grid, which costs memory for nothing.
"""

from collections.abc import Sequence

from monai.networks.nets.dynunet import DynUNet as MonaiDynUNet
from torch import Tensor

from .axis_strides import Stride, level_strides


class DynUNet(MonaiDynUNet):  # type: ignore[misc]  # MONAI is read without its types
    """Logits ``(B, out_channels, ...)`` of ``(B, in_channels, ...)``, two or three dimensions.

    The names of parameters and weights are MONAI's, without the copies under ``skip_layers``.

    Args:
        in_channels: Channels of the volume.
        out_channels: Background and structures.
        spatial_dims: 2 or 3.
        kernel_size: Of the convolutions of each level.
        strides: Into each level; the first belongs to the input and is 1.
        filters: Channels of each level; None for nnU-Net's rule, 32 doubled to at most 320 (512 in
            two dimensions).
        deep_supervision: Whether every level but the lowest two gets a loss, as in nnU-Net.
        res_block: Whether each level has a shortcut.
        norm_name: Normalization, with learned scale and offset.
        dropout: Probability, None for no such layers.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spatial_dims: int = 3,
        kernel_size: Sequence[int | Sequence[int]] = (3, 3, 3, 3, 3, 3),
        strides: Sequence[Stride] = (1, 2, 2, 2, 2, 2),
        filters: Sequence[int] | None = None,
        deep_supervision: bool = True,
        res_block: bool = False,
        norm_name: str = "instance",
        dropout: float | None = None,
    ) -> None:
        levels = level_strides(strides, spatial_dims)
        if max(levels[0]) > 1:
            raise ValueError(f"the first stride is {strides[0]}, not 1")
        supervised = len(strides) - 2
        super().__init__(
            spatial_dims, in_channels, out_channels, kernel_size, strides, strides[1:], filters,
            dropout, (norm_name, {"affine": True}),
            deep_supervision=deep_supervision, deep_supr_num=supervised, res_block=res_block,
        )  # fmt: skip
        del self.skip_layers, self.heads
        self.divisors = levels[-1]
        self.output_strides = levels[: 1 + supervised] if deep_supervision else levels[:1]
        self.encoder_prefixes = ("input_block.", "downsamples.", "bottleneck.")
        self.last_block_prefixes = (f"upsamples.{len(self.upsamples) - 1}.", "output_block.")

    def forward(self, patch: Tensor) -> Tensor:
        """Return the finest logits, on the grid of the patch."""
        logits: Tensor = self.output_block(self._decoded(patch)[0])
        return logits

    def training_logits(self, patch: Tensor) -> list[Tensor]:
        """Return the logits of all supervised levels, each on its own grid, finest first."""
        decoded = self._decoded(patch)
        heads = self.deep_supervision_heads if self.deep_supervision else []
        coarse = [head(level) for head, level in zip(heads, decoded[1:], strict=False)]
        return [self.output_block(decoded[0]), *coarse]

    def _decoded(self, patch: Tensor) -> list[Tensor]:
        """Return the features of every level of the decoder, finest first."""
        skipped = [self.input_block(patch)]
        for down in self.downsamples:
            skipped.append(down(skipped[-1]))
        features = self.bottleneck(skipped[-1])
        decoded: list[Tensor] = []
        for up, skip in zip(self.upsamples, reversed(skipped), strict=True):
            features = up(features, skip)
            decoded.insert(0, features)
        return decoded
