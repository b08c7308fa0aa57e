"""Networks whose labels may overlap: a threshold per channel, and as few layers as will do."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .boundary import labels_between
from .labelmap import Label, smallest_label_dtype
from .patches import LogitsSlab
from .slab_walk import AxisMapping, Chunk, SlabWalk


class LayerRestorer:
    """Collects slabs of logits into one mask per channel on the source grid.

    The masks equal those of trilinear interpolation of the logits followed by the threshold,
    except where a logit lies within rounding of it.

    Args:
        mapping: Where source voxels lie on the network grid.
        labels: One for each channel; None for a channel that is not wanted.
        thresholds: Probability above which a voxel belongs to the label, one for each channel;
            None means 0.5 for all.

    Raises:
        ValueError: Thresholds for another number of channels, or one outside of 0 to 1.
    """

    def __init__(
        self,
        mapping: AxisMapping,
        labels: Sequence[Label | None],
        thresholds: Sequence[float] | None = None,
    ) -> None:
        probabilities = np.asarray(thresholds or [0.5] * len(labels), float)
        if len(probabilities) != len(labels):
            raise ValueError(f"{len(probabilities)} thresholds for {len(labels)} channels")
        if not ((probabilities > 0) & (probabilities < 1)).all():
            raise ValueError("a threshold is a probability between 0 and 1")
        self._walk = SlabWalk(mapping)
        self._labels = tuple(labels)
        self._least_logits = np.log(probabilities / (1 - probabilities))
        dtype = smallest_label_dtype(max((label.value for label in labels if label), default=0))
        self._layers = [
            None if label is None else np.zeros(mapping.source_shape, dtype, order="F")
            for label in labels
        ]

    def add(self, slab: LogitsSlab) -> None:
        """Fill in the source voxels that this slab completes.

        Raises:
            ValueError: It does not follow the slab before, is not on the network grid, or has
                another number of channels.
        """
        if len(slab.logits) != len(self._labels):
            raise ValueError(f"{len(slab.logits)} channels for {len(self._labels)} labels")
        for chunk in self._walk.chunks(slab):
            for channel, label in enumerate(self._labels):
                layer = self._layers[channel]
                if label is not None and layer is not None:
                    logits = chunk.logits[channel]
                    # A second channel that is the threshold itself makes it an arg-max.
                    threshold = np.full_like(logits, self._least_logits[channel])
                    pair = Chunk(np.stack([threshold, logits]), chunk.places)
                    self._walk.source_view(layer, chunk)[:] = labels_between(pair, (0, label.value))

    def layers(self) -> tuple[tuple[NDArray[Any], ...], tuple[Label, ...]]:
        """Return layers ``(I, J, K)`` and the label table that says which label lies in which.

        Labels that do not overlap share a layer. What was collected is used up.

        Raises:
            ValueError: Slabs are missing, or no channel was wanted.
        """
        self._walk.check_finished()
        packed: list[NDArray[Any]] = []
        table: list[Label] = []
        for channel, label in enumerate(self._labels):
            layer, self._layers[channel] = self._layers[channel], None
            if label is not None and layer is not None:
                table.append(replace(label, layer=_packed_into(packed, layer, table, label)))
        if not packed:
            raise ValueError("no channel was wanted")
        return tuple(packed), tuple(table)


def _packed_into(
    packed: list[NDArray[Any]], layer: NDArray[Any], table: list[Label], label: Label
) -> int:
    """Put a layer into the first one where nothing is in its way; return that one's index."""
    taken = {(other.layer, other.value) for other in table}
    for index, other in enumerate(packed):
        if (index, label.value) not in taken and not np.logical_and(other, layer).any():
            np.maximum(other, layer, out=other)
            return index
    packed.append(layer)
    return len(packed) - 1
