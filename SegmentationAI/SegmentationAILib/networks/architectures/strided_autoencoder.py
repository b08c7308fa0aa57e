"""A dilated network whose middle runs at half resolution: sae_robust_tissue of brainchop.

No paper describes it; its shape is read off the published weights (github.com/neuroneural/brainchop
and brainchop-models). The idea of its parts is MeshNet's (doi:10.1109/IJCNN.2017.7966333).
"""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn


class StridedAutoencoder(nn.Module):
    """Logits ``(B, out_channels, X, Y, Z)`` of ``(B, in_channels, X, Y, Z)``; sides even.

    Three stages of dilated 3x3x3 convolutions: at full resolution, at half resolution (the first
    convolution of the stage has stride 2), and again at full resolution after a transposed
    convolution. No stage hands features past another.

    The names of the weights are those of the published file: ``0.weight``, ``2.weight``, ...

    Args:
        in_channels: Channels of the volume.
        channels: Hidden channels at full and at half resolution.
        out_channels: Background and structures.
        dilations: Of each convolution, by stage; padding is equal.
        activation: ``silu``, the only one published.

    Raises:
        ValueError: Another activation, or not two widths and three stages.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        out_channels: int,
        dilations: Sequence[Sequence[int]],
        activation: str = "silu",
    ) -> None:
        super().__init__()
        if activation != "silu" or len(channels) != 2 or len(dilations) != 3:
            raise ValueError(
                f"a strided autoencoder has silu, 2 widths and 3 stages, not {activation}, "
                f"{len(channels)} and {len(dilations)}"
            )
        full, half = channels
        before, middle, after = dilations
        self.out_channels = out_channels
        self.stride = 2
        layers: list[nn.Module] = []
        for number, dilation in enumerate(before):
            layers += _layer(full if number else in_channels, full, dilation)
        for number, dilation in enumerate(middle):
            layers += _layer(half if number else full, half, dilation, 1 if number else 2)
        # The published numbering leaves no place for an activation here: there is none.
        layers.append(nn.ConvTranspose3d(half, full, 2, stride=2))
        for dilation in after:
            layers += _layer(full, full, dilation)
        layers.append(nn.Conv3d(full, out_channels, 1))
        for number, layer in enumerate(layers):
            self.add_module(str(number), layer)

    def forward(self, volume: Tensor) -> Tensor:
        """Return the logits on the volume's own grid."""
        features = volume
        for layer in self.children():
            features = cast(Tensor, layer(features))
        return features


def _layer(inputs: int, outputs: int, dilation: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv3d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation)
    return [convolution, nn.SiLU(inplace=True)]
