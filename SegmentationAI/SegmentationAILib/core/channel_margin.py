"""By how much one channel wins, voxel for voxel of the source grid, streaming.

The margin of a channel is what its logit lies above the highest of the others: it is positive
exactly where the channel is the arg-max. A sigmoid's margin is its logit. The margin is taken on
the network grid and then interpolated: one number per voxel travels, whatever the classes are.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .entropy import Output
from .patches import LogitsSlab
from .slab_walk import AxisMapping, Floats, SlabWalk

# Of what lies beyond the network grid: a probability of 1e-13.
NEVER: Final = -30.0


class ChannelMargin:
    """Collects slabs of logits into the margin of one channel on the source grid.

    Args:
        mapping: Where source voxels lie on the network grid.
        channel: Index among the logits.
        output: ``softmax`` when one label wins, ``sigmoid`` when each stands alone.
    """

    def __init__(self, mapping: AxisMapping, channel: int, output: Output = "softmax") -> None:
        self._walk = SlabWalk(mapping)
        self._channel, self._output = channel, output
        self._margin = np.full(mapping.source_shape, NEVER, np.float32)

    def add(self, slab: LogitsSlab) -> None:
        """Fill in the source voxels that this slab completes.

        Raises:
            ValueError: It does not follow the slab before, or is not on the network grid.
        """
        for chunk in self._walk.chunks(slab):
            values: NDArray[np.float32] = margin_of(chunk.logits, self._channel, self._output)
            for axis, places in enumerate(chunk.places):
                values = places.between(values, axis)
            self._walk.source_view(self._margin, chunk)[:] = values

    def margin(self) -> Floats:
        """Return the margin, float32 ``(I, J, K)``; `NEVER` beyond the network grid.

        Raises:
            ValueError: Slabs are missing.
        """
        self._walk.check_finished()
        return self._margin


def margin_of(logits: Floats, channel: int, output: Output) -> Floats:
    """Return the margin ``(X, Y, Z)`` of a channel of logits ``(K, X, Y, Z)``; a new array."""
    own = np.array(logits[channel], np.float32)
    if output == "softmax" and len(logits) > 1:
        own -= np.delete(logits, channel, axis=0).max(axis=0)
    return own
