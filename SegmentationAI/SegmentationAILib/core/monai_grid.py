"""The grid that MONAI's ``Spacingd`` makes of another: how many voxels, and where they lie.

As `zoom_affine` and `compute_shape_offset` of MONAI 1.6 (Cardoso et al., 2022, arXiv:2211.02701):
the distance between the outermost centers is rounded, and the first voxel stays in place. Where
the axes are not orthogonal to 1e-8 voxels, as with the single precision of NIfTI files, its search
for the first corner can fail, and the middles of both grids are laid over each other instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Spacings, mm, and ratios that differ by less are the same to MONAI (its AFFINE_TOL).
SAME_SPACING = 1e-3
SAME_CORNER = 1e-8
Shape = tuple[int, int, int]
Affine = NDArray[np.float64]


@dataclass(frozen=True)
class ResampledGrid:
    """Voxel ``n`` of an axis lies at the index ``n * ratio + shift`` of the grid before.

    Attributes:
        shape: Voxels.
        ratio: Voxels before per voxel after.
        shift: Index before of the first voxel after.
    """

    shape: Shape
    ratio: tuple[float, float, float]
    shift: tuple[float, float, float]


def resampled_grid(affine: Affine, shape: Shape, spacing: Sequence[float]) -> ResampledGrid:
    """Return what ``Spacingd`` makes of a grid.

    Args:
        affine: Voxel centers to RAS mm, axes in the order of the network.
        shape: Voxels of the grid.
        spacing: Wanted along each axis, mm.
    """
    columns = affine[:3, :3]
    stretch = np.linalg.cholesky(columns.T @ columns).T
    wanted = np.eye(4)
    wanted[:3, :3] = columns @ np.linalg.inv(stretch) @ np.diag(spacing)
    ends = [(0.0, n - 1.0) for n in shape]
    corners = np.stack([*np.meshgrid(*ends, indexing="ij"), np.ones((2, 2, 2))]).reshape(4, -1)
    placed = (np.linalg.solve(wanted, affine) @ corners)[:3]
    size = np.round(np.ptp(placed, axis=1) + 1.0).astype(int)
    wanted[:3, 3] = _first_center(affine, wanted, corners, placed, size)
    matrix = np.linalg.solve(affine, wanted)
    is_same = np.allclose(affine, wanted, atol=SAME_SPACING) or np.allclose(
        matrix, np.eye(4), atol=SAME_SPACING
    )
    if is_same and tuple(size) == tuple(shape):
        return ResampledGrid(shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    a, b, c = (float(matrix[axis, axis]) for axis in range(3))
    p, q, r = (float(matrix[axis, 3]) for axis in range(3))
    return ResampledGrid((int(size[0]), int(size[1]), int(size[2])), (a, b, c), (p, q, r))


def _first_center(
    affine: Affine, wanted: Affine, corners: Affine, placed: Affine, size: NDArray[np.int_]
) -> Affine:
    """Return the center of the first voxel, RAS mm."""
    for number in range(corners.shape[1]):
        least = (placed - placed[:, number : number + 1]).min(axis=1)
        if np.allclose(least, 0.0, atol=SAME_CORNER):
            return np.asarray((affine @ corners)[:3, number], np.float64)
    middle = affine[:3, :3] @ ((corners[:3].max(axis=1) + 1) / 2) + affine[:3, 3]
    return np.asarray(middle - wanted[:3, :3] @ (size / 2), np.float64)
