"""SegFormer: a Mix Transformer and a decoder of linear layers alone.

Xie, Wang, Yu, Anandkumar, Alvarez, Luo, NeurIPS 2021, arXiv:2105.15203. Two dimensions. The logits
come out at a quarter of the resolution and are raised bilinearly to the plane's.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from .mix_transformer import MixTransformer


class SegFormer(nn.Module):
    """Logits ``(B, out_channels, X, Y)`` of ``(B, in_channels, X, Y)``.

    Args:
        in_channels: Channels of the plane; 3 where the encoder comes from color pictures.
        out_channels: Background and structures.
        widths: Channels of the encoder's four scales.
        depths: Blocks of the encoder's four scales.
        decoder_width: Channels of each scale in the decoder.
        dropout: Probability before the last layer.
        drop_path: See `MixTransformer`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int] = (32, 64, 160, 256),
        depths: Sequence[int] = (2, 2, 2, 2),
        decoder_width: int = 256,
        dropout: float = 0.1,
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.encoder = MixTransformer(in_channels, widths, depths, drop_path)
        self.projections = nn.ModuleList([nn.Conv2d(width, decoder_width, 1) for width in widths])
        self.fuse = nn.Sequential(
            nn.Conv2d(4 * decoder_width, decoder_width, 1, bias=False),
            nn.BatchNorm2d(decoder_width),
            nn.ReLU(inplace=True),
        )
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(decoder_width, out_channels, 1)
        self.divisors = (32, 32)
        self.output_strides = ((1, 1),)
        self.encoder_prefixes = ("encoder.",)
        self.last_block_prefixes = ("fuse.", "head.")

    def forward(self, plane: Tensor) -> Tensor:
        """Return the logits on the plane's own grid."""
        maps = self.encoder(plane)
        size = maps[0].shape[2:]
        projected = [layer(one) for layer, one in zip(self.projections, maps, strict=True)]
        raised = [_raised(one, size) for one in projected]
        # The authors join the scales from the coarsest to the finest.
        fused = self.fuse(torch.cat(raised[::-1], dim=1))
        return _raised(self.head(self.dropout(fused)), plane.shape[2:])

    def training_logits(self, plane: Tensor) -> list[Tensor]:
        """Return the logits, the only ones there are."""
        return [self(plane)]


def _raised(features: Tensor, size: Sequence[int]) -> Tensor:
    return functional.interpolate(features, size=list(size), mode="bilinear", align_corners=False)


WIDE = (64, 128, 320, 512)
segformer_b0 = SegFormer
segformer_b1 = partial(SegFormer, widths=WIDE)
segformer_b2 = partial(SegFormer, widths=WIDE, depths=(3, 4, 6, 3), decoder_width=768)
segformer_b3 = partial(SegFormer, widths=WIDE, depths=(3, 4, 18, 3), decoder_width=768)
segformer_b4 = partial(SegFormer, widths=WIDE, depths=(3, 8, 27, 3), decoder_width=768)
