"""Sheared scans (a tilted gantry, an affine registration) onto a grid with right angles.

Networks, distances and most viewers take voxels for boxes. A grid that shears is resampled once,
at the door; the labelmap lies on the new grid, and the notes say so.
"""

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .admission import check_sizes, is_sheared
from .errors import GeometryError
from .resample import resample_to_grid
from .volume import Array, Grid, Volume

# A gantry tilted by 30 degrees over 500 mm doubles the voxels; eight times is a damaged header.
LARGEST_GROWTH = 8
SMALL_VOXELS = 1 << 20


def straightened(volume: Volume, order: Literal[0, 1] = 1) -> Volume:
    """Return the same volume when its axes are at right angles, otherwise resampled so.

    The new grid covers the old one; what lies outside of the old one gets the lowest intensity,
    and in labels 0.

    Args:
        volume: Any volume; not changed.
        order: 1 for intensities, 0 for labels.

    Raises:
        GeometryError: The shear is stronger than any that a scanner makes.
        MemoryBudgetError: The new grid does not fit the memory.
    """
    if not is_sheared(volume.affine):
        return volume
    grid = orthogonal_grid(volume.grid)
    angle = _largest_shear_degrees(volume.grid)
    growth = math.prod(grid.shape) / math.prod(volume.grid.shape)
    if growth > LARGEST_GROWTH and math.prod(grid.shape) > SMALL_VOXELS:
        raise GeometryError(
            f"The axes of the scan are {angle:.2g} degrees away from right angles (sheared), and "
            f"straight ones would take {growth:.3g} times its voxels; {LARGEST_GROWTH} times at "
            "most was expected: repair the header or export it again."
        )
    check_sizes((*grid.shape, volume.channels), np.dtype(np.float32).itemsize, "The straight scan")
    straight = resample_to_grid(volume, grid, order=order, fill=None if order else 0.0)
    voxels = _as_stored(straight.voxels, volume.voxels.dtype)
    note = (
        f"The axes of the scan were {angle:.2g} degrees away from right angles (sheared, as by a "
        f"tilted gantry); it was resampled from {volume.grid.shape} to {grid.shape} voxels."
    )
    return Volume(voxels, grid.affine, (*volume.notes, note))


def orthogonal_grid(sheared: Grid) -> Grid:
    """Return the smallest grid with right angles that covers the centers of a sheared one.

    The first two axes span the same plane as before (slices stay slices), the first keeps its
    direction. Distances between voxels are those between the sheared grid's lines of voxels:
    along the new axes, so that nothing is sampled more coarsely than it was.
    """
    columns = sheared.affine[:3, :3]
    axes, triangle = np.linalg.qr(columns)
    signs = np.sign(np.diag(triangle))
    axes, spacing = axes * signs, np.abs(np.diag(triangle))
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in sheared.shape])).reshape(3, -1).T
    along: NDArray[np.float64] = (sheared.ras_from_ijk(corners) @ axes) / spacing
    low, high = along.min(axis=0), along.max(axis=0)
    shape = np.ceil(high - low - 1e-3).astype(int) + 1
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = axes @ (low * spacing)
    i, j, k = (int(n) for n in shape)
    return Grid((i, j, k), affine)


def _as_stored(voxels: Array, dtype: np.dtype[Any]) -> Array:
    """Return interpolated values in the stored dtype: a CT stays one of integers."""
    if dtype.kind not in "iu" or voxels.dtype == dtype:
        return voxels
    return np.rint(voxels).astype(dtype)


def _largest_shear_degrees(grid: Grid) -> float:
    axes = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    cosine = np.abs(axes.T @ axes - np.eye(3)).max()
    return float(np.degrees(np.arcsin(min(1.0, float(cosine)))))
