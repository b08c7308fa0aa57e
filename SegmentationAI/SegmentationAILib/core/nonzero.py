"""What nnU-Net calls the nonzero mask: where some channel is not 0, and the holes in it.

Isensee et al., nnU-Net, Nature Methods 2021, doi:10.1038/s41592-020-01008-z: volumes are cropped to
its box, and where cropping made them much smaller, intensities are normalized within the mask.
"""

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from .errors import SegmentationAIError
from .volume import Array, Box


def nonzero_box(voxels: Array) -> Box:
    """Return the smallest box that holds every voxel of ``(C, I, J, K)`` that is not 0.

    Raises:
        SegmentationAIError: There is none.
    """
    found = _nonzero(voxels)
    start, stop = [], []
    for axis in range(3):
        across = tuple(other for other in range(3) if other != axis)
        along = np.flatnonzero(found.any(axis=across))
        if not along.size:
            raise SegmentationAIError("Every voxel of this volume is 0; export the scan again.")
        start.append(int(along[0]))
        stop.append(int(along[-1]) + 1)
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def nonzero_mask(voxels: Array) -> NDArray[np.bool_]:
    """Return where some channel of ``(C, I, J, K)`` is not 0, holes filled, ``(I, J, K)``."""
    filled: NDArray[np.bool_] = ndi.binary_fill_holes(_nonzero(voxels))
    return filled


def _nonzero(voxels: Array) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = voxels[0] != 0
    for channel in voxels[1:]:
        found |= channel != 0
    return found
