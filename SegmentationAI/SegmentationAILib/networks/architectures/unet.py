"""U-Net with residual units, as MONAI builds it.

Ronneberger, Fischer, Brox, MICCAI 2015, doi:10.1007/978-3-319-24574-4_28; with residual units and
strided convolutions: Kerfoot, Clough, Oksuz, Lee, King, Schnabel, STACOM 2018,
doi:10.1007/978-3-030-12029-0_40.
"""

from collections.abc import Sequence

from monai.networks.nets.unet import UNet as MonaiUNet
from torch import Tensor

from .axis_strides import Stride, level_strides


class UNet(MonaiUNet):  # type: ignore[misc]  # MONAI is read without its types
    """Logits ``(B, out_channels, ...)`` of ``(B, in_channels, ...)``, two or three dimensions.

    The names of parameters and weights are MONAI's.

    Args:
        in_channels: Channels of the volume.
        out_channels: Background and structures.
        spatial_dims: 2 or 3.
        channels: Per level; those of the paper by default.
        strides: Between one level and the next.
        kernel_size: Of the convolutions.
        up_kernel_size: Of the transposed convolutions.
        num_res_units: Convolutions per level beside a shortcut; 0 for one without it.
        act: Activation.
        norm: Normalization.
        dropout: Probability.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spatial_dims: int = 3,
        channels: Sequence[int] = (16, 32, 64, 128, 256),
        strides: Sequence[Stride] = (2, 2, 2, 2),
        kernel_size: int | Sequence[int] = 3,
        up_kernel_size: int | Sequence[int] = 3,
        num_res_units: int = 2,
        act: str = "prelu",
        norm: str = "instance",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            spatial_dims, in_channels, out_channels, channels, strides, kernel_size,
            up_kernel_size, num_res_units, act, norm, dropout,
        )  # fmt: skip
        self.divisors = level_strides(strides, spatial_dims)[-1]
        self.output_strides = ((1,) * spatial_dims,)
        self.encoder_prefixes = encoder_prefixes(len(channels))
        self.last_block_prefixes = ("model.2.",)

    def training_logits(self, patch: Tensor) -> list[Tensor]:
        """Return the logits, the only ones there are."""
        return [self(patch)]


def encoder_prefixes(levels: int) -> tuple[str, ...]:
    """Return where MONAI keeps the way down of a U-Net whose levels lie within each other."""
    inside = ["model." + "1.submodule." * level for level in range(levels)]
    return (*(f"{level}0." for level in inside[:-1]), inside[-1])
