"""FreeSurfer's MGH format, plain or gzip (``.mgz``), read and written without a library.

Source: FreeSurfer wiki, "MghFormat": 284 bytes of big-endian header, voxels, optional tags.
"""

import math
import struct
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..admission import (
    check_available,
    check_sizes,
    check_spacing,
    checked_affine,
    open_regular,
    shown_name,
)
from ..byte_source import ByteSource, PlainSource
from ..errors import FileFormatError
from ..gzip_stream import GZIP_MAGIC, InflatedSource
from ..parallel_deflate import deflate_in_parallel
from ..volume import Affine, Array, Volume
from ..voxel_order import file_blocks, from_file_order

_HEADER = struct.Struct(">7ih15f")
_HEADER_BYTES = 284
_VERSION = 1
_DTYPES = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
_REFUSED_TYPES = {2: "long", 5: "bitmap", 6: "tensor", 7: "complex (double)", 11: "complex"}
# Every reader takes these; unsigned 16 bits (code 10) came with FreeSurfer 7.
_WRITTEN_TYPES = {np.dtype(t): code for code, t in _DTYPES.items() if code != 10}
_INTEGERS_BY_SIZE = (np.dtype(np.uint8), np.dtype(np.int16), np.dtype(np.int32))
# Scan parameters and the command history follow the voxels.
LARGEST_TAGS = 1 << 24
# What FreeSurfer assumes where the header does not place the voxels: coronal slices of 1 mm.
_UNPLACED = (1.0, 1.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
_UNPLACED_NOTE = (
    "The header does not say where the scan lies; coronal slices of 1 mm around the origin were "
    "taken, as FreeSurfer does."
)


def read(path: Path) -> Volume:
    """Return the volume of an ``.mgz`` or ``.mgh`` file in its stored dtype; frames are channels.

    Raises:
        FileFormatError: The file is damaged, cut off, or of a kind that is not read.
        GeometryError: The header does not place its voxels.
        MemoryBudgetError: The volume does not fit the memory.
    """
    name = shown_name(path)
    with open_regular(path) as file:
        is_deflated = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        source: ByteSource = InflatedSource(file, name) if is_deflated else PlainSource(file, name)
        if source.most_bytes < _HEADER_BYTES:
            raise _no_mgh(name)
        fields = _HEADER.unpack_from(source.read_exactly(_HEADER_BYTES))
        version, i, j, k, frames, code, _, is_placed = fields[:8]
        if version != _VERSION:
            raise _no_mgh(name)
        if is_placed not in (0, 1):
            raise FileFormatError(
                f"{name} says {is_placed} where it has to say 0 or 1 (goodRASFlag): the header is "
                "damaged; export it again."
            )
        sizes = (i, j, k)
        dtype = _dtype(code, name)
        affine = _affine(fields[8:] if is_placed else _UNPLACED, sizes, name)
        check_sizes((*sizes, frames), 0, name)
        count = math.prod(sizes) * frames
        check_available(count * dtype.itemsize, source.most_bytes, name)
        check_sizes((*sizes, frames), dtype.itemsize, name)
        flat: Array = np.empty(count, dtype)
        source.fill(flat)
        source.finish(LARGEST_TAGS)
    notes = () if is_placed else (_UNPLACED_NOTE,)
    return Volume(from_file_order(flat, sizes, frames), affine, notes)


def write(volume: Volume, path: Path, name: str = "") -> None:
    """Write ``.mgz``, or ``.mgh`` when the name ends so; values are kept or nothing is written.

    Args:
        volume: Not changed.
        path: Where to.
        name: What the file will be called, for messages; empty for the name of ``path``.

    Raises:
        FileFormatError: The values do not fit 32-bit integers or float32 exactly.
    """
    dtype = _written_dtype(volume.voxels, name or shown_name(path))
    channels, *sizes = volume.voxels.shape
    directions = volume.affine[:3, :3] / np.asarray(volume.spacing)
    center = volume.grid.ras_from_ijk(np.array([sizes], float) / 2)[0]
    header = _HEADER.pack(
        _VERSION, *sizes, channels, _WRITTEN_TYPES[dtype], 0, 1,
        *volume.spacing, *directions.T.ravel(), *center,
    ).ljust(_HEADER_BYTES, b"\0")  # fmt: skip
    with path.open("wb") as file:
        blocks = file_blocks(volume.voxels, dtype)
        if path.name.lower().endswith(".mgh"):
            file.write(header)
            for block in blocks:
                file.write(block.tobytes())
        else:
            deflate_in_parallel(file, chain([header], blocks), effort="small")


def _no_mgh(name: str) -> FileFormatError:
    return FileFormatError(
        f"{name} is no MGH file: it does not begin with the header of version 1; check the file, "
        "or export it again."
    )


def _dtype(code: int, name: str) -> np.dtype[Any]:
    if code in _DTYPES:
        return np.dtype(_DTYPES[code])
    found = _REFUSED_TYPES.get(code, f"unknown type code {code}")
    raise FileFormatError(
        f"{name} stores {found}; uint8, int16, uint16, int32 or float32 was expected: convert it "
        "to one of these."
    )


def _affine(place: tuple[float, ...], sizes: tuple[int, int, int], name: str) -> Affine:
    """Return the affine to RAS mm from spacing, three directions and the center of the grid."""
    spacing, directions, center = place[:3], np.reshape(place[3:12], (3, 3)).T, place[12:15]
    check_spacing(spacing, name)
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = np.asarray(center) - affine[:3, :3] @ (np.array(sizes, float) / 2)
    return checked_affine(affine, name)


def _written_dtype(voxels: Array, name: str) -> np.dtype[Any]:
    """Return the smallest dtype of the format that holds every value exactly, big-endian."""
    found = voxels.dtype
    wanted: np.dtype[Any] | None = None
    if found in _INTEGERS_BY_SIZE or found == np.float32:
        wanted = found
    elif found.kind in "biu":
        lowest, highest = int(voxels.min()), int(voxels.max())
        fitting = (
            d for d in _INTEGERS_BY_SIZE
            if np.iinfo(d).min <= lowest and highest <= np.iinfo(d).max
        )  # fmt: skip
        wanted = next(fitting, None)
    elif found.kind == "f" and np.array_equal(voxels.astype("f4"), voxels, equal_nan=True):
        wanted = np.dtype(np.float32)
    if wanted is None:
        raise FileFormatError(
            f"{name} cannot be written: its {found} values do not fit the 32 bits that the MGH "
            "format has; write .nrrd or .nii.gz instead."
        )
    return wanted.newbyteorder(">")
