"""Test-time augmentation: a network averaged over flips of its input."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from .mean_logits import Average, mean_logits
from .window_logits import Network


@dataclass(frozen=True)
class FlipAverage:
    """A network that answers with the mean over all combinations of flips, flipped back.

    Attributes:
        network: The network that is asked once per combination (8 times for three axes).
        axes: Spatial axes of the patch that may be flipped, of 0, 1 and 2.
        average: What is averaged, see `mean_logits`.
    """

    network: Network
    axes: tuple[int, ...] = (0, 1, 2)
    average: Average = "logits"

    def __call__(self, patch: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Return averaged logits ``(B, K, X, Y, Z)`` for a patch ``(B, C, X, Y, Z)``."""
        return mean_logits(self._answers(patch), self.average)

    def _answers(self, patch: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        for count in range(len(self.axes) + 1):
            for chosen in combinations(self.axes, count):
                flip = tuple(axis + 2 for axis in chosen)
                answer = self.network(np.ascontiguousarray(np.flip(patch, flip)))
                yield np.flip(answer, flip)
