"""MetaImage in one file (``.mha``), raw or deflated, read and written without a library.

The usual reader's header code has memory-safety defects (ITK issue 6853), so no foreign file
reaches it: this one reads the text, judges it, and takes exactly the bytes that it claims.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..admission import (
    check_available,
    check_sizes,
    check_spacing,
    checked_affine,
    open_regular,
    shown_name,
)
from ..byte_source import ByteSource, PlainSource, cut_off
from ..errors import FileFormatError
from ..gzip_stream import InflatedSource
from ..parallel_deflate import deflate_in_parallel
from ..volume import Array, Volume
from ..voxel_order import file_blocks, from_file_order
from .metaimage_header import DTYPES, read_header

# Both spellings of 32 bits are read; MET_LONG means 64 bits to some programs and is not written.
_ELEMENT_TYPES = {np.dtype(code): key for key, code in reversed(DTYPES.items())}
_ELEMENT_TYPES |= {np.dtype("u4"): "MET_UINT", np.dtype("i4"): "MET_INT"}
_SIZE_DIGITS = 15


def read(path: Path) -> Volume:
    """Return the volume of an ``.mha`` file in its stored dtype; a sheared affine stays sheared.

    A fourth axis (time) becomes channels, as components do. The center of rotation is left out of
    account, as every reader of the format does.

    Raises:
        FileFormatError: The file is damaged, cut off, or of a kind that is not read.
        GeometryError: The header does not place its voxels.
        MemoryBudgetError: The volume does not fit the memory.
    """
    name = shown_name(path)
    with open_regular(path) as raw_file:
        header = read_header(PlainSource(raw_file, name), name)
        check_spacing(header.spacing, name)
        affine = checked_affine(header.affine, name)
        plain = PlainSource(raw_file, name)
        source: ByteSource = plain
        if header.compressed_bytes is not None:
            if header.compressed_bytes > plain.most_bytes:
                raise cut_off(name)
            source = InflatedSource(raw_file, name, "zlib", header.compressed_bytes)
        count = math.prod(header.sizes) * header.channels
        check_available(count * header.dtype.itemsize, source.most_bytes, name)
        check_sizes((*header.sizes, header.channels), header.dtype.itemsize, name)
        flat: Array = np.empty(count, header.dtype)
        source.fill(flat)
        source.finish()
        plain.finish()
    voxels = from_file_order(flat, header.sizes, header.channels, header.is_interleaved)
    return Volume(voxels, affine)


def write(volume: Volume, path: Path, name: str = "") -> None:
    """Write a compressed ``.mha`` file.

    Args:
        volume: Not changed.
        path: Where to.
        name: What the file will be called, for messages; empty for the name of ``path``.

    Raises:
        FileFormatError: The voxels are of a dtype that MetaImage does not have.
    """
    dtype = np.dtype(np.uint8) if volume.voxels.dtype == bool else volume.voxels.dtype
    if dtype == np.float16:
        dtype = np.dtype(np.float32)
    if dtype not in _ELEMENT_TYPES:
        raise FileFormatError(
            f"{name or shown_name(path)} cannot be written: MetaImage has no voxels of type "
            f"{dtype}; convert them first."
        )
    before, after = _header_parts(volume, dtype)
    with path.open("wb") as file:
        file.write(before + b"0" * _SIZE_DIGITS + after)
        blocks = file_blocks(volume.voxels, dtype.newbyteorder("<"), interleaved=True)
        written = deflate_in_parallel(file, blocks, "zlib")
        file.seek(len(before))
        file.write(f"{written:0{_SIZE_DIGITS}d}".encode("ascii"))


def _header_parts(volume: Volume, dtype: np.dtype[Any]) -> tuple[bytes, bytes]:
    """Return the header before and after the digits of the compressed size."""
    channels, *sizes = volume.voxels.shape
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    directions = lps[:3, :3] / np.asarray(volume.spacing)

    def numbers(values: NDArray[np.float64]) -> str:
        return " ".join(repr(float(v) + 0.0) for v in values)

    before = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        "CompressedData = True\nCompressedDataSize = "
    )
    after = (
        f"\nTransformMatrix = {numbers(directions.T.ravel())}\nOffset = {numbers(lps[:3, 3])}\n"
        "CenterOfRotation = 0 0 0\nAnatomicalOrientation = ???\n"
        f"ElementSpacing = {numbers(np.array(volume.spacing))}\n"
        f"DimSize = {sizes[0]} {sizes[1]} {sizes[2]}\n"
    )
    if channels > 1:
        after += f"ElementNumberOfChannels = {channels}\n"
    after += f"ElementType = {_ELEMENT_TYPES[dtype]}\nElementDataFile = LOCAL\n"
    return before.encode("ascii"), after.encode("ascii")
