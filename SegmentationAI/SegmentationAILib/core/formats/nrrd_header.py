"""The text of an NRRD header: read strictly, written as Slicer writes it.

Format: G. Kindlmann, Definition of NRRD file format, https://teem.sourceforge.net/nrrd/format.html,
versions 0001 to 0005.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import numpy as np

from ..errors import FileFormatError

MAGIC: Final = b"NRRD000"
# 1000 segments with their terminology take 0.7 MB; a longer header is made to waste memory.
LONGEST_HEADER_BYTES: Final = 16 << 20
BLOCK: Final = 1 << 16
_END: Final = re.compile(rb"\n\r?\n")

_ALIASES: Final = {
    "datafile": "data file",
    "lineskip": "line skip",
    "byteskip": "byte skip",
    "centerings": "centers",
    "axismins": "axis mins",
    "axismaxs": "axis maxs",
    "oldmin": "old min",
    "oldmax": "old max",
    "sampleunits": "sample units",
}
_KNOWN_FIELDS: Final = re.compile(
    "dimension|type|block size|encoding|endian|content|min|max|old min|old max|data file"
    "|line skip|byte skip|number|sizes|spacings|thicknesses|axis mins|axis maxs|centers|labels"
    "|units|kinds|space|space dimension|space units|space origin|space directions"
    "|measurement frame|sample units"
)
_TYPES: Final = {
    "int8": "signed char|int8|int8_t",
    "uint8": "uchar|unsigned char|uint8|uint8_t",
    "int16": "short|short int|signed short|signed short int|int16|int16_t",
    "uint16": "ushort|unsigned short|unsigned short int|uint16|uint16_t",
    "int32": "int|signed int|int32|int32_t",
    "uint32": "uint|unsigned int|uint32|uint32_t",
    "int64": "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t",
    "uint64": "ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t",
    "float32": "float",
    "float64": "double",
}
_DTYPE_OF: Final = {
    name: np.dtype(dtype) for dtype, names in _TYPES.items() for name in names.split("|")
}
_NAME_OF: Final = {
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "int64": "long long",
    "uint64": "unsigned long long",
    "float32": "float",
    "float64": "double",
}


@dataclass(frozen=True)
class NrrdHeader:
    """The fields of a header as text, and its own key-value pairs.

    Attributes:
        fields: Field name in lower case to its text.
        pairs: Key to value of the ``key:=value`` lines, unescaped.
        name: Name of the file, for messages.
    """

    fields: Mapping[str, str]
    pairs: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    def refusal(self, found: str, expected: str) -> FileFormatError:
        """Return the error that names the file, what was found and what was expected."""
        return FileFormatError(f"{self.name} {found}; {expected}: export it again.")

    def required(self, key: str) -> str:
        """Return the text of a field.

        Raises:
            FileFormatError: It is not there.
        """
        if not self.fields.get(key, "").strip():
            raise self.refusal(f"has no '{key}' in its NRRD header", "that line is required")
        return self.fields[key].strip()

    def integer(self, key: str, default: int | None = None) -> int:
        """Return a field as an integer, or ``default`` (None: required) when it is absent."""
        text = self.required(key) if default is None else self.fields.get(key, str(default))
        return self.integers_of(text, key)[0]

    def integers(self, key: str) -> list[int]:
        """Return a required field of integers."""
        return self.integers_of(self.required(key), key)

    def integers_of(self, text: str, key: str) -> list[int]:
        """Return the integers in ``text``, which stood under ``key``."""
        parts = text.split()
        if not parts or not all(len(p) < 20 and p.lstrip("+-").isdecimal() for p in parts):
            raise self.refusal(f"says '{key}: {text[:60]}'", "whole numbers were expected")
        return [int(part) for part in parts]

    def dtype(self) -> np.dtype[Any]:
        """Return the dtype of the voxels in the byte order of the file.

        Raises:
            FileFormatError: The type is unknown or a block, or the byte order is missing.
        """
        text = self.required("type").lower()
        dtype = _DTYPE_OF.get(text)
        if dtype is None:
            raise self.refusal(f"has voxels of type '{text[:40]}'", "numbers were expected")
        if dtype.itemsize == 1:
            return dtype
        endian = self.required("endian").lower()
        if endian not in ("little", "big"):
            raise self.refusal(f"says 'endian: {endian[:40]}'", "'little' or 'big' was expected")
        return dtype.newbyteorder("<" if endian == "little" else ">")


def read_header(file: BinaryIO, name: str) -> NrrdHeader:
    """Return the header; ``file`` stands behind the empty line that ends it afterwards.

    Args:
        file: Opened for reading at its start.
        name: Name of the file, for messages.

    Raises:
        FileFormatError: It is not an NRRD header, or one of a version or with a line that is
            not known.
    """
    lines = _lines(file, name)
    if lines[0] not in [f"NRRD000{version}" for version in range(1, 6)]:
        raise FileFormatError(
            f"{name} is not an NRRD file of versions 1 to 5 (its first line is not 'NRRD000n'); "
            "export it again."
        )
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for line in lines[1:]:
        if not line.startswith("#"):
            _take_line(line, fields, pairs, name)
    unknown = [key for key in fields if not _KNOWN_FIELDS.fullmatch(key)]
    if unknown:
        raise FileFormatError(
            f"{name} has the unknown field {_printable(unknown[0])!r} in its NRRD header; export "
            "it again."
        )
    return NrrdHeader(fields, pairs, name)


def header_text(fields: Mapping[str, str], pairs: Mapping[str, str]) -> bytes:
    """Return a complete header with the empty line that ends it.

    Args:
        fields: Field name to text, in the order wanted (``type`` and ``dimension`` come first).
        pairs: Own keys to values; line breaks and backslashes are escaped.
    """
    lines = [
        "NRRD0004",
        "# Complete NRRD file format specification at:",
        "# http://teem.sourceforge.net/nrrd/format.html",
        *(f"{key}: {value}" for key, value in fields.items()),
        *(f"{_escaped(key)}:={_escaped(value)}" for key, value in pairs.items()),
    ]
    return ("\n".join(lines) + "\n\n").encode("utf-8")


def type_name(dtype: np.dtype[Any]) -> str:
    """Return the NRRD name of a dtype that `dtype_to_store` has returned."""
    return _NAME_OF[dtype.name]


def dtype_to_store(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the little-endian dtype in which NRRD keeps all values of ``dtype`` exactly.

    Raises:
        ValueError: There is none (complex numbers, text, long doubles).
    """
    wider = np.dtype({"bool": "uint8", "float16": "float32"}.get(dtype.name, dtype))
    if wider.name not in _NAME_OF:
        raise ValueError(f"voxels of dtype {dtype} cannot be kept in NRRD")
    return wider.newbyteorder("<")


