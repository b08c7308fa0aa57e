"""Pictures of a volume and its labels without OpenGL: three slices with colored labels, and both.

For machines that lack what `pictures` needs; nothing of Slicer or VTK is used.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..core.labelmap import Labelmap
from ..core.volume import Volume, check_same_grid
from .picture_composition import intensity_window, middle_of_labels_ijk, mosaic, write_picture
from .slice_picture import patient_axes, slice_picture

# The RAS axis that each picture cuts.
_CUTS: Final = {"axial": 2, "coronal": 1, "sagittal": 0}


def draw_plain_pictures(volume: Volume, labelmap: Labelmap, folder: Path) -> list[Path]:
    """Return the PNG files ``axial coronal sagittal mosaic`` that were drawn into ``folder``.

    Slices run along the voxel axes nearest to the patient's, through the middle of the labels; see
    `slice_picture`.

    Args:
        volume: The first channel is drawn.
        labelmap: On the volume's grid.
        folder: Made when it does not exist; files of these names are replaced.

    Raises:
        GeometryError: The grids differ.
    """
    check_same_grid(labelmap.grid, volume.grid, ("the labelmap", "the volume"))
    folder.mkdir(parents=True, exist_ok=True)
    axes, _ = patient_axes(volume)
    window = intensity_window(volume)
    middle = middle_of_labels_ijk(labelmap).astype(int)
    pictures = {}
    for name, cut in _CUTS.items():
        axis = axes[cut]
        pictures[name] = slice_picture(volume, labelmap, axis, int(middle[axis]), window)
    side = max(max(picture.shape[:2]) for picture in pictures.values())
    framed = {name: _framed(picture, side) for name, picture in pictures.items()}
    framed["mosaic"] = mosaic([*framed.values()], columns=3)
    return [write_picture(picture, folder / f"{name}.png") for name, picture in framed.items()]


def _framed(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the picture in the middle of a black square."""
    board = np.zeros((side, side, 3), np.uint8)
    top, left = ((side - n) // 2 for n in picture.shape[:2])
    board[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return board
