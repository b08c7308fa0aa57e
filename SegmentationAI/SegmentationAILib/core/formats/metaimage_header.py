"""The text header of a MetaImage file: keys and values, judged one by one.

Source: MetaIO documentation, "MetaImage" (https://itk.org/Wiki/MetaIO/Documentation). World
coordinates are LPS there, and each row of ``TransformMatrix`` is the direction of one axis.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..byte_source import ByteSource
from ..errors import FileFormatError
from ..volume import Affine

LARGEST_HEADER = 1 << 16
_LAST_KEY = "ElementDataFile"
_RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
DTYPES = {
    "MET_UCHAR": "u1", "MET_CHAR": "i1", "MET_USHORT": "u2", "MET_SHORT": "i2",
    "MET_UINT": "u4", "MET_INT": "i4", "MET_ULONG": "u4", "MET_LONG": "i4",
    "MET_ULONG_LONG": "u8", "MET_LONG_LONG": "i8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
# Lines of one number for each axis, or for each pair of axes.
_VECTORS = {
    "CenterOfRotation": 1, "Offset": 1, "Position": 1, "Origin": 1, "ElementSpacing": 1,
    "ElementSize": 1, "TransformMatrix": 2, "Rotation": 2, "Orientation": 2,
}  # fmt: skip
_TRUE, _FALSE = {"true", "t", "1"}, {"false", "f", "0"}


@dataclass(frozen=True)
class MetaHeader:
    """What a header claims, with the defaults of the format filled in.

    Attributes:
        sizes: (I, J, K); axes that the file does not have are 1.
        channels: Number of channels.
        is_interleaved: Whether the channels of a voxel lie side by side.
        dtype: Of the stored voxels, byte order included.
        spacing: As the header claims it, mm, not judged yet.
        affine: To RAS mm, ``(4, 4)``, not judged yet.
        compressed_bytes: Length of the deflated voxels, None when they are not compressed.
    """

    sizes: tuple[int, int, int]
    channels: int
    is_interleaved: bool
    dtype: np.dtype[Any]
    spacing: tuple[float, float, float]
    affine: Affine
    compressed_bytes: int | None


def read_header(source: ByteSource, name: str) -> MetaHeader:
    """Return the header at the beginning of ``source``, which then stands behind it.

    Raises:
        FileFormatError: It is none, or says something that is not read here.
    """
    fields = _Fields(_lines(source, name), name)
    for key, expected in (("ObjectType", "Image"), (_LAST_KEY, "LOCAL"), ("DistanceUnits", "mm")):
        if (found := fields.text(key, expected)) != expected:
            raise fields.refusal(key, found, expected)
    if not fields.claim("BinaryData", True):
        raise fields.refusal("BinaryData", "False", "True")
    for key, number in (
        ("HeaderSize", 0.0),
        ("ElementToIntensityFunctionSlope", 1.0),
        ("ElementToIntensityFunctionOffset", 0.0),
    ):
        if (given := fields.numbers(key, 1, [number])[0]) != number:
            raise fields.refusal(key, given, f"{number:g}")
    axes = fields.integer("NDims")
    if axes not in (2, 3, 4):
        raise fields.refusal("NDims", axes, "2, 3 or 4")
    # Also those that are not used here: other readers take what is missing from the next lines.
    for key, power in _VECTORS.items():
        fields.numbers(key, axes**power, [0.0])
    dims = [fields.whole("DimSize", n) for n in fields.numbers("DimSize", axes)]
    i, j, k, times = (*dims, *(1,) * (4 - axes))
    components = fields.integer("ElementNumberOfChannels", 1)
    if times > 1 and components > 1:
        raise fields.refusal("ElementNumberOfChannels", components, "1 where there are four axes")
    spacing = _spacing(fields, axes)
    return MetaHeader(
        sizes=(i, j, k),
        channels=times * components,
        is_interleaved=components > 1,
        dtype=_dtype(fields),
        spacing=spacing,
        affine=_affine(fields, axes, spacing),
        compressed_bytes=_compressed_bytes(fields),
    )


class _Fields:
    """The keys of one header with the messages that go with them."""

    def __init__(self, lines: list[str], name: str) -> None:
        self._name = name
        self._values: dict[str, str] = {}
        for line in lines:
            key, separator, value = (part.strip() for part in line.partition("="))
            if not separator or not key or key in self._values:
                raise self.refusal("header", line[:40], "one `key = value` a line, each key once")
            self._values[key] = value

    def refusal(self, key: str, found: object, expected: str) -> FileFormatError:
        shown = "".join(c if c.isprintable() else "?" for c in str(found))[:60]
        return FileFormatError(
            f"{self._name} cannot be read: its {key} is {shown!r}, and {expected} was expected; "
            "repair the header or export it again."
        )

    def text(self, key: str, default: str | None = None) -> str:
        value = self._values.get(key, default)
        if value is None:
            raise self.refusal(key, "absent", "a value")
        return value

    def has(self, key: str) -> bool:
        return key in self._values

    def claim(self, key: str, default: bool) -> bool:
        value = self.text(key, str(default)).lower()
        if value not in _TRUE | _FALSE:
            raise self.refusal(key, value, "True or False")
        return value in _TRUE

    def numbers(self, key: str, count: int, default: list[float] | None = None) -> list[float]:
        if default is not None and key not in self._values:
            return default
        words = self.text(key).split()
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            numbers = []
        if len(numbers) != count:
            raise self.refusal(key, " ".join(words), f"{count} numbers")
        return numbers

    def whole(self, key: str, number: float) -> int:
        if not (math.isfinite(number) and number == int(number) and 1 <= number < 2**53):
            raise self.refusal(key, number, "whole numbers of 1 or more")
        return int(number)

    def integer(self, key: str, default: int | None = None) -> int:
        return self.whole(key, self.numbers(key, 1, None if default is None else [default])[0])


def _lines(source: ByteSource, name: str) -> list[str]:
    """Return the header's lines up to the one after which the voxels begin."""
    lines: list[str] = []
    line = bytearray()
    for _ in range(min(LARGEST_HEADER, source.most_bytes)):
        byte = source.read_exactly(1)
        if byte != b"\n":
            line += byte
            continue
        text = line.decode("latin-1").strip()
        line.clear()
        if text:
            lines.append(text)
            if text.partition("=")[0].strip() == _LAST_KEY:
                return lines
    raise FileFormatError(
        f"{name} is no MetaImage file: its header has no line {_LAST_KEY} = LOCAL; check the file, "
        "or export it again."
    )


