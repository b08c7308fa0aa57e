"""The two-dimensional U-Net of the two liver papers, in their order of layers.

U-Net: Ronneberger, Fischer, Brox, MICCAI 2015, doi:10.1007/978-3-319-24574-4_28. Blocks as in two
papers of the proceedings of MIUA 2023 (Springer LNCS 14122, doi:10.1007/978-3-031-48593-0):
"Iterative refinement algorithm for liver segmentation ground-truth generation using fine-tuning
weak labels for CT and structural MRI" and "Cross-modality deep transfer learning: application to
liver segmentation in CT and MRI". The papers show the widths only in a figure; here they are those
of the original U-Net, with a bridge below four levels.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class LiverUNet(nn.Module):
    """Logits ``(B, out_channels, X, Y)`` of ``(B, in_channels, X, Y)``.

    Args:
        in_channels: Channels of the slice.
        out_channels: Background and structures, or the structures alone for a sigmoid as in the
            papers.
        widths: Channels of each level; the last is the bridge.
        dropout: Probability, between the two convolutions of a block.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        widths: Sequence[int] = (64, 128, 256, 512, 1024),
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        steps = list(pairwise(widths))
        self.encoder = nn.ModuleList(
            [_block(a, b, dropout) for a, b in pairwise((in_channels, *widths[:-1]))]
        )
        self.bridge = _block(*steps[-1], dropout)
        self.up = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in steps])
        self.decoder = nn.ModuleList([_block(2 * a, a, dropout) for a, _ in steps])
        self.head = nn.Conv2d(widths[0], out_channels, 1)
        self.divisors = (2 ** len(steps),) * 2
        self.output_strides = ((1, 1),)
        # The papers count the bridge to neither half; it is frozen with the encoder here.
        self.encoder_prefixes = ("encoder.", "bridge.")
        self.last_block_prefixes = ("up.0.", "decoder.0.", "head.")

    def forward(self, plane: Tensor) -> Tensor:
        """Return the logits on the slice's own grid."""
        features, skipped = plane, []
        for block in self.encoder:
            skipped.append(block(features))
            features = nn.functional.max_pool2d(skipped[-1], 2)
        features = self.bridge(features)
        for level in reversed(range(len(self.up))):
            features = torch.cat([skipped[level], self.up[level](features)], dim=1)
            features = self.decoder[level](features)
        logits: Tensor = self.head(features)
        return logits

    def training_logits(self, plane: Tensor) -> list[Tensor]:
        """Return the logits, the only ones there are."""
        return [self(plane)]


def _block(in_channels: int, out_channels: int, dropout: float) -> nn.Sequential:
    """Return the papers' block: convolution, ReLU, batch normalization, in this order, twice."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(out_channels),
        nn.Dropout(dropout),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(out_channels),
    )
