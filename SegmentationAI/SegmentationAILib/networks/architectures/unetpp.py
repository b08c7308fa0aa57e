"""U-Net++: nested, dense skip connections, each of which can be supervised.

Zhou, Siddiquee, Tajbakhsh, Liang, UNet++: A nested U-Net architecture for medical image
segmentation, DLMIA 2018, doi:10.1007/978-3-030-00889-5_1. Of the paper's two modes of inference,
MONAI's output ``x(0, 4)`` is taken alone; the mean of all four is not.
"""

from collections.abc import Sequence

from monai.networks.nets.basic_unetplusplus import BasicUNetPlusPlus
from torch import Tensor


class UNetPlusPlus(BasicUNetPlusPlus):  # type: ignore[misc]  # MONAI is read without its types
    """Logits ``(B, out_channels, ...)`` of ``(B, in_channels, ...)``, two or three dimensions.

    The names of parameters and weights are MONAI's.

    Args:
        in_channels: Channels of the volume.
        out_channels: Background and structures.
        spatial_dims: 2 or 3.
        features: Of the five levels, and of the last node; those of the paper by default.
        norm: Normalization.
        dropout: Probability.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spatial_dims: int = 3,
        features: Sequence[int] = (32, 64, 128, 256, 512, 32),
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            spatial_dims, in_channels, out_channels, features, deep_supervision=True, norm=norm,
            dropout=dropout,
        )  # fmt: skip
        self.out_channels = out_channels
        self.divisors = (16,) * spatial_dims
        # All four nodes lie on the full grid.
        self.output_strides = ((1,) * spatial_dims,) * 4
        self.encoder_prefixes = tuple(f"conv_{level}_0." for level in range(5))
        self.last_block_prefixes = ("upcat_0_4.", "final_conv_0_4.")

    def forward(self, patch: Tensor) -> Tensor:
        """Return the logits of the last node."""
        return self.training_logits(patch)[0]

    def training_logits(self, patch: Tensor) -> list[Tensor]:
        """Return the logits of the four nodes of the full grid, the last first."""
        nodes: list[Tensor] = super().forward(patch)
        return nodes[::-1]
