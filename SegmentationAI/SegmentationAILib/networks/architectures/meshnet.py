"""MeshNet: dilated convolutions at full resolution, no pooling, few parameters.

Fedorov, Johnson, Damaraju, Ozerin, Calhoun, Plis: End-to-end learning of brain tissue segmentation
from imperfect labeling, IJCNN 2017, doi:10.1109/IJCNN.2017.7966333. Published weights have the
batch normalization folded into the convolutions ("none"); mindgrab normalizes each channel over
the whole volume ("instance").
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

ActivationName = Literal["elu", "relu", "gelu"]
Normalization = Literal["none", "batch", "instance"]

# In place where torch can: a whole head with 30 channels takes 2 GB, a second copy another 2 GB.
ACTIVATIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "elu": lambda features: functional.elu(features, inplace=True),
    "relu": lambda features: functional.relu(features, inplace=True),
    "gelu": functional.gelu,
}
_LAYERS: Final[dict[str, Callable[[], nn.Module]]] = {
    "elu": lambda: nn.ELU(inplace=True),
    "relu": lambda: nn.ReLU(inplace=True),
    "gelu": nn.GELU,
}
_NORMS: Final[dict[str, Callable[[int], nn.Module]]] = {
    "batch": nn.BatchNorm3d,
    "instance": nn.InstanceNorm3d,
}


class MeshNet(nn.Module):
    """Logits ``(B, out_channels, X, Y, Z)`` of ``(B, in_channels, X, Y, Z)``, any shape.

    The names of the weights are those of the published files: ``model.0.weight`` with one entry
    per convolution and activation, or ``model.0.0.weight`` with one block per layer where there is
    normalization.

    Args:
        in_channels: Channels of the volume.
        channels: Channels of every hidden layer.
        out_channels: Background and structures.
        dilations: Of each hidden 3x3x3 layer in order; padding is equal, so the grid is kept.
        activation: After each hidden layer.
        normalization: Between convolution and activation.

    Raises:
        ValueError: A parameter that there is not.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        out_channels: int,
        dilations: Sequence[int],
        activation: ActivationName,
        normalization: Normalization = "none",
    ) -> None:
        super().__init__()
        if activation not in _LAYERS or (normalization != "none" and normalization not in _NORMS):
            raise ValueError(f"MeshNet has no activation {activation} with {normalization}")
        self.out_channels = out_channels
        self.activation = activation
        self.normalization = normalization
        self.dilations = tuple(int(dilation) for dilation in dilations)
        layers: list[nn.Module] = []
        for number, dilation in enumerate(self.dilations):
            inputs = channels if number else in_channels
            # A normalization takes the mean away, and any bias with it.
            bias = normalization == "none"
            convolution = nn.Conv3d(
                inputs, channels, 3, padding=dilation, dilation=dilation, bias=bias
            )
            if normalization == "none":
                layers += [convolution, _LAYERS[activation]()]
            else:
                norm = _NORMS[normalization](channels)
                layers.append(nn.Sequential(convolution, norm, _LAYERS[activation]()))
        self.model = nn.Sequential(*layers, nn.Conv3d(channels, out_channels, 1))

    @property
    def receptive_radius(self) -> int:
        """Voxels on each side that a logit depends on (with "instance" also the whole volume)."""
        return sum(self.dilations)

    @property
    def head(self) -> nn.Conv3d:
        """The last layer, which sees single voxels."""
        return cast(nn.Conv3d, self.model[-1])

    def forward(self, volume: Tensor) -> Tensor:
        """Return the logits on the volume's own grid."""
        return cast(Tensor, self.model(volume))

    def folded_layers(self) -> list[tuple[Tensor, Tensor]]:
        """Return weight ``(O, I, 3, 3, 3)`` and bias ``(O,)`` of each hidden layer.

        Batch normalization is folded in, as it is at inference; instance normalization is not.
        """
        modules = [m for m in self.model.modules() if isinstance(m, nn.Conv3d)][:-1]
        norms = [m for m in self.model.modules() if isinstance(m, nn.BatchNorm3d)]
        folded = []
        for number, convolution in enumerate(modules):
            weight = convolution.weight.detach()
            bias = convolution.bias
            offset = weight.new_zeros(len(weight)) if bias is None else bias.detach()
            if norms:
                weight, offset = _with_batch_norm(weight, offset, norms[number])
            folded.append((weight, offset))
        return folded


def _with_batch_norm(weight: Tensor, bias: Tensor, norm: nn.BatchNorm3d) -> tuple[Tensor, Tensor]:
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    scale = norm.weight.detach() / torch.sqrt(variance + norm.eps)
    return weight * scale.view(-1, 1, 1, 1, 1), (bias - mean) * scale + norm.bias.detach()
