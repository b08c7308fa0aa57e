"""One slice of a volume with colored labels as pixels, seen as radiologists see it.

Nothing of Slicer or OpenGL is used. Slices run along a voxel axis; as in Slicer, patient right is
left on axial and coronal slices, and the front is left on sagittal ones.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..core.labelmap import Labelmap
from ..core.volume import Volume
from .picture_composition import OVERLAY_OPACITY

# For the RAS axis that is cut: those that run to the right and up, with their sense.
_PLANES: Final = {
    0: ((1, -1), (2, 1)),
    1: ((0, -1), (2, 1)),
    2: ((0, -1), (1, 1)),
}
_LEAST_PIXELS: Final = 320


def slice_picture(
    volume: Volume, labelmap: Labelmap, axis: int, place: int, window: tuple[float, float]
) -> NDArray[np.uint8]:
    """Return ``(height, width, 3)``; pixels are square in mm, 320 or more along the longer side.

    Labels are filled at 40 % and outlined; later ones cover earlier ones.

    Args:
        volume: The first channel is drawn.
        labelmap: On the volume's grid.
        axis: Voxel axis that is cut.
        place: Index along it.
        window: Intensities shown as black and as white.
    """
    axes, signs = patient_axes(volume)
    right, up = _PLANES[axes.index(axis)]
    low, high = window
    index: list[slice | int] = [slice(None)] * 3
    index[axis] = place
    gray = volume.voxels[0][tuple(index)].astype(np.float64)
    gray = np.clip(np.nan_to_num((gray - low) / (high - low)), 0.0, 1.0)
    plane = np.repeat(gray[..., None], 3, axis=-1)
    for label in labelmap.labels:
        _paint(plane, labelmap.layers[label.layer][tuple(index)] == label.value, label.color)
    kept = [other for other in range(3) if other != axis]
    turned = plane if kept[0] == axes[up[0]] else plane.transpose(1, 0, 2)
    # Rows run downwards, so the axis that points up is reversed when it grows upwards.
    rows = -1 if signs[up[0]] * up[1] > 0 else 1
    columns = 1 if signs[right[0]] * right[1] > 0 else -1
    pixel_mm = (volume.spacing[axes[up[0]]], volume.spacing[axes[right[0]]])
    return _square_pixels(turned[::rows, ::columns], pixel_mm)


def patient_axes(volume: Volume) -> tuple[list[int], list[int]]:
    """Return for R, A and S the voxel axis that runs along it, and whether it grows (1) or not."""
    directions = volume.affine[:3, :3] / np.array(volume.spacing)
    left = [0, 1, 2]
    axes = []
    for ras in range(3):
        axis = max(left, key=lambda a: abs(directions[ras, a]))
        left.remove(axis)
        axes.append(axis)
    return axes, [1 if directions[ras, axis] > 0 else -1 for ras, axis in enumerate(axes)]


def _paint(
    plane: NDArray[np.float64], mask: NDArray[np.bool_], color: tuple[float, float, float]
) -> None:
    """Fill and outline a mask ``(M, N)`` on a plane ``(M, N, 3)`` of 0 to 1, in place."""
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    plane[mask] = (1 - OVERLAY_OPACITY) * plane[mask] + OVERLAY_OPACITY * np.array(color)
    plane[mask & ~inner] = color


def _square_pixels(plane: NDArray[np.float64], pixel_mm: tuple[float, float]) -> NDArray[np.uint8]:
    """Return the plane at one pixel per smaller spacing, at least 320 pixels wide or high."""
    height, width = (n * mm for n, mm in zip(plane.shape[:2], pixel_mm, strict=True))
    step = min(*pixel_mm, max(height, width) / _LEAST_PIXELS)
    rows = np.minimum(np.arange(0, height, step) / pixel_mm[0], plane.shape[0] - 1).astype(int)
    columns = np.minimum(np.arange(0, width, step) / pixel_mm[1], plane.shape[1] - 1).astype(int)
    return (plane[np.ix_(rows, columns)] * 255).round().astype(np.uint8)
