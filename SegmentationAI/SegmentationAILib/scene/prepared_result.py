"""A network's answer made ready for the scene, by numpy alone: any thread may do it.

What takes time for every voxel happens here, so that the steps left to the event loop are short.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..core.labelmap import Label, LabelArray, Labelmap
from ..core.mask_history import Mask
from ..core.volume import Box
from .label_voxels import storable_voxels
from .value_boxes import boxes_of_values

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
    layers: list[LabelArray] = []
    for index, layer in enumerate(labelmap.layers):
        values = [label.value for label in labelmap.labels if label.layer == index]
        layers.append(np.asfortranarray(storable_voxels(layer, values)))
    boxes = [boxes_of_values(layer) for layer in layers]
    found = tuple(boxes[label.layer].get(label.value, _NOWHERE) for label in labelmap.labels)
    return PreparedResult(replace(labelmap, layers=tuple(layers)), found)