def _dtype(fields: _Fields) -> np.dtype[Any]:
    element = fields.text("ElementType")
    if element not in DTYPES:
        raise fields.refusal("ElementType", element, f"one of {', '.join(DTYPES)}")
    is_big = fields.claim("ElementByteOrderMSB", fields.claim("BinaryDataByteOrderMSB", False))
    return np.dtype((">" if is_big else "<") + DTYPES[element])


def _compressed_bytes(fields: _Fields) -> int | None:
    if not fields.claim("CompressedData", False):
        return None
    return fields.integer("CompressedDataSize")


def _spacing(fields: _Fields, axes: int) -> tuple[float, float, float]:
    key = "ElementSpacing" if fields.has("ElementSpacing") else "ElementSize"
    i, j, k = [*fields.numbers(key, axes, [1.0] * axes), 1.0][:3]
    return i, j, k


def _affine(fields: _Fields, axes: int, spacing: tuple[float, float, float]) -> Affine:
    """Return the affine to RAS mm of the three axes of space."""
    directions: NDArray[np.float64] = np.eye(max(3, axes))
    origin = np.zeros(3)
    for key in ("TransformMatrix", "Rotation", "Orientation"):
        if fields.has(key):
            matrix = np.reshape(fields.numbers(key, axes * axes), (axes, axes))
            directions[:axes, :axes] = matrix.T
            break
    for key in ("Offset", "Position", "Origin"):
        if fields.has(key):
            origin[: min(axes, 3)] = fields.numbers(key, axes)[:3]
            break
    if axes == 4 and (directions[3, :3].any() or directions[:3, 3].any()):
        raise fields.refusal("TransformMatrix", "mixing space and time", "axes of space apart")
    affine = np.eye(4)
    with np.errstate(all="ignore"):
        affine[:3, :3] = directions[:3, :3] * np.asarray(spacing)
    affine[:3, 3] = origin
    return np.asarray(_RAS_FROM_LPS @ affine, np.float64)
