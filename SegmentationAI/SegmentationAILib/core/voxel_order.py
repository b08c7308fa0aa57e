"""Voxels in the order of a file, block by block, and back, without a second copy of the volume.

Foreign formats store the first axis fastest; `Volume` has axes (C, I, J, K). A view in Fortran
order joins both, so that a volume that was read is written again without being transposed.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .volume import Array

BLOCK_BYTES = 1 << 20
# A volume in C order is read across its memory: fewer slices than a cache line would waste most
# of every line that is fetched.
LEAST_SLICES = 64
# Voxels along both axes that change places; 32 x 32 lines of one byte fill a first-level cache.
TILE = 32


def file_blocks(voxels: Array, dtype: np.dtype[Any], interleaved: bool = False) -> Iterator[Array]:
    """Yield voxels in file order, first axis fastest, as contiguous one-dimensional blocks.

    Args:
        voxels: ``(C, I, J, K)``, not changed.
        dtype: Of the file, byte order included; values are cast to it.
        interleaved: Whether the channels of a voxel lie side by side, instead of one channel's
            volume after the other's.
    """
    channels, i, j, slices = voxels.shape
    parts = [voxels] if interleaved else [voxels[c : c + 1] for c in range(channels)]
    for part in parts:
        slice_bytes = part.shape[0] * i * j * dtype.itemsize
        step = max(1, BLOCK_BYTES // slice_bytes)
        if not part[0].flags.f_contiguous:
            step = max(step, LEAST_SLICES)
        for start in range(0, slices, step):
            block = part[..., start : start + step].transpose(3, 2, 1, 0)
            yield _in_file_order(block, dtype).reshape(-1)


def _in_file_order(block: Array, dtype: np.dtype[Any]) -> Array:
    """Return a view ``(K, J, I, C)`` as a contiguous array, transposed in tiles that fit the cache.

    Measured on 8 MiB of labels in C order: 0.011 s, against 0.048 s in one copy.
    """
    if block.flags.c_contiguous:
        return np.ascontiguousarray(block, dtype=dtype)
    ordered = np.empty(block.shape, dtype)
    for k in range(0, block.shape[0], TILE):
        for i in range(0, block.shape[2], TILE):
            tile = np.s_[k : k + TILE, :, i : i + TILE]
            ordered[tile] = block[tile]
    return ordered


def from_file_order(
    flat: Array, sizes: tuple[int, int, int], channels: int, interleaved: bool = False
) -> Array:
    """Return voxels ``(C, I, J, K)``, a view of the values of a file in native byte order.

    Args:
        flat: All values in file order; changed in place when the byte order is foreign.
        sizes: ``(I, J, K)``.
        channels: Number of channels.
        interleaved: Whether the channels of a voxel lie side by side.
    """
    if not flat.dtype.isnative:
        flat = flat.byteswap(inplace=True).view(flat.dtype.newbyteorder("="))
    if interleaved:
        return flat.reshape((channels, *sizes), order="F")
    return np.moveaxis(flat.reshape((*sizes, channels), order="F"), -1, 0)
