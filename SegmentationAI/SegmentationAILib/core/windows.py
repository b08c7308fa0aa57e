"""Where a sliding network looks: windows over a grid, and how much each counts where they overlap.

Windows lie on a rectangular lattice, and the importance of a voxel within its window is a product
of three one-dimensional Gaussians. The sum of all importances is then a product of three
one-dimensional sums as well, so every window can be given weights that already add up to one:
no weight map is kept, nothing is divided at the end, and what is accumulated are logits at once.

Source: Isensee et al., nnU-Net, Nature Methods 2021, doi:10.1038/s41592-020-01008-z (Gaussian
importance of 1/8 patch, even spacing). Departure: the floor that keeps the importance above zero
acts on each axis rather than on the product, because only then the sum separates.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .volume import Box

Shape = tuple[int, int, int]
Importance = Literal["centered", "nnunet", "monai"]

SIGMA_PER_PATCH = 1 / 8
# At four standard deviations the Gaussian is 3e-4; the floor only guards patches so long that the
# importance of their first voxel would get lost beside a neighbour's in float32.
LEAST_IMPORTANCE = 1e-3


@dataclass(frozen=True)
class Windows:
    """A lattice of equal windows that together cover every voxel of a grid.

    Attributes:
        volume_shape: Voxels ``(X, Y, Z)`` of the grid.
        patch_shape: Voxels of one window.
        starts: For each axis the first voxel of each window, in ascending order. Negative where
            the grid is smaller than the patch: the window then reaches beyond both ends of it.
        importance: See `axis_importance`.
    """

    volume_shape: Shape
    patch_shape: Shape
    starts: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    importance: Importance = "centered"

    @property
    def count(self) -> int:
        """Number of windows."""
        return len(self.starts[0]) * len(self.starts[1]) * len(self.starts[2])

    @property
    def slab_axis(self) -> int:
        """The axis along which the fewest voxels have to be held while windows are summed.

        Of equals the first: its planes are contiguous in memory.
        """
        held = [
            min(self.patch_shape[axis], n) * (self._voxels // n)
            for axis, n in enumerate(self.volume_shape)
        ]
        return int(np.argmin(held))

    @cached_property
    def _voxels(self) -> int:
        i, j, k = self.volume_shape
        return i * j * k

    @cached_property
    def weights(self) -> tuple[tuple[NDArray[np.float32], ...], ...]:
        """For each axis and each of its windows the weights of the window's voxels, float32.

        Over all windows that contain a voxel of the grid, the product of the three weights adds
        up to 1. They are 0 where a window reaches beyond the grid.
        """
        return tuple(self._axis_weights(axis) for axis in range(3))

    def start(self, index: tuple[int, int, int]) -> Shape:
        """Return the first voxel of the window at ``index`` of the lattice; may be negative."""
        i, j, k = (starts[n] for starts, n in zip(self.starts, index, strict=True))
        return i, j, k

    def inside(self, start: Shape) -> Box:
        """Return the voxels of the grid that the window starting at ``start`` covers."""
        low = tuple(max(0, s) for s in start)
        high = tuple(
            min(n, s + p)
            for n, s, p in zip(self.volume_shape, start, self.patch_shape, strict=True)
        )
        return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))

    def within(self, start: Shape) -> tuple[slice, slice, slice]:
        """Return the part of the window starting at ``start`` that lies on the grid."""
        x, y, z = (
            slice(on_grid.start - s, on_grid.stop - s)
            for on_grid, s in zip(self.inside(start).slices, start, strict=True)
        )
        return x, y, z

    def _axis_weights(self, axis: int) -> tuple[NDArray[np.float32], ...]:
        n, patch, starts = self.volume_shape[axis], self.patch_shape[axis], self.starts[axis]
        importance = axis_importance(patch, self.importance)
        total = np.zeros(n)
        for start in starts:
            low, high = max(0, start), min(n, start + patch)
            total[low:high] += importance[low - start : high - start]
        weights = []
        for start in starts:
            low, high = max(0, start), min(n, start + patch)
            weight = np.zeros(patch)
            weight[low - start : high - start] = (
                importance[low - start : high - start] / total[low:high]
            )
            weights.append(weight.astype(np.float32))
        return tuple(weights)


def axis_importance(patch: int, kind: Importance = "centered") -> NDArray[np.float64]:
    """Return how much the voxels of a window count along one axis, ``(patch,)``, at most 1.

    Args:
        patch: Voxels of the window.
        kind: Where the Gaussian has its peak: ``centered`` in the middle, ``nnunet`` on the voxel
            ``patch // 2``, where nnU-Net has it, and without a floor. With the latter, windows
            step by halves of odd patches to the half voxel, as nnU-Net's do. ``monai``: all
            voxels count alike, and windows step by the stride; only the last is moved to the end.
    """
    if kind == "monai":
        return np.ones(patch)
    if kind == "nnunet":
        distance = np.arange(patch) - float(patch // 2)
        return np.asarray(np.exp(-0.5 * (distance / (SIGMA_PER_PATCH * patch)) ** 2), np.float64)
    distance = np.arange(patch) - (patch - 1) / 2
    gaussian = np.exp(-0.5 * (distance / (SIGMA_PER_PATCH * patch)) ** 2)
    return np.asarray(np.maximum(gaussian, LEAST_IMPORTANCE), np.float64)


def plan_windows(
    volume_shape: Shape,
    patch_shape: Shape | None = None,
    overlap: float = 0.5,
    importance: Importance = "centered",
) -> Windows:
    """Return as few evenly spaced windows as cover every voxel with at least this overlap.

    Args:
        volume_shape: Voxels ``(X, Y, Z)`` of the grid.
        patch_shape: Voxels of one window; None for a network that takes the whole grid at once.
        overlap: Fraction of a window that it shares with the next, 0 to under 1.
        importance: See `axis_importance`.

    Raises:
        ValueError: An empty axis, or an overlap out of range.
    """
    patch_shape = volume_shape if patch_shape is None else patch_shape
    if not 0.0 <= overlap < 1.0:
        raise ValueError(f"overlap {overlap} is not in [0, 1)")
    if min(*volume_shape, *patch_shape) < 1:
        raise ValueError(f"cannot place windows of {patch_shape} over {volume_shape} voxels")
    x, y, z = (
        _axis_starts(n, patch, _stride(patch, overlap, importance), importance)
        for n, patch in zip(volume_shape, patch_shape, strict=True)
    )
    return Windows(volume_shape, patch_shape, (x, y, z), importance)


def _stride(patch: int, overlap: float, importance: Importance) -> float:
    stride = patch * (1.0 - overlap)
    return max(1.0, stride if importance == "nnunet" else float(int(stride)))


def _axis_starts(n: int, patch: int, stride: float, importance: Importance) -> tuple[int, ...]:
    """First voxels of the windows along one axis of ``n`` voxels."""
    if n <= patch:
        # As nnU-Net and MONAI pad: half of what is missing before, the rest behind.
        return (-((patch - n) // 2),)
    steps = math.ceil((n - patch) / stride)
    if importance == "monai":
        return tuple(min(int(stride) * step, n - patch) for step in range(steps + 1))
    return tuple(round((n - patch) / steps * step) for step in range(steps + 1))
