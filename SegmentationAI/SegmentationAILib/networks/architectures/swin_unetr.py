"""Swin UNETR: a transformer with shifted windows as the encoder, convolutions as the decoder.

Hatamizadeh et al., Swin UNETR: Swin transformers for semantic segmentation of brain tumors in MRI
images, BrainLes 2021, doi:10.1007/978-3-031-08999-2_22. MONAI's implementation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.networks.nets.swin_unetr import SwinUNETR as MonaiSwinUNETR
from torch import Tensor
from torch.overrides import TorchFunctionMode


class SwinUNETR(MonaiSwinUNETR):  # type: ignore[misc]  # MONAI is read without its types
    """Logits ``(B, out_channels, ...)`` of ``(B, in_channels, ...)``, two or three dimensions.

    The names of parameters and weights are MONAI's.

    Args:
        in_channels: Channels of the volume.
        out_channels: Background and structures.
        spatial_dims: 2 or 3.
        feature_size: Channels of the first level, a multiple of 12.
        depths: Transformer blocks of each stage.
        num_heads: Attention heads of each stage.
        window_size: Side of the attention windows, in tokens.
        use_v2: Whether each stage starts with a residual convolution block.
        dropout_path_rate: Probability with which the last block is left out in training; those
            before it less.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spatial_dims: int = 3,
        feature_size: int = 48,
        depths: Sequence[int] = (2, 2, 2, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24),
        window_size: int = 7,
        use_v2: bool = False,
        dropout_path_rate: float = 0.0,
    ) -> None:
        with _NumbersOnCpu():
            super().__init__(
                in_channels, out_channels, depths=depths, num_heads=num_heads,
                window_size=window_size, feature_size=feature_size, spatial_dims=spatial_dims,
                use_v2=use_v2, dropout_path_rate=dropout_path_rate,
            )  # fmt: skip
        self.out_channels = out_channels
        self.divisors = (32,) * spatial_dims
        self.output_strides = ((1,) * spatial_dims,)
        self.encoder_prefixes = ("swinViT.", "encoder")
        self.last_block_prefixes = ("decoder1.", "out.")

    def training_logits(self, patch: Tensor) -> list[Tensor]:
        """Return the logits, the only ones there are."""
        return [self(patch)]


class _NumbersOnCpu(TorchFunctionMode):
    """Keeps a ramp of numbers readable where networks are built as shapes without memory.

    MONAI (1.6.1) reads the probabilities of leaving blocks out off a tensor made by linspace, and
    a tensor on torch's meta device has no numbers.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run ``func``, with linspace on the CPU."""
        place = {"device": "cpu"} if func is torch.linspace else {}
        return func(*args, **{**(kwargs or {}), **place})
