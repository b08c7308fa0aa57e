"""How undecided a network is, voxel by voxel: the entropy of its probabilities, streaming.

The entropy is taken on the network grid, where the logits are, and then interpolated: one number
per voxel travels to the source grid instead of one per class.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .patches import LogitsSlab
from .slab_walk import AxisMapping, Floats, SlabWalk

Output = Literal["softmax", "sigmoid"]


class EntropyRestorer:
    """Collects slabs of logits into normalized entropy on the source grid.

    Args:
        mapping: Where source voxels lie on the network grid.
        output: ``softmax`` when one label wins: the entropy over the classes, 1 when all are
            equally likely. ``sigmoid`` when each label stands alone: the entropy of the least
            certain one, 1 at a probability of one half.
    """

    def __init__(self, mapping: AxisMapping, output: Output = "softmax") -> None:
        self._walk = SlabWalk(mapping)
        self._output = output
        self._entropy = np.zeros(mapping.source_shape, np.float16)

    def add(self, slab: LogitsSlab) -> None:
        """Fill in the source voxels that this slab completes.

        Raises:
            ValueError: It does not follow the slab before, or is not on the network grid.
        """
        of_plane = softmax_entropy if self._output == "softmax" else highest_sigmoid_entropy
        for chunk in self._walk.chunks(slab):
            planes = np.moveaxis(chunk.logits, 1, 0)
            values: NDArray[Any] = np.stack([of_plane(plane) for plane in planes])
            for axis, places in enumerate(chunk.places):
                values = places.between(values, axis)
            self._walk.source_view(self._entropy, chunk)[:] = values

    def entropy(self) -> NDArray[np.float16]:
        """Return entropy 0 to 1, float16 ``(I, J, K)``; 0 beyond the network grid.

        Raises:
            ValueError: Slabs are missing.
        """
        self._walk.check_finished()
        return self._entropy


def softmax_entropy(logits: Floats) -> Floats:
    """Return the entropy of the softmax over the first axis, over the largest possible one."""
    if len(logits) < 2:
        return np.zeros(logits.shape[1:], np.float32)
    shifted = logits - logits.max(axis=0)
    weights = np.exp(shifted)
    total = weights.sum(axis=0)
    entropy = np.log(total) - (weights * shifted).sum(axis=0) / total
    return np.asarray(np.clip(entropy / np.log(len(logits)), 0, 1), np.float32)


def highest_sigmoid_entropy(logits: Floats) -> Floats:
    """Return the largest binary entropy, in bits, of the sigmoids along the first axis."""
    # The label nearest to one half is the least certain, so only its entropy is needed.
    nearest = np.abs(logits).min(axis=0)
    return softmax_entropy(np.stack([np.zeros_like(nearest), nearest]))
