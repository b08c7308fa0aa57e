"""What a segment will be after a correction, shown over the scan before anything is changed."""

from typing import Final

import numpy as np
import slicer

from ..core.labelmap import Label, Labelmap
from ..core.mask_history import Mask, box_of
from ..core.volume import Array, Box
from .prepared_result import PreparedResult
from .preview import remove_preview, show_preview
from .segmentation_layers import BINARY_LABELMAP
from .volume_node import grid_of_node
from .vtk_voxels import voxels_from_image

# Amber and violet stay apart for every kind of color blindness, and are no tissue's color.
CORRECTED_COLOR: Final = (1.0, 0.78, 0.1)
TAKEN_COLOR: Final = (0.72, 0.35, 1.0)
CORRECTED: Final = 1
TAKEN: Final = 2
_NOWHERE: Final = Box((0, 0, 0), (0, 0, 0))


class CorrectionPreview:
    """A segmentation of two segments: what the segment will be, and what is taken from it.

    Args:
        volume_node: The scan, in a scene; its grid is the mask's.
        start: The segment as it is, bool ``(I, J, K)``; not changed.
        name: Of the segment.
    """

    def __init__(self, volume_node: slicer.vtkMRMLVolumeNode, start: Mask, name: str) -> None:
        self._start = start
        self._different = 0
        voxels = np.asfortranarray(start).astype(np.uint8, order="F")
        labels = (
            Label(CORRECTED, "Corrected", CORRECTED_COLOR, segment_id="Corrected"),
            Label(TAKEN, "Taken away", TAKEN_COLOR, segment_id="Taken"),
        )
        labelmap = Labelmap((voxels,), labels, grid_of_node(volume_node).affine)
        result = PreparedResult(labelmap, (box_of(start), _NOWHERE))
        scene = volume_node.GetScene()
        self.node = show_preview(result, volume_node, scene, f"{name} (correction)")
        self.node.GetDisplayNode().SetSliceIntersectionThickness(2)
        segment = self.node.GetSegmentation().GetSegment("Corrected")
        self._image = segment.GetRepresentation(BINARY_LABELMAP)

    @property
    def mask(self) -> Mask:
        """The corrected segment, bool ``(I, J, K)``."""
        mask: Mask = np.equal(self._voxels, CORRECTED)
        return mask

    @property
    def has_change(self) -> bool:
        """Whether the segment would become another one."""
        return self._different > 0

    def show(self, box: Box, mask: Mask) -> None:
        """Show what a box holds now; nothing outside of it changes."""
        view, start = self._voxels[box.slices], self._start[box.slices]
        self._different -= int(np.count_nonzero((view == CORRECTED) != start))
        view[...] = np.where(mask, CORRECTED, np.where(start, TAKEN, 0))
        self._different += int(np.count_nonzero(mask != start))
        self._image.GetPointData().GetScalars().Modified()
        self._image.Modified()

    def changes(self) -> tuple[Box, Mask, Mask]:
        """Return a box and which of its voxels come and go."""
        turned = self.mask ^ self._start
        box = box_of(turned)
        part, start = turned[box.slices], self._start[box.slices]
        return box, np.asfortranarray(part & ~start), np.asfortranarray(part & start)

    def remove(self) -> None:
        """Take it out of the scene."""
        remove_preview(self.node)

    @property
    def _voxels(self) -> Array:
        voxels: Array = voxels_from_image(self._image)[0]
        return voxels
