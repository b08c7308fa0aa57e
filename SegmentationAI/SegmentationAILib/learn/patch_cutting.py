"""Cutting a patch out of a case, straight or through a turn, without borders that are made up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from .training_case import IGNORED, PreparedCase

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Patch:
    """A patch of a case.

    Attributes:
        array: `(C, X, Y, Z)` float32; `PreparedCase.padding` beyond the case.
        channels: `(X, Y, Z)` uint8; `IGNORED` beyond the case.
        weights: `(X, Y, Z)` float32, None where the case has none.
    """

    array: NDArray[np.float32]
    channels: NDArray[np.uint8]
    weights: NDArray[np.float32] | None


def cut_patch(
    case: PreparedCase, start: tuple[int, int, int], shape: Shape, matrix: NDArray[np.float64]
) -> Patch:
    """Return a patch of a case.

    Args:
        case: Not changed.
        start: First voxel of the patch as it lies without a turn; may be beyond the case.
        shape: Of the patch.
        matrix: `(3, 3)`, see `RandomPlacement`; turns about the middle of the patch. The identity
            copies voxels as they are.
    """
    if np.array_equal(matrix, np.eye(3)):
        return _copied(case, start, shape)
    return _turned(case, start, shape, matrix)


def _copied(case: PreparedCase, start: tuple[int, int, int], shape: Shape) -> Patch:
    grid = case.channels.shape
    inside, within = [], []
    for first, side, length in zip(start, shape, grid, strict=True):
        low, high = max(first, 0), max(max(first, 0), min(first + side, length))
        inside.append(slice(low, high))
        within.append(slice(low - first, high - first))
    box, place = tuple(inside), tuple(within)
    array = np.empty((len(case.array), *shape), np.float32)
    array[:] = _padding(case).reshape(-1, 1, 1, 1)
    array[(slice(None), *place)] = case.array[(slice(None), *box)]
    channels = np.full(shape, IGNORED, np.uint8)
    channels[place] = case.channels[box]
    weights = None
    if case.weights is not None:
        weights = np.zeros(shape, np.float32)
        weights[place] = case.weights[box]
    return Patch(array, channels, weights)


def _turned(
    case: PreparedCase, start: tuple[int, int, int], shape: Shape, matrix: NDArray[np.float64]
) -> Patch:
    middle = np.array(start) + (np.array(shape) - 1) / 2
    # Only the box that the turned patch can reach is looked at.
    reach = np.abs(matrix) @ ((np.array(shape) - 1) / 2) + 1
    low = np.clip(np.floor(middle - reach), 0, np.array(case.channels.shape) - 1).astype(int)
    high = np.clip(np.ceil(middle + reach) + 1, low + 1, case.channels.shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    grid = _sampling_grid(shape, middle - low, matrix, tuple(high - low))
    padding = _padding(case).reshape(-1, 1, 1, 1)
    # Zeros come back from beyond the box: so 0 is made to mean that.
    array = _sampled(case.array[(slice(None), *box)] - padding, grid, "bilinear") + padding
    labels = case.channels[box].astype(np.float32)[None] + 1
    nearest = _sampled(labels, grid, "nearest")[0].astype(np.int16)
    channels = np.where(nearest == 0, IGNORED, nearest - 1).astype(np.uint8)
    weights = None
    if case.weights is not None:
        weights = _sampled(case.weights[box][None], grid, "nearest")[0]
    return Patch(array, channels, weights)


def _sampling_grid(
    shape: Shape, middle: NDArray[np.float64], matrix: NDArray[np.float64], box: Shape
) -> torch.Tensor:
    """Return `(1, X, Y, Z, 3)`: where each voxel of the patch looks, in torch's -1 to 1."""
    # Voxel v of an axis with n voxels lies at (2 v + 1) / n - 1; torch wants the last axis first.
    scale = 2 / np.array(box)
    linear = scale[:, None] * matrix
    offset = scale * (middle - matrix @ ((np.array(shape) - 1) / 2)) + 1 / np.array(box) - 1
    axes = [torch.arange(side, dtype=torch.float64) for side in shape]
    x, y, z = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
    rows = [
        (linear[row, 0] * x + linear[row, 1] * y + linear[row, 2] * z + offset[row]).float()
        for row in (2, 1, 0)
    ]
    return torch.stack(rows, dim=-1)[None]


def _sampled(array: NDArray[np.float32], grid: torch.Tensor, mode: str) -> NDArray[np.float32]:
    # Cases may be read-only files that are mapped into memory.
    volume = torch.from_numpy(np.require(array, np.float32, ["C", "W"]))[None]
    sampled = functional.grid_sample(
        volume, grid, mode=mode, padding_mode="zeros", align_corners=False
    )
    found: NDArray[np.float32] = sampled[0].numpy()
    return found


def _padding(case: PreparedCase) -> NDArray[np.float32]:
    return np.asarray(case.padding or (0.0,) * len(case.array), np.float32)
