"""Cubic resampling to another number of voxels, a few planes at a time.

A B-spline interpolation is linear in the voxels and separable, so each axis is one matrix, with the
prefilter (Unser, "Splines: a perfect fit for signal and image processing", IEEE Signal Processing
Magazine 16(6):22, 1999, doi:10.1109/79.799930) folded in, and the volume is multiplied by three
matrices. The matrices are bands: a plane of the result needs few planes of the source, so that no
second copy of the volume is ever held.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import scipy.ndimage as ndi
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Planes = Callable[[int, int], Floats]

# A cubic prefilter decays by 0.268 per voxel: below this weight it is under float32's rounding.
# Kept, the tail would reach the denormal numbers, on which processors multiply 15 times slower
# (measured: 7 instead of 113 GFLOP/s).
NEGLIGIBLE_WEIGHT = 1e-8
# Rows of a matrix that are multiplied at once. Fewer rows skip more zeros, but each product is a
# call; measured on 512 -> 256, 256 -> 205 and 128 -> 192: 32 is the fastest of 32, 64 and 128.
BLOCK_ROWS = 32
# Voxels between two products that are held at once: what fits the processor's cache.
CHUNK_VOXELS = 2**21
# Source planes that are asked for at once. Where the planes lie across the memory, as many 16-bit
# voxels share a cache line.
READ_PLANES = 32


def cubic_into(target: Floats, shape: tuple[int, int, int], planes: Planes) -> None:
    """Write a volume into ``target`` with the shape of ``target``, clipped to its own range.

    Args:
        target: ``(X, Y, Z)``, any view without negative strides.
        shape: ``(I, J, K)`` of the volume.
        planes: Returns its planes ``[start, stop)`` as ``(stop - start, J, K)``, finite; each is
            asked for once, in order.
    """
    result = torch.from_numpy(target)
    source = _PlanesInReach(shape[0], (len(target), *target.shape[1:]), planes)
    for rows, columns, weights in _blocks(shape[0], len(target)):
        needed = source.between(columns.start, columns.stop)
        if weights is None:
            result[rows] = needed
        else:
            result[rows] = torch.mm(weights, needed.flatten(1)).view(-1, *target.shape[1:])
    source.between(shape[0], shape[0])  # a strong reduction skips planes, which count for the range
    step = max(1, CHUNK_VOXELS // target[0].size)
    for start in range(0, len(target), step):
        result[start : start + step].clamp_(source.lowest, source.highest)


class _PlanesInReach:
    """Source planes, resampled along their own two axes, while the result still needs them."""

    def __init__(self, length: int, shape: tuple[int, int, int], planes: Planes) -> None:
        self._planes, self._shape = planes, shape[1:]
        reach = max(columns.stop - columns.start for _, columns, _ in _blocks(length, shape[0]))
        self._held = torch.empty((reach, *self._shape))
        self._start = self._stop = 0
        self.lowest, self.highest = np.inf, -np.inf

    def between(self, start: int, stop: int) -> torch.Tensor:
        """Return the planes ``[start, stop)``; those before them are forgotten."""
        kept = self._held[start - self._start : max(start, self._stop) - self._start].clone()
        self._held[: len(kept)] = kept
        self._start = start
        while self._stop < stop:
            self._read(min(self._stop + READ_PLANES, stop))
        return self._held[: stop - start]

    def _read(self, stop: int) -> None:
        voxels = torch.from_numpy(self._planes(self._stop, stop))
        lowest, highest = torch.aminmax(voxels)
        self.lowest = min(self.lowest, float(lowest))
        self.highest = max(self.highest, float(highest))
        step = max(1, CHUNK_VOXELS // max(voxels[0].numel(), self._held[0].numel()))
        for first in range(max(0, self._start - self._stop), len(voxels), step):
            part = _along_last(voxels[first : first + step], self._shape[1])
            place = self._stop + first - self._start
            self._held[place : place + len(part)] = _along_middle(part, self._shape[0])
        self._stop = stop


def _along_last(part: torch.Tensor, size: int) -> torch.Tensor:
    if part.shape[2] == size:
        return part
    rows_in = part.reshape(-1, part.shape[2])
    result = part.new_empty((len(rows_in), size))
    for rows, columns, weights in _blocks(part.shape[2], size):
        assert weights is not None  # lengths differ
        torch.mm(rows_in[:, columns], weights.T, out=result[:, rows])
    return result.view(part.shape[0], part.shape[1], size)


def _along_middle(part: torch.Tensor, size: int) -> torch.Tensor:
    if part.shape[1] == size:
        return part
    products = []
    for _, columns, weights in _blocks(part.shape[1], size):
        assert weights is not None  # lengths differ
        products.append(weights @ part[:, columns])
    return torch.cat(products, dim=1)


@lru_cache(maxsize=32)
def _blocks(length: int, size: int) -> tuple[tuple[slice, slice, torch.Tensor | None], ...]:
    """Return the matrix ``(size, length)`` as blocks: rows, the columns that count, weights.

    The weights are None where nothing is resampled.
    """
    starts = range(0, size, BLOCK_ROWS)
    every = [slice(start, min(start + BLOCK_ROWS, size)) for start in starts]
    if length == size:
        return tuple((rows, rows, None) for rows in every)
    matrix = cubic_matrix(length, size)
    matrix[np.abs(matrix) < NEGLIGIBLE_WEIGHT] = 0
    blocks = []
    for rows in every:
        used = np.flatnonzero(matrix[rows].any(axis=0))
        columns = slice(int(used[0]), int(used[-1]) + 1)
        weights = np.ascontiguousarray(matrix[rows, columns], dtype=np.float32)
        blocks.append((rows, columns, torch.from_numpy(weights)))
    return tuple(blocks)


def cubic_matrix(length: int, size: int) -> NDArray[np.float64]:
    """Return the ``(size, length)`` matrix that resamples one axis; its rows sum to 1.

    Column ``m`` is what the interpolation makes of an impulse at voxel ``m``.
    """
    matrix: NDArray[np.float64] = ndi.zoom(
        np.eye(length), (size / length, 1), order=3, mode="nearest", grid_mode=True
    )
    return matrix
