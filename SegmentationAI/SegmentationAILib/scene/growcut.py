"""Slicer's Grow from seeds, kept alive: what it knows of a scan is kept from one seed to the next.

`vtkImageGrowCutSegment` is the filter of the Segment Editor's effect of that name (Zhu et al., An
effective interactive medical image segmentation method using Fast GrowCut, MICCAI Workshop on
Interactive Medical Image Computing, 2014). A first run takes 20 times as long as one after a
further seed.
"""

from typing import Any, Final

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

SEGMENT, GROUND = 1, 2
Mask = NDArray[np.bool_]
Seeds = NDArray[np.uint8]
# The filter does not grow from the outermost voxels of its image: a seed there says nothing.
_THICK: Final = 2
_LEAST_SIDE: Final = 6


class GrowCut:
    """Grows seeds over the voxels of one box of a scan.

    Args:
        voxels: Intensities ``(I, J, K)`` of the box, finite.
        spacing: mm along each axis.
    """

    def __init__(self, voxels: NDArray[Any], spacing: tuple[float, float, float]) -> None:
        self._spacing = spacing
        self._intensities = self._image(np.asarray(voxels, np.float32))
        self._filter = self._new_filter()
        self._last: Seeds = np.zeros(np.shape(voxels), np.uint8)

    def grown(self, seeds: Seeds) -> Mask:
        """Return the segment: what its seeds reach before those of the ground do.

        Args:
            seeds: ``(I, J, K)``: 0 for nothing, `SEGMENT` or `GROUND`; both have to occur. When one
                of the last call is left out, all begins anew: the filter forgets no seed.
        """
        if not ((seeds == SEGMENT).any() and (seeds == GROUND).any()):
            raise ValueError("Grow from seeds needs seeds of the segment and of the ground.")
        if ((self._last != 0) & (seeds == 0)).any():
            self._filter = self._new_filter()
        self._last = seeds.copy(order="K")
        self._filter.SetSeedLabelVolume(self._image(seeds))
        self._filter.Update()
        image = self._filter.GetOutput()
        flat = vtk_to_numpy(image.GetPointData().GetScalars())
        grown = flat.reshape(tuple(reversed(image.GetDimensions()))).T
        found: Mask = np.array(grown == SEGMENT)
        return found

    def _new_filter(self) -> Any:
        made = slicer.vtkImageGrowCutSegment()
        made.SetIntensityVolume(self._intensities)
        return made

    def _image(self, voxels: NDArray[Any]) -> vtk.vtkImageData:
        image = vtk.vtkImageData()
        image.SetDimensions(*voxels.shape)
        image.SetSpacing(*self._spacing)
        scalars = numpy_to_vtk(np.ascontiguousarray(voxels.T).ravel(), deep=True)
        image.GetPointData().SetScalars(scalars)
        return image


def layer_of_ground(seeds: Seeds, is_open: NDArray[np.bool_]) -> None:
    """Put seeds of the ground into the outermost voxels of a box, where nothing else was said.

    Args:
        seeds: Of the box; changed.
        is_open: ``(3, 2)``: at which ends the scan goes on beyond the box. Where it ends itself
            there is no ground to be sure of, unless it ends everywhere.
    """
    everywhere = not is_open.any()
    for axis in range(3):
        along = np.moveaxis(seeds, axis, 0)
        if len(along) < _LEAST_SIDE:
            continue
        for end, layer in enumerate((along[:_THICK], along[-_THICK:])):
            if everywhere or is_open[axis, end]:
                layer[layer == 0] = GROUND
