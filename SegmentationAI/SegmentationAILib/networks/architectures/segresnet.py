"""SegResNet: a deep residual encoder, a light decoder, and a loss on each of its levels.

Myronenko, 3D MRI brain tumor segmentation using autoencoder regularization, BrainLes 2018,
doi:10.1007/978-3-030-11726-9_28. This is MONAI's SegResNetDS with the settings of Auto3DSeg: no
autoencoder branch, five levels instead of four, instance instead of group normalization.
"""

from collections.abc import Sequence

from monai.networks.nets.segresnet_ds import SegResNetDS
from torch import Tensor

from .axis_strides import level_strides


class SegResNet(SegResNetDS):  # type: ignore[misc]  # MONAI is read without its types
    """Logits ``(B, out_channels, ...)`` of ``(B, in_channels, ...)``, two or three dimensions.

    The names of parameters and weights are MONAI's.

    Args:
        in_channels: Channels of the volume.
        out_channels: Background and structures.
        spatial_dims: 2 or 3.
        init_filters: Channels of the first level; each level doubles them.
        blocks_down: Residual blocks of each level of the encoder.
        norm: Normalization.
        dsdepth: Levels of the decoder with a loss, 1 for the finest alone.
        resolution: Spacing, mm; levels then merge the finer axes first. None for equal axes.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spatial_dims: int = 3,
        init_filters: int = 32,
        blocks_down: Sequence[int] = (1, 2, 2, 4, 4),
        norm: str = "instance",
        dsdepth: int = 4,
        resolution: Sequence[float] | None = None,
    ) -> None:
        super().__init__(
            spatial_dims, init_filters, in_channels, out_channels, norm=norm,
            blocks_down=tuple(blocks_down), dsdepth=dsdepth, resolution=resolution,
        )  # fmt: skip
        steps = self.anisotropic_scales or [[2] * spatial_dims] * len(blocks_down)
        levels = level_strides(
            [1, *([int(side) for side in step] for step in steps[:-1])], spatial_dims
        )
        self.divisors = levels[-1]
        self.output_strides = levels[: min(dsdepth, len(levels) - 1)]
        self.encoder_prefixes = ("encoder.",)
        self.last_block_prefixes = (f"up_layers.{len(self.up_layers) - 1}.",)

    def forward(self, patch: Tensor) -> Tensor:
        """Return the finest logits, on the grid of the patch."""
        return self._all_logits(patch)[0]

    def training_logits(self, patch: Tensor) -> list[Tensor]:
        """Return the logits of all supervised levels, each on its own grid, finest first."""
        return self._all_logits(patch)

    def _all_logits(self, patch: Tensor) -> list[Tensor]:
        # In evaluation mode MONAI keeps the coarse ones to itself.
        logits = super().forward(patch)
        return logits if isinstance(logits, list) else [logits]
