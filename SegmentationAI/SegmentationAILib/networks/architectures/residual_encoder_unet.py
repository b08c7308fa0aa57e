"""nnU-Net's U-Net with a residual encoder ("ResEnc" presets).

Isensee et al., "nnU-Net Revisited: A Call for Rigorous Validation in 3D Medical Image
Segmentation", MICCAI 2024, doi:10.1007/978-3-031-72114-4_47. The blocks are those of ResNet-D: a
shortcut is pooled before its 1x1x1 convolution (He et al., "Bag of Tricks", CVPR 2019,
doi:10.1109/CVPR.2019.00065). The tensors carry the names that nnU-Net v2 gives them, each once.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from .axis_strides import level_strides
from .nnunet import LEAK, ConvBlock, ConvStack, Decoder, Triple, check_levels


class ResidualEncoderUNet(nn.Module):
    """Logits ``(B, out_channels, X, Y, Z)`` of ``(B, in_channels, X, Y, Z)``.

    Args:
        in_channels: Channels of the volume.
        out_channels: Background and structures, or regions.
        features: Channels of each level.
        kernel_sizes: Of the convolutions of each level, per axis, odd.
        strides: Into each level, per axis; the first is 1.
        encoder_blocks: Residual blocks of each level on the way down.
        decoder_convs: Convolutions of each level on the way up, the lowest first.
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
        encoder_blocks: Sequence[int],
        decoder_convs: Sequence[int],
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_levels(features, kernel_sizes, strides, encoder_blocks, decoder_convs)
        self.out_channels = out_channels
        self.encoder = _Encoder(in_channels, features, kernel_sizes, strides, encoder_blocks, bias)
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


class _Encoder(nn.Module):
    """The features of every level, finest first."""

    def __init__(
        self,
        in_channels: int,
        features: Sequence[int],
        kernel_sizes: Sequence[Triple],
        strides: Sequence[Triple],
        blocks: Sequence[int],
        bias: bool,
    ) -> None:
        super().__init__()
        self.stem = ConvStack((in_channels, features[0]), kernel_sizes[0], (1, 1, 1), 1, bias)
        before = (features[0], *features)
        self.stages = nn.Sequential(
            *(
                _Stage((before[n], width), kernel_sizes[n], strides[n], many, bias)
                for n, (width, many) in enumerate(zip(features, blocks, strict=True))
            )
        )

    def forward(self, patch: Tensor) -> list[Tensor]:
        levels, features = [], self.stem(patch)
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        return levels


class _Stage(nn.Module):
    """Some residual blocks one after another; the first one takes the stride."""

    def __init__(
        self, channels: tuple[int, int], kernel_size: Triple, stride: Triple, count: int, bias: bool
    ) -> None:
        super().__init__()
        inside = (channels[1], channels[1])
        later = [_ResidualBlock(inside, kernel_size, (1, 1, 1), bias) for _ in range(count - 1)]
        self.blocks = nn.Sequential(_ResidualBlock(channels, kernel_size, stride, bias), *later)

    def forward(self, features: Tensor) -> Tensor:
        convolved: Tensor = self.blocks(features)
        return convolved


class _ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, added before the last leaky ReLU."""

    def __init__(
        self, channels: tuple[int, int], kernel_size: Triple, stride: Triple, bias: bool
    ) -> None:
        super().__init__()
        inside, one = (channels[1], channels[1]), (1, 1, 1)
        self.conv1 = ConvBlock(channels, kernel_size, stride, bias)
        self.conv2 = ConvBlock(inside, kernel_size, one, bias, is_activated=False)
        x, y, z = stride
        shortcut: list[nn.Module] = [nn.AvgPool3d((x, y, z))] if (x, y, z) != one else []
        if channels[0] != channels[1]:
            shortcut.append(ConvBlock(channels, one, one, bias=False, is_activated=False))
        self.skip = nn.Sequential(*shortcut)

    def forward(self, features: Tensor) -> Tensor:
        added = self.conv2(self.conv1(features)) + self.skip(features)
        return nn.functional.leaky_relu(added, LEAK)
