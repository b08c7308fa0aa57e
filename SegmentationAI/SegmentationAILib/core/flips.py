"""Test-time augmentation: a network averaged over flips of its input."""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .window_logits import Network

Average = Literal["logits", "softmax", "sigmoid"]


@dataclass(frozen=True)
class FlipAverage:
    """A network that answers with the mean over all combinations of flips, flipped back.

    Attributes:
        network: The network that is asked once per combination (8 times for three axes).
        axes: Spatial axes of the patch that may be flipped, of 0, 1 and 2.
        average: ``logits`` averages the raw output, as nnU-Net does. ``softmax`` and ``sigmoid``
            average probabilities; what comes back are again logits, those of the mean.
    """

    network: Network
    axes: tuple[int, ...] = (0, 1, 2)
    average: Average = "logits"

    def __call__(self, patch: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Return averaged logits ``(B, K, X, Y, Z)`` for a patch ``(B, C, X, Y, Z)``."""
        total: NDArray[np.float32] | None = None
        flips = [
            tuple(axis + 2 for axis in chosen)
            for count in range(len(self.axes) + 1)
            for chosen in combinations(self.axes, count)
        ]
        for flip in flips:
            answer = self.network(np.ascontiguousarray(np.flip(patch, flip)))
            answer = self._averaged_quantity(np.flip(answer, flip))
            total = answer.copy() if total is None else np.add(total, answer, out=total)
        assert total is not None  # no axes still leaves the unflipped patch
        total /= len(flips)
        return self._logits(total)

    def _averaged_quantity(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.average == "logits":
            return logits
        if self.average == "sigmoid":
            return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)), np.float32)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)

    def _logits(self, mean: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.average == "logits":
            return mean
        # Probabilities of 0 and 1 would become infinite, which no interpolation survives.
        mean = np.clip(mean, 1e-12, 1.0 - 1e-7)
        if self.average == "sigmoid":
            return np.asarray(np.log(mean) - np.log1p(-mean), np.float32)
        return np.asarray(np.log(mean), np.float32)
