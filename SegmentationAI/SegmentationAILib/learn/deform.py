"""Random coordinates: where each voxel of a training volume is read in its head.

A coarse random field becomes a smooth one by one small matrix per axis, which costs a few
milliseconds for a whole head at 2 mm.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class DeformationRanges:
    """How far a head may be deformed.

    Args:
        rotation_deg: standard deviation of the rotation about each axis, cut at 2.5 times that.
        scale: largest relative change of the whole head's size.
        stretch: largest relative change along one axis.
        shear: largest shear (no unit).
        warp_mm: largest standard deviation of the smooth displacement.
        shift_mm: standard deviation of the field of view's center against the brain's.
        anywhere: probability that the field of view lies anywhere over the head instead.
    """

    rotation_deg: float = 9.0
    scale: float = 0.16
    stretch: float = 0.08
    shear: float = 0.06
    warp_mm: float = 4.0
    shift_mm: float = 12.0
    anywhere: float = 0.12

    def scaled(self, factor: float) -> DeformationRanges:
        """Return the ranges with every number times `factor`."""
        numbers = {name: factor * value for name, value in asdict(self).items()}
        return DeformationRanges(**numbers)


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], knots: tuple[int, ...]) -> Array:
    """Return a smooth random field `shape`, mean 0, unit variance, of `knots` numbers per axis."""
    coarse = rng.standard_normal(knots, dtype=np.float32)
    return apply_per_axis(
        coarse, [interpolation_matrix(n, k) for n, k in zip(shape, knots, strict=True)]
    )


def interpolation_matrix(size: int, knots: int) -> Array:
    """Return weights `(size, knots)`: Gaussians about knots spread evenly over `size` voxels."""
    position = np.linspace(0.0, knots - 1.0, size)[:, None] - np.arange(knots)[None, :]
    weights = np.exp(-0.5 * (position / 0.6) ** 2)
    # Rows of unit length keep the variance of the field the same at and between the knots.
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    return np.asarray(weights / lengths, dtype=np.float32)


def apply_per_axis(array: Array, matrices: list[Array]) -> Array:
    """Return `array` `(I, J, K)` with `matrices[a]` `(out, in)` applied along axis `a`."""
    first, second, third = matrices
    i, j, k = array.shape
    array = (first @ array.reshape(i, j * k)).reshape(-1, j, k)
    array = np.matmul(second, array)
    return np.ascontiguousarray(array @ third.T)


def random_matrix(rng: np.random.Generator, ranges: DeformationRanges) -> NDArray[np.float64]:
    """Return a random `(3, 3)` map: rotation, shear, scale, and every second time a flip."""
    limit = 2.5 * ranges.rotation_deg
    angles = np.deg2rad(np.clip(rng.normal(0.0, ranges.rotation_deg, 3), -limit, limit))
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = [a for a in range(3) if a != axis]
        turn = np.eye(3)
        turn[[first, second], [first, second]] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    shear = np.eye(3)
    shear[np.triu_indices(3, 1)] = rng.uniform(-ranges.shear, ranges.shear, 3)
    size = 1.0 + rng.uniform(-ranges.scale, ranges.scale)
    stretch = size * (1.0 + rng.uniform(-ranges.stretch, ranges.stretch, 3))
    if rng.random() < 0.5:
        stretch[0] = -stretch[0]
    return matrix @ shear @ np.diag(stretch)


def random_coordinates(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing_mm: float,
    ranges: DeformationRanges,
    head_box_mm: NDArray[np.float64],
) -> tuple[Array, bool]:
    """Return where each voxel reads the head, and whether left and right change places.

    The places `(3, I, J, K)` are mm from the brain's center, RAS.

    Args:
        rng: source of every random choice.
        shape: voxels of the volume to make.
        spacing_mm: their spacing.
        ranges: how far to deform.
        head_box_mm: `(2, 3)`, the head's extent from the brain's center, for fields of view that
            lie anywhere.
    """
    matrix = random_matrix(rng, ranges)
    shift = rng.normal(0.0, ranges.shift_mm, 3)
    if rng.random() < ranges.anywhere:
        shift = rng.uniform(0.7 * head_box_mm[0], 0.7 * head_box_mm[1])
    axes = [(np.arange(n) - (n - 1) / 2) * spacing_mm for n in shape]
    strength = rng.uniform(0.0, ranges.warp_mm)
    knots_every_mm = rng.choice([20.0, 32.0, 48.0])
    knots = tuple(max(3, round(n * spacing_mm / knots_every_mm)) for n in shape)
    points = np.empty((3, *shape), dtype=np.float32)
    for row in range(3):
        i, j, k = ((matrix[row, column] * axes[column]).astype(np.float32) for column in range(3))
        points[row] = (
            i[:, None, None]
            + j[None, :, None]
            + (k + np.float32(shift[row]))[None, None, :]
            + np.float32(strength) * smooth_field(rng, shape, knots)
        )
    return points, bool(np.linalg.det(matrix) < 0.0)
