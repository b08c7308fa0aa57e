"""Regions painted one over the other, as nnU-Net does with regions that lie within each other.

Isensee et al., nnU-Net, Nature Methods 2021, doi:10.1038/s41592-020-01008-z: one channel
per region; where several hold, the last in the order of the channels wins (its
``regions_class_order``). So a tumor's core is what is left of it when its parts are painted.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .boundary import labels_between
from .labelmap import smallest_label_dtype
from .patches import LogitsSlab
from .slab_walk import AxisMapping, Chunk, SlabWalk


class PaintedRestorer:
    """Collects slabs of logits into one layer of labels on the source grid.

    The labels equal those of trilinear interpolation of the logits followed by the threshold of
    probability 0.5, except where a logit lies within rounding of it.

    Args:
        mapping: Where source voxels lie on the network grid.
        values: Label value of each channel, in the order in which they are painted.
    """

    def __init__(self, mapping: AxisMapping, values: Sequence[int]) -> None:
        self._walk = SlabWalk(mapping)
        self._values = tuple(values)
        dtype = smallest_label_dtype(max(values, default=0))
        self._labels: NDArray[Any] = np.zeros(mapping.source_shape, dtype, order="F")

    def add(self, slab: LogitsSlab) -> None:
        """Paint the source voxels that this slab completes.

        Raises:
            ValueError: It does not follow the slab before, is not on the network grid, or has
                another number of channels.
        """
        if len(slab.logits) != len(self._values):
            raise ValueError(f"{len(slab.logits)} channels for {len(self._values)} label values")
        for chunk in self._walk.chunks(slab):
            view = self._walk.source_view(self._labels, chunk)
            for logits, value in zip(chunk.logits, self._values, strict=True):
                # A second channel that is the threshold itself makes it an arg-max.
                pair = Chunk(np.stack([np.zeros_like(logits), logits]), chunk.places)
                painted = labels_between(pair, (0, 1)) != 0
                view[painted] = value

    def labels(self) -> NDArray[Any]:
        """Return the label values ``(I, J, K)`` once all slabs have come by.

        Raises:
            ValueError: Slabs are missing.
        """
        self._walk.check_finished()
        return self._labels
