"""Whether labels lie where their volume lies, and in which way they do not."""

import numpy as np

from ..core.labelmap import Labelmap
from ..core.volume import Grid

# Directions are stored in single precision; a difference below this is one of rounding.
SAME_DIRECTION_DEGREES = 0.01
SAME_SPACING = 1e-4


def geometry_difference(grid: Grid, labelmap: Labelmap) -> str:
    """Return in words how a labelmap's grid differs from its volume's, empty when it does not.

    Args:
        grid: Of the volume.
        labelmap: In one layer.
    """
    other = labelmap.grid
    if grid.matches(other):
        return ""
    found = []
    if grid.shape != other.shape:
        found.append(f"{_times(other.shape)} voxels instead of {_times(grid.shape)}")
    ratios = np.array(other.spacing) / np.array(grid.spacing)
    if np.abs(ratios - 1).max() > SAME_SPACING:
        spacings = (" x ".join(f"{s:.4g}" for s in one.spacing) for one in (other, grid))
        found.append("a spacing of {} mm instead of {} mm".format(*spacings))
    found += _directions(grid, other)
    apart = float(np.linalg.norm(grid.affine[:3, 3] - other.affine[:3, 3]))
    if apart > 1e-3 * min(grid.spacing):
        found.append(f"an origin {apart:.3g} mm away")
    outside = share_outside(grid, labelmap)
    if outside:
        found.append(f"{outside:.0%} of the labeled voxels beyond the volume")
    return ", ".join(found) or "a grid that differs by more than rounding"


def share_outside(grid: Grid, labelmap: Labelmap) -> float:
    """Return which share of the labeled voxels (0 to 1) lies beyond a grid, by position."""
    labeled = np.argwhere(labelmap.layers[0])
    if not len(labeled):
        return 0.0
    ijk = grid.ijk_from_ras(labelmap.grid.ras_from_ijk(labeled.astype(np.float64)))
    inside = ((ijk >= -0.5) & (ijk <= np.array(grid.shape) - 0.5)).all(axis=1)
    return float(1 - inside.mean())


def _directions(grid: Grid, other: Grid) -> list[str]:
    """Return which axes run otherwise, and whether they run the opposite way."""
    found = []
    first, second = (one.affine[:3, :3] / np.array(one.spacing) for one in (grid, other))
    for axis, name in enumerate("IJK"):
        cosine = float(np.clip(first[:, axis] @ second[:, axis], -1, 1))
        degrees = float(np.degrees(np.arccos(cosine)))
        if degrees > 180 - 1:
            found.append(f"the axis {name} reversed")
        elif degrees > SAME_DIRECTION_DEGREES and cosine < 1 - 1e-8:
            found.append(f"the axis {name} turned by {degrees:.3g} degrees")
    return found


def _times(shape: tuple[int, int, int]) -> str:
    return " x ".join(str(n) for n in shape)
