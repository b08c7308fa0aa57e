"""Frames: a JSON header and arrays as raw little-endian bytes, in one run of bytes.

``SEGAIFRM``, the header's length as 8 bytes, the header (UTF-8), then each array at a multiple of
64 bytes, in the order of the header's ``arrays``. Nothing in a frame is executed or unpickled, and
every size is held against the bytes that are there before an array is made.
"""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .protocol import WorkerError

MAGIC: Final = b"SEGAIFRM"
LONGEST_HEADER_BYTES: Final = 4 << 20
MOST_ARRAYS: Final = 256
ALIGNMENT: Final = 64
DTYPES: Final = frozenset(
    ("<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8")
)
Array = NDArray[Any]
_START = struct.Struct("<8sQ")


@dataclass(frozen=True, eq=False)
class Frame:
    """A header and named arrays; those of a decoded frame are views of its bytes."""

    header: Mapping[str, Any]
    arrays: Mapping[str, Array]


def chunks_of_frame(frame: Frame) -> list[memoryview]:
    """Return the bytes of a frame in pieces; arrays are not copied where they lie in one run.

    Raises:
        ValueError: An array is of a type that does not travel, or the header is too long.
    """
    described: list[dict[str, Any]] = []
    runs: list[memoryview] = []
    for name, array in frame.arrays.items():
        run, order = _one_run(array)
        code = f"<{run.dtype.kind}{run.dtype.itemsize}"
        if code not in DTYPES:
            raise ValueError(f"arrays of {array.dtype} do not travel")
        described.append({"name": name, "dtype": code, "shape": array.shape, "order": order})
        runs.append(run.reshape(-1).view(np.uint8).data)
    text = json.dumps({**frame.header, "arrays": described}, allow_nan=False).encode()
    text += b" " * (-(_START.size + len(text)) % ALIGNMENT)
    if len(text) > LONGEST_HEADER_BYTES or len(described) > MOST_ARRAYS:
        raise ValueError("the header of this frame is too long")
    chunks = [memoryview(_START.pack(MAGIC, len(text)) + text)]
    for values in runs:
        chunks += [values, memoryview(b"\0" * (-len(values) % ALIGNMENT))]
    return [chunk for chunk in chunks if len(chunk)]


def size_of_chunks(chunks: Sequence[memoryview]) -> int:
    """Return the bytes of a frame's pieces together."""
    return sum(len(chunk) for chunk in chunks)


def frame_of_bytes(whole: Any) -> Frame:
    """Return the frame that lies in a buffer; its arrays are views of the buffer.

    Args:
        whole: ``bytes``, ``bytearray`` or a memory map; kept alive by the arrays.

    Raises:
        WorkerError: It is not a frame, or claims more or less than is there.
    """
    view = memoryview(whole)
    header, offset = _header(view)
    arrays: dict[str, Array] = {}
    described = header.pop("arrays", None)
    if not isinstance(described, list) or len(described) > MOST_ARRAYS:
        raise _damaged("its arrays are not listed")
    for row in described:
        name, dtype, shape, order = _row(row)
        size = math.prod(shape) * dtype.itemsize
        if name in arrays or size > len(view) - offset:
            raise _damaged(f"an array of {size} bytes is announced and {len(view) - offset} came")
        flat = np.frombuffer(view[offset : offset + size], dtype)
        arrays[name] = flat.reshape(shape, order=order)
        padding = view[offset + size : offset + size + (-size % ALIGNMENT)]
        if any(padding):
            raise _damaged("an array is longer than announced")
        offset += size + (-size % ALIGNMENT)
    if offset != len(view):
        raise _damaged(f"{len(view)} bytes came and {offset} are announced")
    return Frame(header, arrays)


def _header(view: memoryview) -> tuple[dict[str, Any], int]:
    if len(view) < _START.size:
        raise _damaged("it is shorter than its beginning")
    magic, length = _START.unpack(view[: _START.size])
    if magic != MAGIC or length > min(LONGEST_HEADER_BYTES, len(view) - _START.size):
        raise _damaged("its beginning is not that of a frame")
    try:
        header = json.loads(bytes(view[_START.size : _START.size + length]))
    except (ValueError, RecursionError) as error:
        raise _damaged("its header is not JSON") from error
    if not isinstance(header, dict):
        raise _damaged("its header is not an object")
    return header, _START.size + length


def _row(row: Any) -> tuple[str, np.dtype[Any], tuple[int, ...], Any]:
    try:
        name, code, shape, order = row["name"], row["dtype"], row["shape"], row["order"]
        numbers = tuple(shape)
        is_valid = (
            isinstance(name, str)
            and code in DTYPES
            and order in ("C", "F")
            and 1 <= len(numbers) <= 4
            and all(type(n) is int and 1 <= n < 2**40 for n in numbers)
        )
    except (TypeError, KeyError) as error:
        raise _damaged("an array is not described") from error
    if not is_valid:
        raise _damaged("an array has a type or a shape that does not travel")
    return name, np.dtype(code), numbers, order


def _one_run(array: Array) -> tuple[Array, str]:
    """Return the array's values as they lie in memory, little-endian, and the order of its axes."""
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    little = array.astype(array.dtype.newbyteorder("<"), order="K", copy=False)
    return np.ascontiguousarray(little.T if order == "F" else little), order


def _damaged(why: str) -> WorkerError:
    return WorkerError(f"What came over the line is damaged ({why}); try again.")
