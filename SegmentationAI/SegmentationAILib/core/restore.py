"""Network logits back to labels on the source grid, streaming and exact."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .boundary import Integers, labels_between
from .labelmap import smallest_label_dtype
from .patches import LogitsSlab
from .slab_walk import AxisMapping, SlabWalk


class LabelRestorer:
    """Collects slabs of logits into labels on the source grid.

    The labels equal those of trilinear interpolation of all logits followed by arg-max, except
    where two logits tie to within rounding. Source voxels beyond the network grid are background.

    Args:
        mapping: Where source voxels lie on the network grid.
        values: Label value of each channel, background (0) included.
    """

    def __init__(self, mapping: AxisMapping, values: Sequence[int]) -> None:
        self._walk = SlabWalk(mapping)
        self._values = tuple(values)
        dtype = smallest_label_dtype(max(values, default=0))
        # Zero is background; pages that no label reaches are never touched. The first axis runs
        # fastest, as in files and in VTK, so that neither has to turn the voxels around.
        self._labels: NDArray[Any] = np.zeros(mapping.source_shape, dtype, order="F")

    def add(self, slab: LogitsSlab) -> None:
        """Label the source voxels that this slab completes.

        Raises:
            ValueError: It does not follow the slab before, is not on the network grid, or has
                another number of channels.
        """
        if len(slab.logits) != len(self._values):
            raise ValueError(f"{len(slab.logits)} channels for {len(self._values)} label values")
        for chunk in self._walk.chunks(slab):
            self._walk.source_view(self._labels, chunk)[:] = labels_between(chunk, self._values)

    def labels(self) -> Integers:
        """Return the label values ``(I, J, K)`` once all slabs have come by.

        Raises:
            ValueError: Slabs are missing.
        """
        self._walk.check_finished()
        return self._labels


def restore_labels(
    slabs: Iterable[LogitsSlab], mapping: AxisMapping, values: Sequence[int]
) -> Integers:
    """Return label values ``(I, J, K)`` on the source grid for slabs of logits.

    Args:
        slabs: As `patches.logits_slabs` yields them; each is used before the next is asked for.
        mapping: Where source voxels lie on the network grid.
        values: Label value of each channel, background (0) included.

    Raises:
        ValueError: Slabs out of order or missing, or another number of channels.
    """
    restorer = LabelRestorer(mapping, values)
    for slab in slabs:
        restorer.add(slab)
    return restorer.labels()
