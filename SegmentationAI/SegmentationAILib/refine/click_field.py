"""Probabilities of a part of the scan in cells of one level, and the way to the next finer one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..core.volume import Box, Grid
from .look import Triple, cell_factor
from .near_region import NearRegion

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Field:
    """Cells of one level.

    Attributes:
        grid: of the volume.
        level: of its cells (see `look.Look`).
        first: lattice index of its first cell, within the scan.
        probabilities: `(X, Y, Z)`, 0 to 1.
        active: `(X, Y, Z)`, where the answer counts; elsewhere the mask stays as it was.
    """

    grid: Grid
    level: int
    first: Triple
    probabilities: Array
    active: Mask

    @property
    def region(self) -> NearRegion:
        """The voxels that it covers, as cells."""
        factor = cell_factor(self.grid, self.level)
        start = [a * f for a, f in zip(self.first, factor, strict=True)]
        shape = self.probabilities.shape
        stop = [
            min((a + n) * f, most)
            for a, n, f, most in zip(self.first, shape, factor, self.grid.shape, strict=True)
        ]
        spacing = [s * f for s, f in zip(self.grid.spacing, factor, strict=True)]
        return NearRegion(
            Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])),
            factor,
            (spacing[0], spacing[1], spacing[2]),
        )

    def cropped(self, margin: int = 3) -> Field:
        """Return the smallest field with all active cells and a margin; some have to be active."""
        cut = []
        for axis, n in enumerate(self.active.shape):
            hit = np.flatnonzero(self.active.any(axis=tuple(a for a in range(3) if a != axis)))
            cut.append(slice(max(int(hit[0]) - margin, 0), min(int(hit[-1]) + margin + 1, n)))
        i, j, k = (a + c.start for a, c in zip(self.first, cut, strict=True))
        box = (cut[0], cut[1], cut[2])
        return replace(
            self,
            first=(i, j, k),
            probabilities=self.probabilities[box],
            active=self.active[box],
        )

    def finer(self) -> Field:
        """Return the same field in cells of the next finer level."""
        now, then = (cell_factor(self.grid, n) for n in (self.level, self.level - 1))
        probabilities, active, first = self.probabilities, self.active, list(self.first)
        for axis in range(3):
            if now[axis] == then[axis]:
                continue
            first[axis] *= 2
            # The last cell of the scan may be half a cell.
            most = -(-self.grid.shape[axis] // then[axis]) - first[axis]
            probabilities = doubled(probabilities, axis).take(
                range(min(most, 2 * probabilities.shape[axis])), axis=axis
            )
            active = np.repeat(active, 2, axis=axis).take(
                range(probabilities.shape[axis]), axis=axis
            )
        return Field(
            self.grid, self.level - 1, (first[0], first[1], first[2]), probabilities, active
        )

    def over(self, mask: Mask) -> Field:
        """Return the field with a mask `(I, J, K)` of the volume where it is not active."""
        before = self.region.means(mask)
        return replace(self, probabilities=np.where(self.active, self.probabilities, before))


def doubled(values: Array, axis: int) -> Array:
    """Return values at the centers of half cells along an axis, linearly; constant at the ends."""
    along = np.moveaxis(values, axis, 0)
    before = np.concatenate([along[:1], along[:-1]])
    after = np.concatenate([along[1:], along[-1:]])
    out = np.empty((2 * len(along), *along.shape[1:]), np.float32)
    out[0::2] = np.float32(0.75) * along + np.float32(0.25) * before
    out[1::2] = np.float32(0.75) * along + np.float32(0.25) * after
    return np.moveaxis(out, 0, axis)
