"""The seam between architectures and those who train and run them.

Every architecture that can be trained here says of itself what a trainer and the pipeline have to
know. `TrainingForm` and `InferenceForm` are the two ways to call it; both check the patch first.
"""

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from ..core.errors import GeometryError


@runtime_checkable
class TrainableNetwork(Protocol):
    """What a network that can be trained says of itself.

    Attributes:
        out_channels: Channels of its logits.
        divisors: For each axis of a patch what its side is a multiple of; as many as the network
            has dimensions, 2 or 3.
        output_strides: For each of the training logits and each axis, voxels of the patch per
            voxel of the logits; the first are all 1.
        encoder_prefixes: Beginnings of the names of the encoder's parameters and buffers: what
            stays as it was when the encoder is frozen.
        last_block_prefixes: The same of the last block with its head: what alone is trained when
            all else is frozen.
    """

    out_channels: int
    divisors: tuple[int, ...]
    output_strides: tuple[tuple[int, ...], ...]
    encoder_prefixes: tuple[str, ...]
    last_block_prefixes: tuple[str, ...]

    def __call__(self, patch: Tensor, /) -> Tensor:
        """Return the finest logits ``(B, K, ...)`` alone, on the grid of the patch."""

    def training_logits(self, patch: Tensor, /) -> list[Tensor]:
        """Return all logits that a loss is put on, finest first; in training mode only."""


class TrainingForm(nn.Module):
    """A network as a loss wants it: a list of logits, finest first.

    It is a module of its own so that DistributedDataParallel can wrap it. Its weights are those of
    ``network``, which is what is saved.

    Args:
        network: Shared, not copied.
    """

    def __init__(self, network: TrainableNetwork) -> None:
        super().__init__()
        assert isinstance(network, nn.Module)
        self.network = network

    def forward(self, patch: Tensor) -> list[Tensor]:
        """Return the logits of a patch ``(B, C, X, Y)`` or ``(B, C, X, Y, Z)``.

        Raises:
            GeometryError: A side that the network does not take.
        """
        check_sides(self.network, patch.shape[2:])
        return self.network.training_logits(patch)


class InferenceForm(nn.Module):
    """A network as the pipeline wants it: volume in, finest logits out.

    A network of two dimensions sees the planes along the last axis, all of a patch as one batch.
    Which planes those are is the card's orientation: the last letter of ``LPS`` is axial.

    Args:
        network: Shared, not copied.
    """

    def __init__(self, network: TrainableNetwork) -> None:
        super().__init__()
        assert isinstance(network, nn.Module)
        self.network = network

    def forward(self, patch: Tensor) -> Tensor:
        """Return logits ``(B, K, X, Y, Z)`` of a patch ``(B, C, X, Y, Z)``.

        Raises:
            GeometryError: A side that the network does not take.
        """
        dimensions = len(self.network.divisors)
        check_sides(self.network, patch.shape[2 : 2 + dimensions])
        if dimensions == 3:
            return self.network(patch)
        batch, planes = patch.shape[0], patch.shape[4]
        logits = self.network(patch.permute(0, 4, 1, 2, 3).flatten(0, 1))
        return logits.reshape(batch, planes, *logits.shape[1:]).permute(0, 2, 3, 4, 1)


def check_sides(network: TrainableNetwork, sides: Sequence[int]) -> None:
    """Check that a network takes patches of these sides.

    Normalization needs two voxels on the coarsest grid.

    Raises:
        GeometryError: It does not; the message says what it takes.
    """
    divisors = network.divisors
    fits = len(sides) == len(divisors) and all(
        side > 0 and side % divisor == 0 for side, divisor in zip(sides, divisors, strict=True)
    )
    if not fits or math.prod(sides) < 2 * math.prod(divisors):
        raise GeometryError(
            f"A patch of {_times(sides)} voxels was found; this network takes sides that are "
            f"multiples of {_times(divisors)}, and more than {_times(divisors)} in all: pad the "
            "patch or choose another size."
        )


def _times(sides: Sequence[int]) -> str:
    return " x ".join(str(side) for side in sides)
