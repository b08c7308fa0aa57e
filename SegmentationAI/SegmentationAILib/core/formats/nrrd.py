"""NRRD, one file (.nrrd) or a header with its data file beside it (.nhdr), without a library.

Raw and gzip encodings are read; ascii, hex and bzip2, which scans are not kept in, are refused.
"""

import math
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from ..admission import check_available, check_sizes, open_regular, shown_name
from ..byte_source import ByteSource, PlainSource
from ..errors import FileFormatError
from ..gzip_stream import InflatedSource
from ..parallel_deflate import deflate_in_parallel
from ..volume import Affine, Array, Volume
from ..voxel_order import file_blocks
from .nrrd_header import NrrdHeader, dtype_to_store, header_text, read_header, type_name
from .nrrd_place import affine_and_notes, channel_axis, lps_fields

_GZIP: Final = ("gzip", "gz")
# Several files in one volume, which NRRD spells as "slice%03d.raw 1 20 1".
_PATTERN: Final = re.compile(r"%[0-9]*d")
LONGEST_SKIPPED_LINE: Final = 1 << 20


@dataclass(frozen=True, eq=False)
class NrrdContent:
    """Everything an NRRD file says.

    Attributes:
        voxels: ``(C, I, J, K)``; C counts channels or layers.
        affine: Voxel centers to RAS mm, ``(4, 4)``; may be sheared.
        pairs: Its own keys and values.
        notes: Sentences about what was assumed.
    """

    voxels: Array
    affine: Affine
    pairs: Mapping[str, str]
    notes: tuple[str, ...]


def read(path: Path) -> Volume:
    """Return the volume of a ``.nrrd`` or ``.nhdr`` file; a list or vector axis becomes channels.

    Raises:
        FileFormatError: The file is damaged, cut off, hostile, or of a kind that is not read.
        GeometryError: The header does not place its voxels.
        MemoryBudgetError: The volume does not fit the memory.
    """
    content = read_content(path)
    return Volume(content.voxels, content.affine, content.notes)


def read_content(path: Path) -> NrrdContent:
    """Return voxels, place and own keys of an NRRD file; raises as `read` does."""
    name = shown_name(path)
    with ExitStack() as files:
        file = files.enter_context(open_regular(path))
        header = read_header(file, name)
        affine, notes = affine_and_notes(header)
        if "data file" in header.fields:
            data_path = _data_path(header, path)
            file = files.enter_context(open_regular(data_path))
        return NrrdContent(_voxels(header, file), affine, header.pairs, notes)


def write(volume: Volume, path: Path, name: str = "") -> None:
    """Write ``.nrrd``, gzip; several channels become a vector axis, as Slicer has it.

    Args:
        volume: Not changed.
        path: Where to.
        name: What the file will be called, for messages; empty for the name of ``path``.

    Raises:
        FileFormatError: NRRD has no voxels of this type.
    """
    kind = "vector" if volume.channels > 1 else None
    fields = fields_of(volume.voxels, volume.affine, kind, name or shown_name(path))
    with path.open("wb") as file:
        file.write(header_text(fields, {}))
        write_voxels(file, volume.voxels)


def write_detached(
    volume: Volume, header_path: Path, data_path: Path, data_name: str, name: str = ""
) -> None:
    """Write a ``.nhdr`` header and its data file.

    Args:
        volume: What to write.
        header_path: Where the header goes.
        data_path: Where the voxels go.
        data_name: Plain name by which the header will find the voxels beside it.
        name: What the header will be called, for messages; empty for what it is called now.

    Raises:
        FileFormatError: NRRD has no voxels of this type.
    """
    kind = "vector" if volume.channels > 1 else None
    fields = fields_of(volume.voxels, volume.affine, kind, name or shown_name(header_path))
    header_path.write_bytes(header_text({**fields, "data file": data_name}, {}))
    with data_path.open("wb") as file:
        write_voxels(file, volume.voxels)


