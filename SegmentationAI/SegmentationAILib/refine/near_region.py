"""The part of a scan that a prompt is answered in: a box near it, perhaps in coarser cells.

The number of cells is bounded, so that an answer takes the same time in every scan. A larger box
has larger cells: blocks of voxels, first along the axes with the smallest spacing, so that the
cells of a scan with thick slices become more even, not less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.volume import Box, Grid

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Places = NDArray[np.int64]

# A click is answered in half the time that 56 cells a side take, and no worse: on 33 targets of the
# click benchmark the mean Dice is 0.67 after 5 clicks and 0.74 after 20, 0.65 and 0.74 with 56.
MOST_CELLS: Final = 44**3


@dataclass(frozen=True)
class NearRegion:
    """A box of voxels, seen as cells.

    Attributes:
        box: Half-open; every side is a multiple of the factor, or ends with the scan.
        factor: Voxels per cell along each axis.
        spacing: mm from cell to cell along each axis.
    """

    box: Box
    factor: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Cells along each axis."""
        i, j, k = (-(-n // f) for n, f in zip(self.box.shape, self.factor, strict=True))
        return i, j, k

    @property
    def is_fine(self) -> bool:
        """Whether a cell is a voxel."""
        return self.factor == (1, 1, 1)

    def means(self, voxels: NDArray[Any]) -> Floats:
        """Return the mean of each cell, `(I, J, K)`, of an array on the volume's grid."""
        return self.means_of_part(voxels[self.box.slices])

    def means_of_part(self, part: NDArray[Any]) -> Floats:
        """Return the mean of each cell, `(I, J, K)`, of an array on the voxels of the box."""
        cut = np.asarray(part, np.float32)
        if self.is_fine:
            return np.ascontiguousarray(cut)
        if cut.strides[0] < cut.strides[2]:
            # Along the memory, whichever way it runs.
            found = _block_means(cut.T, self.shape[::-1], self.factor[::-1]).T
            return np.ascontiguousarray(found)
        return _block_means(cut, self.shape, self.factor)

    def cells_of(self, voxels: Mask, start_ijk: Sequence[int]) -> Mask:
        """Return the cells that a mask touches, whose first voxel is at ``start_ijk``."""
        touched = np.zeros(self.shape, bool)
        touched[tuple(self.places_of(voxels, start_ijk).T)] = True
        return touched

    def places_of(self, voxels: Mask, start_ijk: Sequence[int]) -> Places:
        """Return where the cells of `cells_of` are, `(N, 3)`; one may come more than once."""
        places = np.argwhere(voxels) + np.asarray(start_ijk) - np.asarray(self.box.start_ijk)
        inside = ((places >= 0) & (places < np.asarray(self.box.shape))).all(axis=1)
        return np.asarray(places[inside] // np.asarray(self.factor), np.int64)

    def on_voxels(self, cells: Floats) -> Floats:
        """Return a value per voxel of the box, interpolated between the centers of cells."""
        found = cells
        for axis, factor in enumerate(self.factor):
            if factor > 1:
                found = _stretched(found, axis, factor, self.box.shape[axis])
        return found

    def open_faces(self, grid: Grid) -> Mask:
        """Return the outermost cells, `(I, J, K)`, where the scan goes on beyond the box."""
        faces = np.zeros(self.shape, bool)
        for axis in range(3):
            along = np.moveaxis(faces, axis, 0)
            if self.box.start_ijk[axis] > 0:
                along[0] = True
            if self.box.stop_ijk[axis] < grid.shape[axis]:
                along[-1] = True
        return faces


def near_region(core: Box, grid: Grid, level: int, most_cells: int = MOST_CELLS) -> NearRegion:
    """Return the region around a box of voxels.

    It is as even in mm as the scan allows: a cube, cut where the scan ends.

    Args:
        core: What has to be inside; the level rises until it is.
        grid: Of the volume.
        level: 0 for voxels as cells; each one more has cells twice as large.
        most_cells: Bound on the number of cells.
    """
    margin = 4
    while True:
        factor = _factor(grid.spacing, level)
        cells = [math.ceil(n / f) for n, f in zip(grid.shape, factor, strict=True)]
        steps = [s * f for s, f in zip(grid.spacing, factor, strict=True)]
        sides = _even_sides(cells, steps, most_cells)
        room = [(n - 2 * margin) * f for n, f in zip(sides, factor, strict=True)]
        fits = all(
            side == most or wide <= free
            for side, most, wide, free in zip(sides, cells, core.shape, room, strict=True)
        )
        if fits:
            break
        level += 1
    center = (np.array(core.start_ijk) + np.array(core.stop_ijk)) / 2
    start, stop = [], []
    for axis in range(3):
        # Cells lie on one lattice, so that neighboring prompts see the same cells.
        first = math.floor(center[axis] / factor[axis] - sides[axis] / 2 + 0.5)
        first = min(max(first, 0), cells[axis] - sides[axis])
        start.append(first * factor[axis])
        stop.append(min((first + sides[axis]) * factor[axis], grid.shape[axis]))
    box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    return NearRegion(box, factor, (steps[0], steps[1], steps[2]))


def covers(region: NearRegion, grid: Grid) -> bool:
    """Return whether a region is the whole scan."""
    return region.box == grid.box


def _factor(spacing: Sequence[float], level: int) -> tuple[int, int, int]:
    size = min(spacing) * 2**level
    i, j, k = (2 ** max(0, math.floor(math.log2(size / s) + 0.01)) for s in spacing)
    return i, j, k


def _even_sides(cells: Sequence[int], steps: Sequence[float], most: int) -> list[int]:
    """Return sides of a box of at most ``most`` cells, as equal in mm as the scan allows."""
    low, high = min(steps), max(n * s for n, s in zip(cells, steps, strict=True))
    if math.prod(cells) <= most:
        return list(cells)
    for _ in range(40):
        middle = (low + high) / 2
        if math.prod(_sides(cells, steps, middle)) <= most:
            low = middle
        else:
            high = middle
    return _sides(cells, steps, low)


def _sides(cells: Sequence[int], steps: Sequence[float], extent_mm: float) -> list[int]:
    return [min(n, max(1, int(extent_mm / s))) for n, s in zip(cells, steps, strict=True)]


def _block_means(cut: Floats, shape: Sequence[int], factor: Sequence[int]) -> Floats:
    """Return the means of blocks; one axis after the other, three times as fast as all at once."""
    missing = [n * f - m for n, f, m in zip(shape, factor, cut.shape, strict=True)]
    if any(missing):
        cut = np.pad(cut, [(0, m) for m in missing], mode="edge")
    (i, j, k), (a, b, c) = shape, factor
    found = np.ascontiguousarray(cut)
    found = found.reshape(i, a, -1).sum(axis=1)
    found = found.reshape(i, j, b, -1).sum(axis=2)
    found = found.reshape(i, j, k, c).sum(axis=3)
    return np.asarray(found / np.float32(a * b * c), np.float32)


def _stretched(values: Floats, axis: int, factor: int, length: int) -> Floats:
    """Linear interpolation along one axis, from cell centers to voxel centers."""
    places = (np.arange(length) + 0.5) / factor - 0.5
    places = np.clip(places, 0, values.shape[axis] - 1)
    lower = np.minimum(places.astype(int), max(values.shape[axis] - 2, 0))
    fraction = (places - lower).astype(np.float32)
    shape = [-1 if n == axis else 1 for n in range(3)]
    first = values.take(lower, axis=axis)
    second = values.take(np.minimum(lower + 1, values.shape[axis] - 1), axis=axis)
    return np.asarray(first + fraction.reshape(shape) * (second - first), np.float32)
