"""Windows weighted as MONAI does it, and what its inverse transforms interpolate.

MONAI's Gaussian importance has a floor of 1e-3 under the product of the three axes, which makes it
inseparable: the weights travel as one more channel beside the weighted logits, and are divided by
at the end (`compute_importance_map`; Cardoso et al., MONAI, 2022, arXiv:2211.02701).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .mean_logits import probabilities
from .monai_rules import Restored
from .patches import LogitsSlab
from .window_logits import Network
from .windows import SIGMA_PER_PATCH, Shape

Floats = NDArray[np.float32]

LEAST_PRODUCT = 1e-3


def gaussian_importance(shape: Shape) -> Floats:
    """Return how much each voxel of a patch counts, ``(X, Y, Z)``, 1e-3 to 1."""
    importance = np.ones((1, 1, 1), np.float32)
    for axis, side in enumerate(shape):
        distance = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
        gaussian = np.exp(distance**2 / np.float32(-2 * (SIGMA_PER_PATCH * side) ** 2))
        importance = importance * gaussian.reshape([-1 if a == axis else 1 for a in range(3)])
    return np.maximum(importance, max(float(importance.min()), LEAST_PRODUCT)).astype(np.float32)


@dataclass
class WeightedNetwork:
    """A network whose logits are multiplied by the importance, which follows as a last channel."""

    network: Network
    _importance: Floats | None = field(default=None, init=False, repr=False)

    def __call__(self, patch: Floats, /) -> Floats:
        """Return ``(B, K + 1, X, Y, Z)`` for a patch ``(B, C, X, Y, Z)``."""
        x, y, z = patch.shape[2:]
        if self._importance is None or self._importance.shape != (x, y, z):
            self._importance = gaussian_importance((x, y, z))
        logits = self.network(patch)
        weights = np.broadcast_to(self._importance, (len(patch), 1, x, y, z))
        return np.concatenate([logits * self._importance, weights], axis=1)


def unweighted(slabs: Iterator[LogitsSlab]) -> Iterator[LogitsSlab]:
    """Yield slabs of logits from those of a `WeightedNetwork`."""
    for slab in slabs:
        summed = np.asarray(slab.logits, np.float32)
        yield replace(slab, logits=summed[:-1] / summed[-1:])


def as_restored(
    slab: LogitsSlab, restored: Restored, output: Literal["softmax", "sigmoid"]
) -> LogitsSlab:
    """Return a slab of what is interpolated: with ``sigmoid``, 0 is then a probability of 0.5."""
    if restored != "probabilities":
        return slab
    found = probabilities(np.asarray(slab.logits, np.float32)[None], output)[0]
    return replace(slab, logits=found - np.float32(0.5) if output == "sigmoid" else found)
