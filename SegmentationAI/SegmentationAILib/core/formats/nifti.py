"""NIfTI-1 and NIfTI-2 in one file, plain or gzip, read and written without a library.

The usual readers accept truncated files, damaged checksums and offsets inside the header; this one
accepts what the header and the file agree on, and refuses the rest in one sentence.
"""

import math
import struct
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..admission import check_available, check_sizes, is_sheared, open_regular, shown_name
from ..byte_source import ByteSource, PlainSource, byte_view
from ..errors import FileFormatError
from ..gzip_stream import GZIP_MAGIC, InflatedSource
from ..parallel_deflate import deflate_in_parallel
from ..volume import Affine, Array, Volume
from ..voxel_order import file_blocks, from_file_order
from .nifti_header import (
    READ_DTYPES,
    SIZE_1,
    NiftiHeader,
    dtype_of,
    read_header,
    shape_of,
    skip_to_voxels,
)
from .nifti_place import affine_and_notes, quaternion_of

_DATATYPES = {np.dtype(code): number for number, code in READ_DTYPES.items()}
_SCANNER_COORDINATES = 1
_MILLIMETERS = 2
_VECTOR_INTENT = 1007
_LARGEST_SIZE_1 = 32767
# Within these, float32 neither overflows nor loses more than the stored values' own rounding.
_SINGLE_SLOPES = (1e-6, 1e6)
_SINGLE_INTER = 1e6


def read(path: Path) -> Volume:
    """Return the volume of a ``.nii`` or ``.nii.gz`` file; a sheared affine stays sheared.

    The stored dtype is kept unless the header scales intensities (then float32, or float64 for
    integers over 16 bits). Time points and vector components become channels.

    Raises:
        FileFormatError: The file is damaged, cut off, or of a kind that is not read.
        GeometryError: The header does not place its voxels.
        MemoryBudgetError: The volume does not fit the memory.
    """
    name = shown_name(path)
    with open_regular(path) as file:
        is_deflated = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        source = InflatedSource(file, name) if is_deflated else PlainSource(file, name)
        volume = _volume(source, name)
    if path.name.lower().endswith(".gz") == is_deflated:
        return volume
    found = "compressed" if is_deflated else "not compressed"
    note = f"The file is {found}, against its name; its content was read."
    return Volume(volume.voxels, volume.affine, (note, *volume.notes))


def write(volume: Volume, path: Path, name: str = "") -> None:
    """Write ``.nii`` or, when the name ends in ``.gz``, ``.nii.gz``; sform and qform agree.

    NIfTI-2 is written when an axis passes 32767 voxels. Channels become vector components.

    Args:
        volume: Not changed.
        path: Where to.
        name: What the file will be called, for messages; empty for the name of ``path``.

    Raises:
        FileFormatError: The voxels are of a dtype that NIfTI does not have.
    """
    dtype = np.dtype(np.uint8) if volume.voxels.dtype == bool else volume.voxels.dtype
    if dtype == np.float16:
        dtype = np.dtype(np.float32)
    dtype = dtype.newbyteorder("<")
    header = _packed_header(volume, dtype, name or shown_name(path))
    with path.open("wb") as file:
        blocks = file_blocks(volume.voxels, dtype)
        if path.name.lower().endswith(".gz"):
            deflate_in_parallel(file, chain([header], blocks), effort="small")
        else:
            file.write(header)
            for block in blocks:
                file.write(byte_view(block))


def _volume(source: ByteSource, name: str) -> Volume:
    header = read_header(source, name)
    dtype = dtype_of(header, name)
    sizes, channels = shape_of(header, name)
    affine, notes = affine_and_notes(header, sizes, name)
    skip_to_voxels(source, header, name)
    count = math.prod(sizes) * channels
    check_available(count * dtype.itemsize, source.most_bytes, name)
    slope, inter, scaling_notes = _scaling(header)
    is_scaled = (slope, inter) != (1.0, 0.0)
    wide = _scaled_dtype(dtype, slope, inter)
    # Stored and scaled values are held at once: a scaled byte takes five.
    check_sizes((*sizes, channels), dtype.itemsize + is_scaled * wide.itemsize, name)
    flat: Array = np.empty(count, dtype)
    source.fill(flat)
    source.finish()
    voxels = from_file_order(flat, sizes, channels)
    if is_scaled:
        scaled: NDArray[Any] = voxels.astype(wide, order="K")
        scaled *= wide.type(slope)
        scaled += wide.type(inter)
        voxels = scaled
    return Volume(voxels, affine, (*notes, *scaling_notes))


