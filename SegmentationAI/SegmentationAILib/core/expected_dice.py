"""How well each segment is likely to agree with the truth, told from the probabilities alone.

If the probabilities are calibrated, the expected overlap of a segment with the truth is the sum of
its probabilities inside of it, and the expected size of the truth their sum everywhere. Their
ratio estimates the Dice that a reference would give: the segment's own quality score (the soft
Dice of Milletari et al., 3DV 2016, doi:10.1109/3DV.2016.79, between labels and probabilities).
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .patches import LogitsSlab

# Millions of background voxels at a thousandth each would outweigh a small structure.
LEAST_PROBABILITY = 0.01


class ExpectedDice:
    """Collects slabs of logits into one score for each segment.

    The sums are taken on the network grid, voxel by voxel; nothing is interpolated.

    Args:
        channels: Of the logits.
        output: ``softmax`` when one label wins and channel 0 is background, ``sigmoid`` when each
            channel stands alone and a probability of one half is enough.
    """

    def __init__(self, channels: int, output: Literal["softmax", "sigmoid"] = "softmax") -> None:
        self._output = output
        self._inside = np.zeros(channels)
        self._everywhere = np.zeros(channels)
        self._voxels = np.zeros(channels)

    def add(self, slab: LogitsSlab) -> None:
        """Count the voxels of a slab."""
        for plane in np.moveaxis(slab.logits, slab.axis + 1, 0):
            self._count(np.asarray(plane, np.float32).reshape(len(plane), -1))

    def scores(self) -> tuple[float | None, ...]:
        """Return the expected Dice of each label, 0 to 1, in the order of the network's labels.

        None where the network found nothing of it.
        """
        first = 1 if self._output == "softmax" else 0
        return tuple(
            float(2 * inside / (voxels + everywhere)) if voxels else None
            for inside, everywhere, voxels in zip(
                self._inside[first:], self._everywhere[first:], self._voxels[first:], strict=True
            )
        )

    def _count(self, logits: NDArray[np.float32]) -> None:
        if self._output == "softmax":
            chosen = np.zeros(logits.shape, bool)
            np.put_along_axis(chosen, logits.argmax(axis=0)[None], True, axis=0)
        else:
            chosen = logits > 0
        probabilities = _probabilities(logits, self._output)
        probabilities[probabilities < LEAST_PROBABILITY] = 0
        self._inside += np.where(chosen, probabilities, 0).sum(axis=1, dtype=np.float64)
        self._everywhere += probabilities.sum(axis=1, dtype=np.float64)
        self._voxels += chosen.sum(axis=1)


def _probabilities(logits: NDArray[np.float32], output: str) -> NDArray[Any]:
    if output == "sigmoid":
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))
    weights = np.exp(logits - logits.max(axis=0))
    weights /= weights.sum(axis=0)
    return np.asarray(weights)
