"""Safetensors headers, checked by ourselves before a tensor is touched.

Format: 8 bytes little-endian length, that many bytes of JSON, then the tensors without a gap
(https://huggingface.co/docs/safetensors).
"""

import math
import struct
from dataclasses import dataclass
from typing import Any, Final

from ..core.errors import WeightsError
from .strict_json import json_from_bytes

PREFIX_BYTES: Final = 8
MAX_HEADER_BYTES: Final = 8 << 20
MAX_TENSORS: Final = 20_000
MAX_NAME: Final = 512
ITEM_BYTES: Final = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip


@dataclass(frozen=True)
class TensorEntry:
    """Where one tensor lies: ``start`` and ``stop`` are bytes from the beginning of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def looks_like_safetensors(first_bytes: bytes) -> bool:
    """Return whether a file that begins so is meant as safetensors; needs its first 9 bytes."""
    if len(first_bytes) <= PREFIX_BYTES:
        return False
    (length,) = struct.unpack_from("<Q", first_bytes)
    # Eight letters of a text, read as a number, are larger than any length.
    return first_bytes[PREFIX_BYTES : PREFIX_BYTES + 1] == b"{" and 2 <= length < 1 << 40


def entries_of(data: bytes | bytearray | memoryview, source: str) -> tuple[TensorEntry, ...]:
    """Return the tensors of a safetensors file in the order in which they lie.

    Args:
        data: The whole file.
        source: Its name, for messages.

    Raises:
        WeightsError: The header is longer than the file or has 10^6 entries, a key occurs twice,
            a shape does not fit its bytes, or the tensors overlap or leave a gap.
    """
    header_stop = _header_stop(data, source)
    header = json_from_bytes(
        bytes(data[PREFIX_BYTES:header_stop]), f"the header of {source}", MAX_HEADER_BYTES
    )
    if not isinstance(header, dict):
        raise WeightsError(f"The header of {source} is not a table of tensors.")
    _check_metadata(header.pop("__metadata__", {}), source)
    if not 0 < len(header) <= MAX_TENSORS:
        raise WeightsError(
            f"{source} lists {len(header)} tensors; 1 to {MAX_TENSORS} are a network."
        )
    entries = [_entry(name, row, header_stop, source) for name, row in header.items()]
    entries.sort(key=lambda entry: (entry.start, entry.stop))
    _check_layout(entries, header_stop, len(data), source)
    return tuple(entries)


def _header_stop(data: bytes | bytearray | memoryview, source: str) -> int:
    if len(data) < PREFIX_BYTES + 2:
        raise WeightsError(f"{source} has {len(data)} bytes, too few for safetensors.")
    (length,) = struct.unpack_from("<Q", data)
    if length > len(data) - PREFIX_BYTES:
        raise WeightsError(
            f"{source} announces a header of {length} bytes but has {len(data) - PREFIX_BYTES}."
        )
    if length > MAX_HEADER_BYTES:
        raise WeightsError(
            f"{source} has a header of {length} bytes; at most {MAX_HEADER_BYTES} are read."
        )
    return PREFIX_BYTES + int(length)


def _check_metadata(metadata: Any, source: str) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise WeightsError(f"The metadata in the header of {source} is not a table of texts.")


def _entry(name: str, row: Any, header_stop: int, source: str) -> TensorEntry:
    place = f"The tensor {name[:80]!a} of {source}"
    if not name or len(name) > MAX_NAME:
        raise WeightsError(f"{place} has a name of {len(name)} characters.")
    if not isinstance(row, dict) or row.keys() != {"dtype", "shape", "data_offsets"}:
        raise WeightsError(f"{place} is not described by dtype, shape and data_offsets.")
    dtype, shape, offsets = row["dtype"], row["shape"], row["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise WeightsError(f"{place} has the unknown type {str(dtype)[:40]!a}.")
    if not _are_counts(shape) or len(shape) > 8:
        raise WeightsError(f"{place} has a shape that is not a short list of counts.")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise WeightsError(f"{place} has offsets that are not a begin and an end.")
    expected = math.prod(shape) * ITEM_BYTES[dtype]
    if expected != offsets[1] - offsets[0]:
        raise WeightsError(
            f"{place} has {offsets[1] - offsets[0]} bytes; {dtype} of shape {shape} needs "
            f"{str(expected)[:30]}."
        )
    return TensorEntry(
        name, dtype, tuple(shape), header_stop + offsets[0], header_stop + offsets[1]
    )


def _are_counts(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(
        isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 48 for n in numbers
    )


def _check_layout(entries: list[TensorEntry], begin: int, end: int, source: str) -> None:
    reached = begin
    for entry in entries:
        if entry.start != reached:
            fault = "overlaps the one before" if entry.start < reached else "leaves a gap before it"
            raise WeightsError(f"The tensor {entry.name[:80]!a} of {source} {fault}.")
        reached = entry.stop
    if reached != end:
        raise WeightsError(
            f"The tensors of {source} end at byte {reached} but the file has {end} bytes."
        )