def _scaling(header: NiftiHeader) -> tuple[float, float, tuple[str, ...]]:
    """Return slope and intercept, and a sentence when one of them is no number to scale by."""
    slope, inter = header.slope, header.inter
    if not math.isfinite(slope) or slope == 0:
        return 1.0, 0.0, (f"The header's intensity slope is {slope:g}; it was taken as 1.",)
    if not math.isfinite(inter):
        return slope, 0.0, (f"The header's intensity intercept is {inter:g}; it was taken as 0.",)
    return slope, inter, ()


def _scaled_dtype(stored: np.dtype[Any], slope: float, inter: float) -> np.dtype[Any]:
    is_short = stored.itemsize <= 2 or stored.newbyteorder("=") == np.float32
    is_usual = _SINGLE_SLOPES[0] <= abs(slope) <= _SINGLE_SLOPES[1] and abs(inter) <= _SINGLE_INTER
    return np.dtype(np.float32 if is_short and is_usual else np.float64)


def _packed_header(volume: Volume, dtype: np.dtype[Any], name: str) -> bytes:
    """Return a little-endian header with the four bytes that say that nothing extends it."""
    if dtype.newbyteorder("=") not in _DATATYPES:
        raise FileFormatError(
            f"{name} cannot be written: NIfTI has no voxels of type {dtype}; convert them first."
        )
    datatype = _DATATYPES[dtype.newbyteorder("=")]
    bits = 8 * dtype.itemsize
    channels, *sizes = volume.voxels.shape
    dim = (5, *sizes, 1, channels, 1, 1) if channels > 1 else (3, *sizes, 1, 1, 1, 1)
    intent = _VECTOR_INTENT if channels > 1 else 0
    qform_code, qfac, quatern = _qform(volume.affine)
    pixdim = (qfac, *volume.spacing, 1.0, 1.0, 1.0, 1.0)
    offset = volume.affine[:3, 3]
    srow = volume.affine[:3].ravel()
    if max(sizes) > _LARGEST_SIZE_1 or channels > _LARGEST_SIZE_1:
        block = bytearray(544)
        struct.pack_into("<i8shh", block, 0, 540, b"n+2\0\r\n\x1a\n", datatype, bits)
        struct.pack_into("<8q", block, 16, *dim)
        struct.pack_into("<8d", block, 104, *pixdim)
        struct.pack_into("<qdd", block, 168, len(block), 1.0, 0.0)
        struct.pack_into("<ii3d3d12d", block, 344, qform_code, _SCANNER_COORDINATES,
                         *quatern, *offset, *srow)  # fmt: skip
        struct.pack_into("<iii", block, 496, 0, _MILLIMETERS, intent)
        return bytes(block)
    block = bytearray(SIZE_1 + 4)
    struct.pack_into("<i", block, 0, SIZE_1)
    struct.pack_into("<8h", block, 40, *dim)
    struct.pack_into("<hhh", block, 68, intent, datatype, bits)
    struct.pack_into("<8f", block, 76, *pixdim)
    struct.pack_into("<fff", block, 108, len(block), 1.0, 0.0)
    struct.pack_into("<B", block, 123, _MILLIMETERS)
    struct.pack_into("<hh3f3f12f", block, 252, qform_code, _SCANNER_COORDINATES,
                     *quatern, *offset, *srow)  # fmt: skip
    block[344:348] = b"n+1\0"
    return bytes(block)


def _qform(affine: Affine) -> tuple[int, float, tuple[float, float, float]]:
    """Return code, qfac and quaternion; code 0 where a rotation cannot say what the affine does."""
    if is_sheared(affine):
        return 0, 1.0, (0.0, 0.0, 0.0)
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    qfac = -1.0 if np.linalg.det(axes) < 0 else 1.0
    # The nearest rotation (polar decomposition), as the axes may be off by rounding.
    left, _, right = np.linalg.svd(axes * [1, 1, qfac])
    return _SCANNER_COORDINATES, qfac, quaternion_of(left @ right)
