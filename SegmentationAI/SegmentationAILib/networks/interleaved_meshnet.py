"""The same MeshNet, rewritten so that CPUs run it several times faster; the logits are equal.

Two exact changes, measured on AVX-512 with AMX and 30 channels (billions of operations a second):

- Channels are padded with zeros to a multiple of 16, the width of the vector unit: 226 to 483.
- A convolution of dilation d is d/f on each of the f^3 grids of every f-th voxel. The fast kernels
  of oneDNN take no dilation far beyond the padding: dilation 16 in bf16 ran at 24, with f = 4 at
  470. Splitting a grid is "space to batch" (Yu and Koltun, Multi-Scale Context Aggregation by
  Dilated Convolutions, ICLR 2016, arXiv:1511.07122, describe the equivalence).
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .architectures.meshnet import ACTIVATIONS, MeshNet

CHANNEL_MULTIPLE = 16
INTERLEAVE = 4
EPSILON = 1e-5


class InterleavedMeshNet(nn.Module):
    """Logits ``(1, K, X, Y, Z)`` of ``(1, C, X, Y, Z)``, equal to those of a MeshNet.

    Args:
        network: The MeshNet, in evaluation mode; its weights are copied.
        shape: (X, Y, Z) of the volumes to come. Sides that 4 does not divide are not interleaved,
            which is slower and as exact.
    """

    def __init__(self, network: MeshNet, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.out_channels = network.out_channels
        self.activation = network.activation
        self.normalizes = network.normalization == "instance"
        even = all(side % INTERLEAVE == 0 for side in shape)
        self.dilations = network.dilations
        self.interleaves = tuple(
            INTERLEAVE if even and dilation % INTERLEAVE == 0 else 1 for dilation in self.dilations
        )
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for weight, bias in padded_layers(network):
            self.weights.append(nn.Parameter(weight, requires_grad=False))
            self.biases.append(nn.Parameter(bias, requires_grad=False))
        head, offset = padded_head(network)
        self.head_weight = nn.Parameter(head, requires_grad=False)
        self.head_bias = nn.Parameter(offset, requires_grad=False)

    def forward(self, volume: Tensor) -> Tensor:
        """Return the logits on the volume's own grid."""
        features, current = volume, 1
        for weight, bias, dilation, wanted in zip(
            self.weights, self.biases, self.dilations, self.interleaves, strict=True
        ):
            features, current = _interleaved_as(features, current, wanted), wanted
            near = dilation // wanted
            features = functional.conv3d(features, weight, bias, padding=near, dilation=near)
            if self.normalizes:
                features = normalized(features)
            features = ACTIVATIONS[self.activation](features)
        features = _interleaved_as(features, current, 1)
        return functional.conv3d(features, self.head_weight, self.head_bias)


def padded_layers(network: MeshNet) -> list[tuple[Tensor, Tensor]]:
    """Return weight and bias of each hidden layer, channels padded with zeros to 16, 32, ..."""
    layers = []
    for number, (weight, bias) in enumerate(network.folded_layers()):
        outputs, inputs = _padded(len(weight)), weight.shape[1]
        if number:
            inputs = _padded(inputs)
        wide = weight.new_zeros((outputs, inputs, *weight.shape[2:]))
        wide[: weight.shape[0], : weight.shape[1]] = weight
        offset = bias.new_zeros(outputs)
        offset[: len(bias)] = bias
        layers.append((wide, offset))
    return layers


def padded_head(network: MeshNet) -> tuple[Tensor, Tensor]:
    """Return weight and bias of the last layer for padded channels; its outputs are not padded."""
    weight = network.head.weight.detach()
    wide = weight.new_zeros((len(weight), _padded(weight.shape[1]), 1, 1, 1))
    wide[:, : weight.shape[1]] = weight
    return wide, cast(Tensor, network.head.bias).detach().clone()


def normalized(features: Tensor) -> Tensor:
    """Return features ``(P, C, x, y, z)`` of one volume with mean 0 and variance 1 per channel."""
    variance, mean = torch.var_mean(features, dim=(0, 2, 3, 4), correction=0, keepdim=True)
    return (features - mean) * torch.rsqrt(variance + EPSILON)


def interleave(features: Tensor, factor: int) -> Tensor:
    """Return ``(N f^3, C, X/f, Y/f, Z/f)`` of ``(N, C, X, Y, Z)``: every f-th voxel is a grid."""
    n, c, x, y, z = features.shape
    f = factor
    split = features.reshape(n, c, x // f, f, y // f, f, z // f, f)
    return split.permute(0, 3, 5, 7, 1, 2, 4, 6).reshape(n * f**3, c, x // f, y // f, z // f)


def deinterleave(features: Tensor, factor: int) -> Tensor:
    """Return ``(N, C, X, Y, Z)`` of ``(N f^3, C, X/f, Y/f, Z/f)``; the inverse of `interleave`."""
    n, c, x, y, z = features.shape
    f = factor
    split = features.reshape(n // f**3, f, f, f, c, x, y, z)
    return split.permute(0, 4, 5, 1, 6, 2, 7, 3).reshape(n // f**3, c, x * f, y * f, z * f)


def _interleaved_as(features: Tensor, current: int, wanted: int) -> Tensor:
    if current == wanted:
        return features
    return interleave(features, wanted) if wanted > current else deinterleave(features, current)


def _padded(channels: int) -> int:
    return -(-channels // CHANNEL_MULTIPLE) * CHANNEL_MULTIPLE
