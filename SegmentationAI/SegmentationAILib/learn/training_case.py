"""One case as a trainer takes it: the network's input, and which channel is right at each voxel."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Channel of voxels about which nothing is known: they count in no loss and in no score.
IGNORED: Final = 255
# Labels beside background and `IGNORED` that a byte can tell apart.
MOST_LABELS: Final = 254
# Label values that a card can name.
HIGHEST_LABEL: Final = 65535


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """One case on the grid of its plan.

    Attributes:
        id: Name of the case, unique within its data set.
        array: ``(C, I, J, K)`` float32, the input exactly as the network gets it when it segments.
        channels: ``(I, J, K)`` uint8, index into the logits: 0 background, ``n`` is
            ``labels[n - 1]`` of the plan, `IGNORED` counts in no loss.
        weights: ``(I, J, K)`` float32, weight of each voxel in the loss; None is 1 everywhere.
        padding: Intensity beyond the array in each channel, as the network gets it when it
            segments; empty stands for 0.

    Raises:
        ValueError: The arrays are of other types, or do not lie on one grid.
    """

    id: str
    array: NDArray[np.float32]
    channels: NDArray[np.uint8]
    weights: NDArray[np.float32] | None = None
    padding: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.array.ndim != 4 or self.array.dtype != np.float32:
            raise ValueError(f"(C, I, J, K) float32 is needed, got {self.array.shape}")
        if self.channels.dtype != np.uint8 or self.channels.shape != self.array.shape[1:]:
            raise ValueError(f"channels {self.channels.shape} beside input {self.array.shape}")
        if self.weights is not None and (
            self.weights.dtype != np.float32 or self.weights.shape != self.channels.shape
        ):
            raise ValueError(f"weights {self.weights.shape} beside input {self.array.shape}")
        if self.padding and len(self.padding) != len(self.array):
            raise ValueError(f"{len(self.padding)} paddings for {len(self.array)} channels")