def fields_of(voxels: Array, affine: Affine, fourth_kind: str | None, name: str) -> dict[str, str]:
    """Return the fields of a header for voxels ``(C, I, J, K)``.

    Args:
        voxels: What will be written by `write_voxels`.
        affine: Voxel centers to RAS mm.
        fourth_kind: What the first axis of the file holds (``vector``, ``list``), None when there
            is one channel and no such axis.
        name: Name of the file, for the message.

    Raises:
        FileFormatError: NRRD has no voxels of this type.
    """
    try:
        dtype = dtype_to_store(voxels.dtype)
    except ValueError as error:
        raise FileFormatError(
            f"{name} cannot be written: NRRD has no voxels of type {voxels.dtype}; convert them "
            "first."
        ) from error
    directions, origin = lps_fields(affine)
    channels, *sizes = voxels.shape
    first = ([str(channels)], ["none"], [fourth_kind]) if fourth_kind else ([], [], [])
    return {
        "type": type_name(dtype),
        "dimension": str(3 + bool(fourth_kind)),
        "space": "left-posterior-superior",
        "sizes": " ".join([*first[0], *map(str, sizes)]),
        "space directions": " ".join([*first[1], *directions]),
        "kinds": " ".join([*first[2], "domain", "domain", "domain"]),
        "endian": "little",
        "encoding": "gzip",
        "space origin": origin,
    }


def write_voxels(file: BinaryIO, voxels: Array) -> None:
    """Write voxels ``(C, I, J, K)`` behind a header, channels side by side, gzip."""
    deflate_in_parallel(file, file_blocks(voxels, dtype_to_store(voxels.dtype), interleaved=True))


def _voxels(header: NrrdHeader, file: BinaryIO) -> Array:
    """Return voxels ``(C, I, J, K)`` in native byte order from the opened data."""
    axis, sizes, dtype = channel_axis(header), header.integers("sizes"), header.dtype()
    spatial = [n for at, n in enumerate(sizes) if at != axis]
    channels = 1 if axis is None else sizes[axis]
    count = math.prod(sizes)
    if min(sizes) > 0:
        # Deflate cannot shrink more than 1032-fold: a claim beyond that is refused unread.
        source = _source(header, file, count * dtype.itemsize)
        check_available(count * dtype.itemsize, source.most_bytes, header.name)
    check_sizes((*spatial, channels), dtype.itemsize, header.name)
    flat: Array = np.empty(count, dtype)
    source.fill(flat)
    source.finish()
    if not dtype.isnative:
        flat = flat.byteswap(inplace=True).view(dtype.newbyteorder("="))
    array: Array = flat.reshape(sizes, order="F")
    voxels: Array = array[None] if axis is None else np.moveaxis(array, axis, 0)
    return voxels


def _source(header: NrrdHeader, file: BinaryIO, needed: int) -> ByteSource:
    """Return the voxels' bytes behind what the header says to skip."""
    encoding = header.required("encoding").lower()
    lines, skipped = header.integer("line skip", 0), header.integer("byte skip", 0)
    if encoding in _GZIP and not lines and not skipped:
        return InflatedSource(file, header.name)
    if encoding != "raw":
        skip = " with lines or bytes to skip" if encoding in _GZIP else ""
        raise header.refusal(
            f"has the encoding '{encoding[:40]}'{skip}", "raw or gzip was expected"
        )
    source = PlainSource(file, header.name)
    if lines < 0 or skipped < -1:
        raise header.refusal("skips a negative number of bytes", "0 or more was expected")
    for _ in range(lines):
        _skip_line(header, file)
    if skipped == -1:  # the voxels are what stands last in the file
        skipped = max(0, source.most_bytes - needed)
    if skipped > source.most_bytes:
        raise header.refusal(f"skips {skipped} bytes", f"it has {source.most_bytes} of them")
    file.seek(skipped, 1)
    return source


def _skip_line(header: NrrdHeader, file: BinaryIO) -> None:
    start = file.tell()
    block = file.read(LONGEST_SKIPPED_LINE)
    end = block.find(b"\n")
    if end < 0:
        raise header.refusal("skips more lines than there are", "fewer were expected")
    file.seek(start + end + 1)


def is_plain_name(named: str) -> bool:
    """Return whether a header may name this data file: one file beside it, and nothing else."""
    return (
        not set(named) & set("/\\:\0\n\r")
        and named == named.strip()
        and named not in ("", ".", "..")
        and not named.upper().startswith("LIST")
        and not _PATTERN.search(named)
    )


def _data_path(header: NrrdHeader, path: Path) -> Path:
    """Return the data file beside the header; whatever could lead elsewhere is refused.

    Raises:
        FileFormatError: The header names a path, an address, a list, a pattern, itself or a link.
    """
    named = header.required("data file")
    data_path = path.parent / named if is_plain_name(named) else path
    # `path` itself stands for every refusal: a header is never its own data.
    if data_path.is_symlink() or (data_path.exists() and data_path.samefile(path)):
        raise header.refusal(
            f"names the data file {_printable(named)!r}",
            "the plain name of one file beside the header was expected",
        )
    return data_path


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:60])
