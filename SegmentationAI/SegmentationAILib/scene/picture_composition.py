"""What every picture needs: the window of grey values, the middle, the mosaic, and the file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from ..core.labelmap import Labelmap
from ..core.volume import Volume

OVERLAY_OPACITY: Final = 0.4
_CT_AIR_HU: Final = -500.0
# Slicer's "CT abdomen" preset: level 40, window 350.
_CT_SOFT_TISSUE_HU: Final = (-135.0, 215.0)
_GAP_PIXELS: Final = 4


def intensity_window(volume: Volume) -> tuple[float, float]:
    """Return the grey values shown as black and as white.

    Soft tissue for CT (values below -500 occur in no other modality); otherwise from the 1st
    percentile to the 99.5th of a subsample, so that single bright vessels do not darken the rest.
    """
    step = tuple(slice(None, None, max(1, n // 64)) for n in volume.grid.shape)
    sample = volume.voxels[0][step].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return 0.0, 1.0
    if sample.min() < _CT_AIR_HU:
        return _CT_SOFT_TISSUE_HU
    low, high = np.percentile(sample, [1.0, 99.5])
    return float(low), float(max(high, low + 1e-6))


def middle_of_labels_ijk(labelmap: Labelmap) -> NDArray[np.float64]:
    """Return the voxel index, one value per axis, of the middle of all labelled voxels.

    The center of mass, rounded to a voxel; the middle of the grid when there is no label.
    """
    anywhere = np.zeros(labelmap.grid.shape, bool)
    for layer in labelmap.layers:
        anywhere |= layer != 0
    count = int(anywhere.sum())
    if count == 0:
        return np.array([(n - 1) // 2 for n in labelmap.grid.shape], np.float64)
    sums = [
        np.arange(n) @ anywhere.sum(tuple(a for a in range(3) if a != axis))
        for axis, n in enumerate(anywhere.shape)
    ]
    return np.rint(np.array(sums) / count)


def mosaic(pictures: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Return pictures of one size side by side, row after row, with a thin black gap.

    Args:
        pictures: Each ``(height, width, 3)``.
        columns: Pictures per row; the last row is filled with black.
    """
    height, width, _ = pictures[0].shape
    rows = -(-len(pictures) // columns)
    board = np.zeros(
        (
            rows * (height + _GAP_PIXELS) - _GAP_PIXELS,
            columns * (width + _GAP_PIXELS) - _GAP_PIXELS,
            3,
        ),
        np.uint8,
    )
    for index, picture in enumerate(pictures):
        top = (index // columns) * (height + _GAP_PIXELS)
        left = (index % columns) * (width + _GAP_PIXELS)
        board[top : top + height, left : left + width] = picture
    return board


def write_picture(picture: NDArray[np.uint8], path: Path) -> Path:
    """Write ``(height, width, 3)`` as PNG and return its path."""
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(picture, isVector=True), str(path))
    return path
