"""V-Net: residual stages of 5x5x5 convolutions, strided convolutions between them.

Milletari, Navab, Ahmadi, V-Net: Fully convolutional neural networks for volumetric medical image
segmentation, 3DV 2016, doi:10.1109/3DV.2016.79. MONAI's implementation departs from the paper: it
normalizes each batch, and has 1, 1, 2, 3 and 2 convolutions per stage on the way down (the paper:
1, 2, 3, 3, 3) and 2, 2, 1, 1 on the way up (3, 3, 2, 1). Its widths are the paper's, and fixed.
"""

from monai.networks.nets.vnet import VNet as MonaiVNet
from torch import Tensor, nn


class VNet(MonaiVNet):  # type: ignore[misc]  # MONAI is read without its types
    """Logits ``(B, out_channels, ...)`` of ``(B, in_channels, ...)``, two or three dimensions.

    The names of weights are MONAI's.

    Args:
        in_channels: Channels of the volume: 1, 2, 4, 8 or 16, since the input is added to 16
            channels.
        out_channels: Background and structures.
        spatial_dims: 2 or 3.
        act: Activation, the paper's by default.
        dropout: Probability of each dropout layer; the paper has none.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spatial_dims: int = 3,
        act: str = "prelu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(spatial_dims, in_channels, out_channels, act, dropout_dim=spatial_dims)
        for layer in self.modules():
            # MONAI takes no number for those of the upper levels.
            if isinstance(layer, nn.Dropout2d | nn.Dropout3d):
                layer.p = dropout
        self.out_channels = out_channels
        self.divisors = (16,) * spatial_dims
        self.output_strides = ((1,) * spatial_dims,)
        self.encoder_prefixes = ("in_tr.", "down_tr")
        self.last_block_prefixes = ("up_tr32.", "out_tr.")

    def training_logits(self, patch: Tensor) -> list[Tensor]:
        """Return the logits, the only ones there are."""
        return [self(patch)]
