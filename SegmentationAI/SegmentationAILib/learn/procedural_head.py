"""A procedural head as a volume with its exact labels, for the demo and for tests."""

from __future__ import annotations

import numpy as np

from ..core.labelmap import Label, Labelmap, labels_from_channels
from ..core.volume import Grid, Volume
from .brain_structures import CHANNEL_OF_CODE, STRUCTURES, tissues_of
from .contrasts import random_mixture
from .deform import apply_per_axis, smooth_field
from .head_formula import ProceduralHead
from .head_parameters import DEFAULT, HeadParameters
from .synthesize import slice_matrix

# Oblique and anisotropic, so that whatever mistakes an axis is found; axes run to L, P and S.
PHANTOM_SHAPE = (150, 186, 124)
PHANTOM_SPACING_MM = (1.2, 1.2, 1.7)
# The accumbens: the formula has none.
NOT_DRAWN = (26, 58)
_TILT_DEG = (7.0, -5.0, 9.0)
_BLUR_MM = 0.7
_BRIGHTEST = 1000.0


def head_phantom(
    parameters: HeadParameters = DEFAULT, grid: Grid | None = None, seed: int = 0
) -> tuple[Volume, Labelmap]:
    """Return a T1-like volume of a head from the formula, and its labels.

    The same arguments give the same voxels. The brain's center lies at RAS (0, 0, 0).

    Args:
        parameters: of the head.
        grid: where to make it; None takes an oblique anisotropic one that holds the whole head.
        seed: of the noise, the coil's bias field and the exact intensities.
    """
    grid = phantom_grid() if grid is None else grid
    codes = ProceduralHead(parameters).code_at(_points(grid))
    tissues = tissues_of(codes)
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, "T1", scatter=0.01)
    noise = rng.standard_normal(grid.shape, dtype=np.float32)
    intensities = mixture.means[tissues] + np.float32(0.01) * noise
    blur = [slice_matrix(n, s, _BLUR_MM, s) for n, s in zip(grid.shape, grid.spacing, strict=True)]
    intensities = apply_per_axis(intensities, blur)
    intensities *= np.exp(np.float32(0.08) * smooth_field(rng, grid.shape, (3, 3, 3)))
    noise = rng.standard_normal(grid.shape, dtype=np.float32)
    intensities = np.abs(intensities + np.float32(0.01) * noise) * np.float32(_BRIGHTEST)
    values = labels_from_channels(CHANNEL_OF_CODE[codes], [0, *(s.value for s in STRUCTURES)])
    drawn = tuple(label for label in structure_labels() if label.value not in NOT_DRAWN)
    return Volume(intensities[None], grid.affine), Labelmap((values,), drawn, grid.affine)


def structure_labels() -> tuple[Label, ...]:
    """Return the label table of `brain-any-contrast`, in the order of its channels."""
    return tuple(
        Label(s.value, s.name, (s.color[0] / 255, s.color[1] / 255, s.color[2] / 255))
        for s in STRUCTURES
    )


def phantom_grid() -> Grid:
    """Return the grid of the demo's phantom; its middle lies 5 mm below the brain's center."""
    axes = np.diag([-1.0, -1.0, 1.0])
    for axis, degrees in enumerate(_TILT_DEG):
        first, second = [a for a in range(3) if a != axis]
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(np.deg2rad(degrees))
        turn[second, first] = np.sin(np.deg2rad(degrees))
        turn[first, second] = -turn[second, first]
        axes = turn @ axes
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(PHANTOM_SPACING_MM)
    middle = affine[:3, :3] @ ((np.array(PHANTOM_SHAPE) - 1) / 2)
    affine[:3, 3] = np.array([0.0, 0.0, -5.0]) - middle
    return Grid(PHANTOM_SHAPE, affine)


def _points(grid: Grid) -> np.ndarray:
    """Return RAS mm `(3, I, J, K)` of every voxel, float32."""
    points = np.empty((3, *grid.shape), dtype=np.float32)
    i, j, k = (np.arange(n, dtype=np.float32) for n in grid.shape)
    for row in range(3):
        a, b, c, origin = grid.affine[row].astype(np.float32)
        points[row] = a * i[:, None, None] + b * j[None, :, None] + (c * k + origin)[None, None, :]
    return points
