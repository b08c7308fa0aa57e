"""Copies of the images of segments, made in turns of the event loop for other threads."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import slicer
import vtk

from ..core.volume import Array, Box
from .placement import affine_from_matrix, matrix_from_affine
from .turns import READY, Steps
from .value_boxes import boxes_of_values
from .vtk_voxels import scalars_from_voxels, voxels_from_image

# Two milliseconds of copying, pages touched for the first time included.
BYTES_PER_STEP: Final = 4 << 20
# Somebody who paints all the time would otherwise never let a copy come to its end.
MOST_RESTARTS: Final = 3
Stamp = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class ImageCopy:
    """The voxels that segments shared at some moment.

    Attributes:
        stamp: Tells images and their changes apart.
        voxels: ``(I, J, K)`` in Fortran order; nobody changes them.
        box: Where they lie on the lattice of the matrix.
        matrix: Lattice indices to the segmentation's own frame, mm, row by row.
    """

    stamp: Stamp
    voxels: Array
    box: Box
    matrix: tuple[float, ...]

    @cached_property
    def boxes(self) -> dict[int, Box]:
        """The box of each label value, on the image's own lattice."""
        start = self.box.start_ijk
        return {
            value: Box(shifted(box.start_ijk, start), shifted(box.stop_ijk, start))
            for value, box in boxes_of_values(self.voxels).items()
        }

    def within(self, box: Box) -> Array:
        """Return the voxels in a box of the lattice, 0 where the image does not reach."""
        if box == self.box:
            return self.voxels
        out = np.zeros(box.shape, self.voxels.dtype, order="F")
        start = np.maximum(box.start_ijk, self.box.start_ijk)
        stop = np.minimum(box.stop_ijk, self.box.stop_ijk)
        if (start < stop).all():
            into, of = start - box.start_ijk, start - self.box.start_ijk
            size = stop - start
            out[tuple(slice(a, a + n) for a, n in zip(into, size, strict=True))] = self.voxels[
                tuple(slice(a, a + n) for a, n in zip(of, size, strict=True))
            ]
        return out


def stamp_of(image: vtk.vtkImageData | None) -> Stamp:
    """Return what changes with every edit of an image."""
    if image is None or image.GetNumberOfPoints() < 1:
        return (None,)
    scalars = image.GetPointData().GetScalars()
    address = image.GetAddressAsString("vtkObject")
    return (address, image.GetMTime(), scalars.GetMTime(), image.GetExtent())


def copied_in_turns(
    image: slicer.vtkOrientedImageData | None, known: Iterable[ImageCopy] = ()
) -> Steps[ImageCopy]:
    """Copy an image; each step copies `BYTES_PER_STEP` at most.

    An image that is edited between two steps is copied anew, and the fourth time in one step.

    Args:
        image: None and one without voxels become a copy without voxels.
        known: Copies that are taken when they are of the image as it is.
    """
    while True:
        stamp = stamp_of(image)
        for copy in known:
            if copy.stamp == stamp:
                return copy
        if image is None or stamp == (None,):
            nowhere = Box((0, 0, 0), (0, 0, 0))
            return ImageCopy(stamp, np.zeros((0, 0, 0), np.uint8), nowhere, _NO_MATRIX)
        stamp, copied = yield from voxels_copied_in_turns(image)
        if stamp_of(image) == stamp:
            return ImageCopy(stamp, copied, box_of_image(image), matrix_of_image(image))


def voxels_copied_in_turns(image: vtk.vtkImageData) -> Steps[tuple[Stamp, Array]]:
    """Return a stamp of an image and a copy of its first channel; see `copied_in_turns`."""
    restarts = 0
    while True:
        stamp = stamp_of(image)
        source = voxels_from_image(image)[0]
        copied = np.empty(source.shape, source.dtype, order="F")
        planes = max(1, BYTES_PER_STEP // max(1, source[:, :, 0].nbytes))
        if restarts >= MOST_RESTARTS:
            planes = source.shape[2]
        for k in range(0, source.shape[2], planes):
            if k:
                yield READY
                if stamp_of(image) != stamp:
                    restarts += 1
                    break
            copied[:, :, k : k + planes] = source[:, :, k : k + planes]
        else:
            return stamp, copied


def image_from_copy(copy: ImageCopy) -> slicer.vtkOrientedImageData:
    """Return an image that shares its voxels with a copy, which is given up to it."""
    image = slicer.vtkOrientedImageData()
    if not copy.voxels.size:
        image.SetExtent(0, -1, 0, -1, 0, -1)
        image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    else:
        i, j, k = zip(copy.box.start_ijk, (n - 1 for n in copy.box.stop_ijk), strict=True)
        image.SetExtent(*i, *j, *k)
        image.GetPointData().SetScalars(scalars_from_voxels(copy.voxels[None]))
    image.SetImageToWorldMatrix(matrix_from_affine(np.reshape(copy.matrix, (4, 4))))
    return image


def shifted(corner: tuple[int, int, int], by: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the sum of two index triples."""
    return corner[0] + by[0], corner[1] + by[1], corner[2] + by[2]


_NO_MATRIX: Final = tuple(float(n) for n in np.eye(4).ravel())


def box_of_image(image: slicer.vtkOrientedImageData) -> Box:
    """Return where the voxels of an image lie on its lattice."""
    extent = image.GetExtent()
    i, j, k = extent[::2]
    return Box((i, j, k), (extent[1] + 1, extent[3] + 1, extent[5] + 1))


def matrix_of_image(image: slicer.vtkOrientedImageData) -> tuple[float, ...]:
    """Return the matrix of voxel (0, 0, 0) of an image's lattice to its world, row by row."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return tuple(float(n) for n in affine_from_matrix(matrix).ravel())
