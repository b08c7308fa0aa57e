"""The file of one prepared case: safetensors with a checksum, read whole or mapped."""

import errno
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from ..core.errors import SegmentationAIError, WeightsError
from ..networks.safetensors_header import TensorEntry, entries_of
from .training_case import PreparedCase

try:
    from isal.isal_zlib import crc32  # the same sums as zlib's, 10 times faster
except ImportError:
    from zlib import crc32

_DTYPES: Final[dict[str, Any]] = {"F32": np.float32, "U8": np.uint8, "I64": np.int64}
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DamagedEntryError(Exception):
    """The file is not what was written; the case is prepared again."""


def write_entry(case: PreparedCase, path: Path) -> None:
    """Write a case to ``path``, readable by its owner alone.

    Raises:
        SegmentationAIError: The disk is full.
    """
    arrays: dict[str, NDArray[Any]] = {
        "array": np.ascontiguousarray(case.array),
        "channels": np.ascontiguousarray(case.channels),
        "padding": np.asarray(case.padding or (0.0,) * len(case.array), np.float32),
    }
    if case.weights is not None:
        arrays["weights"] = np.ascontiguousarray(case.weights)
    sums = np.array([_sum(arrays[name]) for name in sorted(arrays)], np.int64)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(save({**arrays, "sums": sums}))
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise SegmentationAIError(
            f"There is no space left for prepared cases ({case.array.nbytes >> 20} MiB are needed "
            "for this one); free some, or delete prepared cases in the settings."
        ) from error


def read_entry(path: Path, case_id: str, *, mapped: bool) -> PreparedCase:
    """Return the case that `write_entry` wrote.

    Args:
        path: Of the entry.
        case_id: Of the case.
        mapped: Leave the voxels on the disk; they are read-only then.

    Raises:
        DamagedEntryError: The file is torn, changed, or another kind.
    """
    try:
        data: NDArray[Any]
        data = np.memmap(path, np.uint8, "r") if mapped else np.fromfile(path, np.uint8)
        entries = {one.name: one for one in entries_of(data.data, "a prepared case")}
        arrays = {name: _array(data, entry) for name, entry in entries.items()}
        sums = arrays.pop("sums").tolist()
        if sums != [_sum(arrays[name]) for name in sorted(arrays)]:
            raise DamagedEntryError("its checksum differs")
        padding = tuple(arrays.pop("padding").tolist())
        return PreparedCase(id=case_id, padding=padding, **arrays)
    except (OSError, ValueError, KeyError, TypeError, WeightsError) as error:
        raise DamagedEntryError(str(error)) from error


def _array(data: NDArray[np.uint8], entry: TensorEntry) -> NDArray[Any]:
    array: NDArray[Any] = data[entry.start : entry.stop].view(_DTYPES[entry.dtype])
    return array.reshape(entry.shape)


def _sum(array: NDArray[Any]) -> int:
    return int(crc32(array.data))