def _lines(file: BinaryIO, name: str) -> list[str]:
    """Return the header's lines; a header alone (.nhdr) may end with its file."""
    text = bytearray()
    end = None
    while end is None:
        block = file.read(BLOCK)
        if not block:
            end = len(text)
            break
        # The end may straddle two blocks: "\n" and "\r\n".
        searched = max(0, len(text) - 3)
        text += block
        if not text.startswith(MAGIC):
            return [""]
        found = _END.search(text, searched)
        end = found.end() if found else None
        if len(text) > LONGEST_HEADER_BYTES:
            raise FileFormatError(
                f"{name} has a header of more than {LONGEST_HEADER_BYTES >> 20} MiB; export it "
                "again."
            )
    file.seek(end)
    decoded = text[:end].decode("utf-8", errors="replace").rstrip("\r\n")
    return [line.rstrip("\r") for line in decoded.split("\n")]


def _take_line(line: str, fields: dict[str, str], pairs: dict[str, str], name: str) -> None:
    at_field, at_pair = f"{line} ".find(": "), line.find(":=")
    if at_pair > 0 and not 0 < at_field < at_pair:
        _add(pairs, line[:at_pair], _unescaped(line[at_pair + 2 :]), name)
    elif at_field > 0:
        key = line[:at_field].strip().lower()
        _add(fields, _ALIASES.get(key, key), line[at_field + 2 :].strip(), name)
    else:
        raise FileFormatError(
            f"{name} has a line in its NRRD header that is neither a field nor a pair "
            f"({_printable(line)!r}); export it again."
        )


def _add(table: dict[str, str], key: str, value: str, name: str) -> None:
    if key in table:
        raise FileFormatError(
            f"{name} says {_printable(key)!r} twice in its NRRD header; export it again."
        )
    table[key] = value


def _escaped(text: str) -> str:
    """Escape what would end a line; a carriage return has no escape of its own in NRRD."""
    return text.replace("\\", "\\\\").replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def _unescaped(text: str) -> str:
    return "\\".join(part.replace("\\n", "\n") for part in text.split("\\\\"))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:60])
