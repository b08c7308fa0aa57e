"""What the click network looks at: a patch of 48 cells a side, at a voxel size of its choice.

A cell is a block of voxels. At level 0 it is one voxel, at each further level it is twice as large,
first along the axes with the smallest spacing: slices of 6 mm stay what they are until cells are
6 mm wide in the other directions, too. So nothing is ever interpolated between slices that the
scanner did not see, a look at a thick-sliced scan covers it in mm, and an answer comes back to the
voxels without a guess. The network is trained on cells up to six times longer along one axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.volume import Box, Grid
from .near_region import NearRegion

SIDE: Final = 48
Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """A patch of `SIDE` cells along each axis.

    Attributes:
        level: 0 for voxels as cells; each one more has cells twice as large.
        first: lattice index of its first cell; negative where the scan does not reach.
        region: the part of it that the scan reaches.
    """

    level: int
    first: Triple
    region: NearRegion

    @property
    def inside(self) -> tuple[slice, slice, slice]:
        """Index of the cells that the scan reaches, in an array of the patch."""
        starts = (b - a for a, b in zip(self.first, self.first_inside, strict=True))
        i, j, k = (slice(a, a + n) for a, n in zip(starts, self.region.shape, strict=True))
        return i, j, k

    @property
    def filled(self) -> tuple[slice, slice, slice]:
        """Index of the cells that hold intensities, in an array of the patch.

        They are those inside, and along an axis on which the scan is one cell thick (a scan of one
        slice) all: that cell is repeated, as the network knows objects of three dimensions alone.
        """
        i, j, k = (
            slice(None) if n == 1 else s
            for s, n in zip(self.inside, self.region.shape, strict=True)
        )
        return i, j, k

    @property
    def first_inside(self) -> Triple:
        """Lattice index of the region's first cell."""
        i, j, k = (
            a // f for a, f in zip(self.region.box.start_ijk, self.region.factor, strict=True)
        )
        return i, j, k

    def patch_of(self, cells: Array) -> Array:
        """Return values of the region's cells as a patch; 0 beyond what is `filled`."""
        patch = np.zeros((SIDE,) * 3, np.float32)
        patch[self.filled] = cells
        return patch

    def patch_of_mask(self, cells: Mask) -> Mask:
        """Return a mask of the region's cells as a patch; False where the scan does not reach."""
        patch = np.zeros((SIDE,) * 3, dtype=bool)
        patch[self.inside] = cells
        return patch


def look_at(center_ijk: NDArray[np.float64], level: int, grid: Grid) -> Look:
    """Return the look whose middle is near a voxel: moved so that it covers what there is.

    Args:
        center_ijk: continuous voxel index `(3,)`.
        level: see `Look`.
        grid: of the volume.
    """
    factor = cell_factor(grid, level)
    first, start, stop = [], [], []
    for center, n, f in zip(center_ijk, grid.shape, factor, strict=True):
        cells = math.ceil(n / f)
        low = math.floor((float(center) + 0.5) / f) - SIDE // 2
        low = -((SIDE - cells) // 2) if cells < SIDE else min(max(low, 0), cells - SIDE)
        first.append(low)
        start.append(max(low, 0) * f)
        stop.append(min((low + SIDE) * f, n))
    spacing = [s * f for s, f in zip(grid.spacing, factor, strict=True)]
    region = NearRegion(
        Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])),
        factor,
        (spacing[0], spacing[1], spacing[2]),
    )
    return Look(level, (first[0], first[1], first[2]), region)


def cell_factor(grid: Grid, level: int) -> Triple:
    """Return voxels per cell along each axis at a level: powers of two."""
    size = min(grid.spacing) * 2**level
    i, j, k = (2 ** max(0, math.floor(math.log2(size / s) + 0.01)) for s in grid.spacing)
    return i, j, k


def level_of(extent: ArrayLike, grid: Grid, share: float = 0.75) -> int:
    """Return the lowest level at which voxels `(3,)` fit into a share of a look."""
    level = 0
    while any(
        wide / f > share * SIDE and n > f * SIDE
        for wide, f, n in zip(np.asarray(extent), cell_factor(grid, level), grid.shape, strict=True)
    ):
        level += 1
    return level
