"""Tensors of an ONNX file: their numbers are there, as many as the shape says, and finite."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.errors import WeightsError
from .onnx_schema import ENTRY, TENSOR
from .protobuf_fields import Field, fields_of, text_of

MAX_AXES: Final = 8
MAX_ELEMENTS: Final = 1 << 31
EXTERNAL: Final = 1
# Type of ONNX, how it lies in memory, and where it lies when it is not raw.
TYPES: Final[Mapping[int, tuple[str, str]]] = {
    1: ("<f4", "float_data"), 2: ("u1", "int32_data"), 3: ("i1", "int32_data"),
    4: ("<u2", "int32_data"), 5: ("<i2", "int32_data"), 6: ("<i4", "int32_data"),
    7: ("<i8", "int64_data"), 9: ("?", "int32_data"), 10: ("<f2", "int32_data"),
    11: ("<f8", "double_data"), 16: ("<u2", "int32_data"),
}  # fmt: skip
BFLOAT16: Final = 16
STORES: Final = ("raw_data", "float_data", "int32_data", "int64_data", "double_data")
WIDTHS: Final = {"float_data": 4, "double_data": 8}


@dataclass(frozen=True)
class OutsideData:
    """Where the numbers of a tensor lie in another file: its name as written, and its bytes."""

    location: str
    offset: int
    size: int


@dataclass(frozen=True)
class OnnxTensor:
    """One tensor.

    Attributes:
        name: Empty for a constant.
        shape: Elements along each axis.
        kind: Type of ONNX, a key of `TYPES`.
        outside: Where its numbers lie, None where they are in the file itself.
        fields: All of its message.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    outside: OutsideData | None
    fields: tuple[Field, ...]


def tensor_of(message: memoryview, source: str) -> OnnxTensor:
    """Return a tensor whose numbers were counted and are finite, or lie in another file.

    Raises:
        WeightsError: A type that is not read, another count than the shape's, NaN, or infinity in
            more than a single number.
    """
    fields = fields_of(message, TENSOR, f"a tensor of {source}")
    name = next((text_of(one, source) for one in fields if one.name == "name"), "")
    place = f"The tensor {name[:80]!a} of {source}"
    kind = next((one.number() for one in fields if one.name == "data_type"), 0)
    if kind not in TYPES:
        raise WeightsError(f"{place} has the type {kind}, which is not read.")
    shape = _shape(fields, place)
    size = math.prod(shape) * np.dtype(TYPES[kind][0]).itemsize
    stores = {one.name for one in fields if one.name in STORES}
    location = next((one.number() for one in fields if one.name == "data_location"), 0)
    beside = [one for one in fields if one.name == "external_data"]
    if location == EXTERNAL and not stores:
        return OnnxTensor(name, shape, kind, _outside(beside, size, place), tuple(fields))
    if location or beside or len(stores) > 1:
        raise WeightsError(f"{place} has its numbers in several places.")
    check_finite(_numbers(fields, stores, kind, math.prod(shape), place), kind, place)
    return OnnxTensor(name, shape, kind, None, tuple(fields))


def check_finite(raw: bytes | memoryview, kind: int, place: str) -> None:
    """Check numbers as they lie in memory.

    Raises:
        WeightsError: NaN, or infinity in more than a single number.
    """
    numbers: NDArray[Any] = np.frombuffer(raw, TYPES[kind][0])
    if kind == BFLOAT16:
        numbers = (numbers.astype("<u4") << 16).view("<f4")
    if numbers.dtype.kind != "f":
        return
    is_bad = np.isnan(numbers) if numbers.size == 1 else ~np.isfinite(numbers)
    if is_bad.any():
        raise WeightsError(f"{place} has numbers that are NaN or infinite.")


def _shape(fields: list[Field], place: str) -> tuple[int, ...]:
    shape: list[int] = []
    for one in fields:
        if one.name == "dims":
            shape += [one.value] if isinstance(one.value, int) else _varints(one.value, place)
    if len(shape) > MAX_AXES or any(side >= 1 << 40 for side in shape):
        raise WeightsError(f"{place} has a shape that is not a short list of counts.")
    if math.prod(shape) >= MAX_ELEMENTS:
        raise WeightsError(f"{place} has more than {MAX_ELEMENTS} numbers.")
    return tuple(shape)


def _numbers(
    fields: list[Field], stores: set[str], kind: int, count: int, place: str
) -> bytes | memoryview:
    """Return the numbers as they lie in memory; empty for whole numbers that are not raw."""
    store = next(iter(stores), "raw_data")
    if store not in ("raw_data", TYPES[kind][1]):
        raise WeightsError(f"{place} has {store}, which is not for its type.")
    parts = [one.value for one in fields if one.name == store]
    if store == "raw_data":
        raw = parts[0] if parts else b""
        assert not isinstance(raw, int)
        found, wanted = len(raw), count * np.dtype(TYPES[kind][0]).itemsize
    elif store in WIDTHS:
        width = WIDTHS[store]
        raw = b"".join(p.to_bytes(width, "little") if isinstance(p, int) else p for p in parts)
        found, wanted = len(raw), count * width
    else:
        values = [n for p in parts for n in ([p] if isinstance(p, int) else _varints(p, place))]
        found, wanted = len(values), count
        is_float = kind in (10, BFLOAT16)
        raw = np.asarray([n & 0xFFFF for n in values], "<u2").tobytes() if is_float else b""
    if found != wanted:
        unit = "numbers" if store not in ("raw_data", *WIDTHS) else "bytes"
        raise WeightsError(f"{place} holds {found} {unit}; its shape needs {wanted}.")
    return raw


def _varints(packed: memoryview, place: str) -> list[int]:
    """Return packed numbers of variable length, negative ones as they are written."""
    found, number, shift = [], 0, 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(number)
            number, shift = 0, 0
        elif shift > 63:
            break
    if shift:
        raise WeightsError(f"{place} has a number that is cut off or too long.")
    return found


def _outside(entries: list[Field], size: int, place: str) -> OutsideData:
    found: dict[str, str] = {}
    for one in entries:
        pair = {f.name: text_of(f, place, 1024) for f in fields_of(one.bytes(), ENTRY, place)}
        key = pair.get("key", "")
        if key in found or key not in ("location", "offset", "length", "checksum"):
            raise WeightsError(f"{place} has the entry {key[:40]!a} of external data.")
        found[key] = pair.get("value", "")
    offset, length = found.get("offset", "0"), found.get("length", str(size))
    if not re.fullmatch(r"\d{1,15}", offset) or length != str(size):
        raise WeightsError(
            f"{place} has external data of {length[:20]!a} bytes at {offset[:20]!a}; {size} bytes "
            "are needed."
        )
    return OutsideData(found.get("location", ""), int(offset), size)
