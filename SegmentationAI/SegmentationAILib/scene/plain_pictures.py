"""Pictures of a volume and its labels without OpenGL: three slices with colored labels, and both.

For machines that lack what `pictures` needs; nothing of Slicer or VTK is used.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..core.labelmap import Labelmap
from ..core.volume import Volume, check_same_grid
from .picture_composition import (
    OVERLAY_OPACITY,
    intensity_window,
    middle_of_labels_ijk,
    mosaic,
    write_picture,
)

# For each picture: the RAS axis it cuts, and those that run to its right and up with their sense.
# As in Slicer: patient right is left on axial and coronal slices, the front is left on sagittal.
_PLANES: Final = {
    "axial": (2, (0, -1), (1, 1)),
    "coronal": (1, (0, -1), (2, 1)),
    "sagittal": (0, (1, -1), (2, 1)),
}


def draw_plain_pictures(volume: Volume, labelmap: Labelmap, folder: Path) -> list[Path]:
    """Return the PNG files ``axial coronal sagittal mosaic`` that were drawn into ``folder``.

    Slices run along the voxel axes nearest to the patient's, through the middle of the labels;
    pixels are square in mm. Labels are filled at 40 % and outlined; later ones cover earlier ones.

    Args:
        volume: The first channel is drawn.
        labelmap: On the volume's grid.
        folder: Made when it does not exist; files of these names are replaced.

    Raises:
        GeometryError: The grids differ.
    """
    check_same_grid(labelmap.grid, volume.grid, ("the labelmap", "the volume"))
    folder.mkdir(parents=True, exist_ok=True)
    axes, signs = _patient_axes(volume)
    low, high = intensity_window(volume)
    middle = middle_of_labels_ijk(labelmap).astype(int)
    pictures = {}
    for name, (cut, right, up) in _PLANES.items():
        index: list[slice | int] = [slice(None)] * 3
        index[axes[cut]] = int(middle[axes[cut]])
        gray = volume.voxels[0][tuple(index)].astype(np.float64)
        gray = np.clip(np.nan_to_num((gray - low) / (high - low)), 0.0, 1.0)
        plane = np.repeat(gray[..., None], 3, axis=-1)
        for label in labelmap.labels:
            _paint(plane, labelmap.layers[label.layer][tuple(index)] == label.value, label.color)
        kept = [axis for axis in range(3) if axis != axes[cut]]
        turned = plane if kept[0] == axes[up[0]] else plane.transpose(1, 0, 2)
        # Rows run downwards, so the axis that points up is reversed when it grows upwards.
        rows = -1 if signs[up[0]] * up[1] > 0 else 1
        columns = 1 if signs[right[0]] * right[1] > 0 else -1
        pixel_mm = (volume.spacing[axes[up[0]]], volume.spacing[axes[right[0]]])
        pictures[name] = _square_pixels(turned[::rows, ::columns], pixel_mm)
    side = max(max(picture.shape[:2]) for picture in pictures.values())
    framed = {name: _framed(picture, side) for name, picture in pictures.items()}
    framed["mosaic"] = mosaic([*framed.values()], columns=3)
    return [write_picture(picture, folder / f"{name}.png") for name, picture in framed.items()]


def _patient_axes(volume: Volume) -> tuple[list[int], list[int]]:
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
    step = min(*pixel_mm, max(height, width) / 320)
    rows = np.minimum(np.arange(0, height, step) / pixel_mm[0], plane.shape[0] - 1).astype(int)
    columns = np.minimum(np.arange(0, width, step) / pixel_mm[1], plane.shape[1] - 1).astype(int)
    return (plane[np.ix_(rows, columns)] * 255).round().astype(np.uint8)


def _framed(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the picture in the middle of a black square."""
    board = np.zeros((side, side, 3), np.uint8)
    top, left = ((side - n) // 2 for n in picture.shape[:2])
    board[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return board
