"""Label values in arrays: which of them Slicer can hold, and how they are mapped to others."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.errors import SegmentationAIError
from ..core.labelmap import smallest_label_dtype
from ..core.volume import Array

# The scalar types that Slicer's segmentation code is written for; 64 bits are not among them.
_SLICER_DTYPES: Final = frozenset(np.dtype(d) for d in ("u1", "u2", "u4", "i2", "i4"))
# A chunk and its index array stay in the second-level cache: 3 times faster than one pass.
_CHUNK: Final = 1 << 16
_HIGHEST_TABLE_VALUE: Final = 1 << 16


def storable_voxels(layer: Array, values: Sequence[int]) -> Array:
    """Return ``layer`` in a dtype that Slicer's segmentations hold; itself where that is so.

    Args:
        layer: Label values ``(I, J, K)``; not changed.
        values: The label values that have a name; they decide the width of the dtype.

    Raises:
        SegmentationAIError: A voxel has a value other than 0 that has no name: no segment would
            show it, and painting could take the value for a new segment.
    """
    known = np.array(sorted({0, *values}))
    for chunk in _chunks(layer):
        if not _all_known(chunk, known):
            unnamed = int(np.setdiff1d(chunk, known)[0])
            raise SegmentationAIError(
                f"Voxels have the label value {unnamed}, which the label table does not name; "
                "name it, or set these voxels to 0."
            )
    highest = int(known[-1])
    if layer.dtype in _SLICER_DTYPES and highest <= np.iinfo(layer.dtype.str).max:
        return layer
    return layer.astype(smallest_label_dtype(highest), order="K")


def mapped_voxels(voxels: Array, new_values: Mapping[int, int]) -> NDArray[np.unsignedinteger[Any]]:
    """Return a copy in Fortran order with every label value replaced; values not named become 0.

    Args:
        voxels: Label values of any integer dtype, also negative; not changed.
        new_values: New label value of each old one.
    """
    dtype = smallest_label_dtype(max(new_values.values(), default=0))
    old = np.array(sorted(new_values), np.int64)
    mapped = np.zeros(voxels.shape, dtype, order="F")
    if old.size and old[0] >= 0 and old[-1] <= _HIGHEST_TABLE_VALUE:
        table = np.zeros(old[-1] + 2, dtype)
        table[old] = [new_values[int(value)] for value in old]
        # Slice by slice: the index arrays of the look-up are 8 bytes a voxel.
        for k in range(voxels.shape[2]):
            index = voxels[:, :, k].astype(np.int64)
            index[(index < 0) | (index > old[-1])] = old[-1] + 1
            mapped[:, :, k] = table[index]
        return mapped
    for value in old.tolist():
        mapped[voxels == value] = new_values[value]
    return mapped


def _chunks(layer: Array) -> Iterator[Array]:
    """Yield the voxels in memory order, a chunk at a time."""
    flat = layer.ravel(order="K")
    return (flat[start : start + _CHUNK] for start in range(0, flat.size, _CHUNK))


def _all_known(chunk: Array, known: NDArray[np.integer[Any]]) -> bool:
    """Return whether a chunk holds no other values than the sorted ``known``."""
    highest = int(known[-1])
    if chunk.min() < 0 or chunk.max() > highest:
        return False
    if highest > _HIGHEST_TABLE_VALUE:
        return bool(np.isin(chunk, known).all())
    table = np.zeros(highest + 1, bool)
    table[known] = True
    return bool(table.take(chunk.astype(np.intp)).all())
