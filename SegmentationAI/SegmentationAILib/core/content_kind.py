"""What a file holds, told from its first bytes and never from its name."""

import zlib
from pathlib import Path
from typing import Final

from .admission import open_regular
from .gzip_stream import GZIP_MAGIC

_LOOKED_AT: Final = 400
_NIFTI_SIZES: Final = (348, 540)
_NIFTI_MAGIC: Final = (b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0")
_METAIMAGE_KEYS: Final = (b"objecttype", b"ndims", b"comment", b"objectsubtype")


def content_kind(path: Path) -> str | None:
    """Return ``NRRD``, ``NIfTI``, ``MetaImage``, ``MGH`` or ``DICOM``; None when nothing is told.

    At most 400 bytes are read and at most as many inflated.

    Raises:
        FileFormatError: It is not a regular file with content (see `admission.open_regular`).
    """
    with open_regular(path) as file:
        start = file.read(_LOOKED_AT)
        if start.startswith(GZIP_MAGIC):
            start += file.read(1 << 16)
            start = _inflated_start(start)
    return _kind_of(start)


def _inflated_start(compressed: bytes) -> bytes:
    """Return the first bytes that a gzip file inflates to, none when it is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(compressed, _LOOKED_AT)
    except zlib.error:  # the reader of the format says what is wrong
        return b""


def _kind_of(start: bytes) -> str | None:
    if start.startswith(b"NRRD000"):
        return "NRRD"
    sizes = (int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big"))
    if set(sizes) & set(_NIFTI_SIZES) and (
        start[344:348] in _NIFTI_MAGIC or start[4:8] in _NIFTI_MAGIC
    ):
        return "NIfTI"
    if start[128:132] == b"DICM":
        return "DICOM"
    first_key = start.split(b"=", 1)[0].strip().lower()
    if first_key in _METAIMAGE_KEYS:
        return "MetaImage"
    if start.startswith(b"\0\0\0\1") and len(start) >= 284:
        return "MGH"
    return None
