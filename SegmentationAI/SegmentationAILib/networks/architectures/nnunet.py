"""The U-Net whose shape nnU-Net derives from the data: plain convolutions, instance normalization.

Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image
segmentation", Nature Methods 18:203, 2021, doi:10.1038/s41592-020-01008-z. The tensors carry the
names that nnU-Net v2 gives them, each once: its checkpoints list most of them three times.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .axis_strides import level_strides

LEAK = 0.01
Triple = Sequence[int]


class NNUNet(nn.Module):
    """Logits ``(B, out_channels, X, Y, Z)`` of ``(B, in_channels, X, Y, Z)``.

    Args:
        in_channels: Channels of the volume.
        out_channels: Background and structures, or regions.
        features: Channels of each level.
        kernel_sizes: Of the convolutions of each level, per axis, odd.
        strides: Into each level, per axis; the first is 1.
        encoder_convs: Convolutions of each level on the way down.
        decoder_convs: Of each level on the way up, the lowest first.
        bias: Whether convolutions add a constant.

    Raises:
        ValueError: Lists of lengths that do not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        features: Sequence[int],
        kernel_sizes: Sequence[Triple],
        strides: Sequence[Triple],
        encoder_convs: Sequence[int],
        decoder_convs: Sequence[int],
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_levels(features, kernel_sizes, strides, encoder_convs, decoder_convs)
        self.out_channels = out_channels
        self.encoder = _Encoder(in_channels, features, kernel_sizes, strides, encoder_convs, bias)
        self.decoder = Decoder(out_channels, features, kernel_sizes, strides, decoder_convs, bias)
        levels = level_strides(strides, 3)
        self.divisors = levels[-1]
        self.output_strides = levels[:-1]
        self.encoder_prefixes = ("encoder.",)
        self.last_block_prefixes = self.decoder.last_block_prefixes("decoder.")

    def forward(self, patch: Tensor) -> Tensor:
        """Return the finest logits, on the grid of the patch."""
        logits: Tensor = self.decoder(self.encoder(patch))
        return logits

    def training_logits(self, patch: Tensor) -> list[Tensor]:
        """Return the logits of every level of the decoder, each on its own grid, finest first."""
        return self.decoder.all_logits(self.encoder(patch))


class ConvBlock(nn.Module):
    """Convolution, instance normalization and, unless told otherwise, a leaky ReLU."""

    def __init__(
        self,
        channels: tuple[int, int],
        kernel_size: Triple,
        stride: Triple,
        bias: bool,
        *,
        is_activated: bool = True,
    ) -> None:
        super().__init__()
        kernel, step = _triple(kernel_size), _triple(stride)
        padding = _triple([(side - 1) // 2 for side in kernel])
        self.conv = nn.Conv3d(*channels, kernel, step, padding, bias=bias)
        self.norm = nn.InstanceNorm3d(channels[1], affine=True)
        self.is_activated = is_activated

    def forward(self, features: Tensor) -> Tensor:
        """Return the features ``(B, C, X, Y, Z)`` of the block."""
        normalized: Tensor = self.norm(self.conv(features))
        return nn.functional.leaky_relu(normalized, LEAK) if self.is_activated else normalized


class ConvStack(nn.Module):
    """Some blocks one after another; the first one takes the stride."""

    def __init__(
        self, channels: tuple[int, int], kernel_size: Triple, stride: Triple, count: int, bias: bool
    ) -> None:
        super().__init__()
        blocks = [ConvBlock(channels, kernel_size, stride, bias)]
        for _ in range(count - 1):
            blocks.append(ConvBlock((channels[1], channels[1]), kernel_size, (1, 1, 1), bias))
        self.convs = nn.Sequential(*blocks)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features ``(B, C, X, Y, Z)`` of the last block."""
        convolved: Tensor = self.convs(features)
        return convolved


class _Encoder(nn.Module):
    """The features of every level, finest first."""

    def __init__(
        self,
        in_channels: int,
        features: Sequence[int],
        kernel_sizes: Sequence[Triple],
        strides: Sequence[Triple],
        convs: Sequence[int],
        bias: bool,
    ) -> None:
        super().__init__()
        before = (in_channels, *features)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    ConvStack((before[n], width), kernel_sizes[n], strides[n], many, bias)
                )
                for n, (width, many) in enumerate(zip(features, convs, strict=True))
            )
        )

    def forward(self, patch: Tensor) -> list[Tensor]:
        levels, features = [], patch
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        return levels


class Decoder(nn.Module):
    """Back to the grid of the patch by transposed convolutions, with a head at every level."""

    def __init__(
        self,
        out_channels: int,
        features: Sequence[int],
        kernel_sizes: Sequence[Triple],
        strides: Sequence[Triple],
        convs: Sequence[int],
        bias: bool,
    ) -> None:
        super().__init__()
        self.transpconvs, self.stages, self.seg_layers = (nn.ModuleList() for _ in range(3))
        for low, count in zip(range(len(features) - 1, 0, -1), convs, strict=True):
            width, step = features[low - 1], _triple(strides[low])
            self.transpconvs.append(nn.ConvTranspose3d(features[low], width, step, step, bias=bias))
            self.stages.append(
                ConvStack((2 * width, width), kernel_sizes[low - 1], (1, 1, 1), count, bias)
            )
            self.seg_layers.append(nn.Conv3d(width, out_channels, 1))

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Return the finest logits from the encoder's levels, finest first."""
        logits: Tensor = self.seg_layers[-1](self._decoded(levels)[0])
        return logits

    def all_logits(self, levels: list[Tensor]) -> list[Tensor]:
        """Return the logits of every level, finest first."""
        heads = reversed(list(self.seg_layers))
        return [head(features) for head, features in zip(heads, self._decoded(levels), strict=True)]

    def last_block_prefixes(self, own: str) -> tuple[str, ...]:
        """Return the beginnings of the names of the last block and its head."""
        last = len(self.stages) - 1
        return tuple(f"{own}{part}.{last}." for part in ("transpconvs", "stages", "seg_layers"))

    def _decoded(self, levels: list[Tensor]) -> list[Tensor]:
        features = levels[-1]
        decoded: list[Tensor] = []
        for up, stage, skip in zip(
            self.transpconvs, self.stages, reversed(levels[:-1]), strict=True
        ):
            features = stage(torch.cat((up(features), skip), 1))
            decoded.insert(0, features)
        return decoded


def check_levels(
    features: Sequence[int],
    kernel_sizes: Sequence[Triple],
    strides: Sequence[Triple],
    encoder_counts: Sequence[int],
    decoder_counts: Sequence[int],
) -> None:
    """Check that every list has an entry for each level.

    Raises:
        ValueError: One has not, a kernel is even, or the first level is strided.
    """
    levels = len(features)
    lengths = [len(kernel_sizes), len(strides), len(encoder_counts), 1 + len(decoder_counts)]
    if levels < 2 or set(lengths) != {levels}:
        raise ValueError(f"{levels} levels, but lists for {lengths}")
    if any(len(kernel) != 3 or any(side % 2 == 0 for side in kernel) for kernel in kernel_sizes):
        raise ValueError(f"kernels of {kernel_sizes} are not three odd numbers each")
    if tuple(strides[0]) != (1, 1, 1) or min(*encoder_counts, *decoder_counts) < 1:
        raise ValueError("the first level is not strided, and each has a convolution")


def _triple(numbers: Triple) -> tuple[int, int, int]:
    x, y, z = numbers
    return x, y, z
