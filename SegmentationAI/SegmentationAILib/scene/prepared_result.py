"""A network's answer made ready for the scene, by numpy alone: any thread may do it.

What takes time for every voxel happens here, so that the steps left to the event loop are short.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..core.labelmap import Label, Labelmap
from ..core.mask_history import Mask
from ..core.volume import Array, Box
from .label_voxels import storable_voxels

_NOWHERE = Box((0, 0, 0), (0, 0, 0))


@dataclass(frozen=True, eq=False)
class PreparedResult:
    """A labelmap that segments can share as it is.

    Attributes:
        labelmap: Layers in Fortran order and a dtype that Slicer has; every voxel other than 0 has
            a label.
        boxes: The box of each label, of no voxel where the label does not occur.
    """

    labelmap: Labelmap
    boxes: tuple[Box, ...]

    def mask(self, label: Label, box: Box) -> Mask:
        """Return where ``label`` is within ``box``, in Fortran order."""
        found: Mask = np.equal(self.labelmap.layers[label.layer][box.slices], label.value)
        return np.asfortranarray(found)


def prepared_result(labelmap: Labelmap) -> PreparedResult:
    """Return ``labelmap`` ready for `commit`; its layers are copied only where they have to be.

    Raises:
        SegmentationAIError: Voxels have a value that no label names.
    """
    layers = []
    for index, layer in enumerate(labelmap.layers):
        values = [label.value for label in labelmap.labels if label.layer == index]
        layers.append(np.asfortranarray(storable_voxels(layer, values)))
    boxes = [_boxes(layer, n, labelmap.labels) for n, layer in enumerate(layers)]
    found = tuple(boxes[label.layer].get(label.value, _NOWHERE) for label in labelmap.labels)
    return PreparedResult(replace(labelmap, layers=tuple(layers)), found)


def _boxes(layer: Array, index: int, labels: tuple[Label, ...]) -> dict[int, Box]:
    """Return the box of every value of a layer, slice by slice along the last axis."""
    values = np.array([0, *sorted(label.value for label in labels if label.layer == index)])
    shape = layer.shape
    # Where each value occurs along each axis.
    along = [np.zeros((len(values), n), bool) for n in shape]
    for k, plane in _planes_with_labels(layer):
        numbers = np.searchsorted(values, plane)
        along[0][numbers, np.arange(shape[0])[:, None]] = True
        along[1][numbers, np.arange(shape[1])[None, :]] = True
        along[2][numbers.ravel(), k] = True
    boxes = {}
    for number, value in enumerate(values.tolist()):
        ends = [np.flatnonzero(axis[number]) for axis in along]
        if value and len(ends[0]):
            start = tuple(int(end[0]) for end in ends)
            stop = tuple(int(end[-1]) + 1 for end in ends)
            boxes[value] = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    return boxes


def _planes_with_labels(layer: Array) -> Iterator[tuple[int, Array]]:
    """Yield the index and the voxels of every plane that is not background alone."""
    for k in range(layer.shape[2]):
        plane = layer[:, :, k]
        if plane.any():
            yield k, plane
