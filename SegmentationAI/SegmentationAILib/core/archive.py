"""Zip archives written by others: the one place where an archive is unpacked.

The whole directory is checked before the first byte is written: every name, kind, size and ratio.
The advisories behind this (GHSA-x6ww-pf9m-m73m, GHSA-9rg3-9pvr-6p27) were the same mistake made
twice in two places, hence one function for the whole program.
"""

import errno
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Final

from .errors import WeightsError
from .progress import IGNORE, Progress

MAX_MEMBERS: Final = 1000
MAX_DIRECTORY_BYTES: Final = 1 << 20
MAX_TOTAL_BYTES: Final = 8 << 30
MAX_RATIO: Final = 100
SMALL_MEMBER: Final = 64 << 10
MAX_NAME: Final = 200
CHUNK: Final = 1 << 20

_END_OF_DIRECTORY = b"PK\x05\x06"
_RESERVED_ON_WINDOWS = {"con", "prn", "aux", "nul"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(10)
}
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    OverflowError,
    IndexError,
)


@dataclass(frozen=True)
class _Member:
    info: zipfile.ZipInfo
    path: PurePosixPath


def extract(archive: Path, target: Path, progress: Progress = IGNORE) -> tuple[Path, ...]:
    """Unpack ``archive`` into ``target`` and return the files written.

    Args:
        archive: A zip file.
        target: An empty folder of the caller's; after an error the caller removes it.
        progress: Told after each megabyte.

    Raises:
        WeightsError: The archive is damaged, or has a member that is a link or device, leaves the
            folder, clashes with another on a system that ignores case, or inflates too much. No
            member is written when one of them is refused.
        ValueError: ``target`` is not an empty folder.
    """
    if not target.is_dir() or any(target.iterdir()):
        raise ValueError("an archive is unpacked into an empty folder only")
    with opened_archive(archive) as source:
        members = _checked_members(source, archive)
        total = sum(member.info.file_size for member in members) or 1
        written, done = [], 0
        for member in members:
            place = target.joinpath(*member.path.parts)
            if member.info.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with source.open(member.info) as packed, place.open("xb") as plain:
                done = _copy(packed, plain, done, total, progress)
            written.append(place)
    return tuple(written)


@contextmanager
def opened_archive(archive: Path) -> Iterator[zipfile.ZipFile]:
    """Yield the open zip file; every way in which it can be damaged becomes a `WeightsError`.

    Raises:
        WeightsError: Damaged, or its directory is too long to be looked at.
    """
    try:
        _check_directory_size(archive)
        with zipfile.ZipFile(archive) as source:
            yield source
    except OSError as error:
        # A directory that points before the file's beginning shows as an invalid seek.
        if error.errno != errno.EINVAL:
            raise
        raise WeightsError(f"The archive {archive.name} is damaged: {error}.") from error
    except _DAMAGED as error:
        raise WeightsError(f"The archive {archive.name} is damaged: {error}.") from error


def member_names(archive: Path) -> tuple[str, ...]:
    """Return the names in the archive's directory, unchecked: for looking at, not for writing."""
    with opened_archive(archive) as source:
        return tuple(info.orig_filename for info in source.infolist())


def _check_directory_size(archive: Path) -> None:
    """Refuse a directory of 10^5 members before the library builds an object for each."""
    size = archive.stat().st_size
    with archive.open("rb") as stream:
        stream.seek(max(0, size - (1 << 16) - 22))
        tail = stream.read()
    start = tail.rfind(_END_OF_DIRECTORY)
    if start < 0 or len(tail) < start + 22:
        raise WeightsError(f"{archive.name} is not a zip archive, or its end is missing.")
    members, directory_bytes = struct.unpack_from("<HI", tail, start + 10)
    if members > MAX_MEMBERS or directory_bytes > MAX_DIRECTORY_BYTES:
        raise WeightsError(
            f"The archive {archive.name} lists {members} or more members; a network has a few "
            f"and at most {MAX_MEMBERS} are read."
        )


def _checked_members(source: zipfile.ZipFile, archive: Path) -> list[_Member]:
    infos = source.infolist()
    if len(infos) > MAX_MEMBERS:
        raise WeightsError(f"The archive {archive.name} has {len(infos)} members; it was refused.")
    members = [_checked_member(info, archive) for info in infos]
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL_BYTES:
        raise WeightsError(f"The archive {archive.name} inflates to {total} bytes; refused.")
    _check_clashes(members, archive)
    return members


def _checked_member(info: zipfile.ZipInfo, archive: Path) -> _Member:
    path, reason = _path_of(info.orig_filename)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if not reason and kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        reason = "it is a link or a device"
    if not reason and info.flag_bits & 1:
        reason = "it is encrypted"
    if not reason and info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        reason = f"it is packed by method {info.compress_type}"
    if not reason and info.file_size > max(SMALL_MEMBER, MAX_RATIO * info.compress_size):
        reason = f"{info.compress_size} bytes inflate to {info.file_size}"
    if reason:
        shown = ascii(info.orig_filename[:80])
        raise WeightsError(
            f"The archive {archive.name} was refused for its member {shown}: {reason}."
        )
    return _Member(info, path)


def _path_of(name: str) -> tuple[PurePosixPath, str]:
    """Return the path inside the target folder and why it is refused, empty when it is not."""
    path = PurePosixPath(name)
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or "\\" in name or ":" in name:
        return path, "its path is not relative"
    if any(part in ("", ".", "..") for part in parts):
        return path, "its path leaves the folder or has an empty part"
    if len(name) > MAX_NAME or any(unicodedata.category(letter)[0] == "C" for letter in name):
        return path, "its name is too long or has control characters"
    if any(part[-1] in ". " or part.split(".")[0].casefold() in _RESERVED_ON_WINDOWS
           for part in parts):  # fmt: skip
        return path, "its name means something else on another system"
    return path, ""


def _check_clashes(members: list[_Member], archive: Path) -> None:
    """Refuse two members that would be one file, also where case is ignored."""
    files: dict[str, str] = {}
    folders: set[str] = set()
    for member in members:
        key = _folded(member.path)
        folders |= {_folded(parent) for parent in member.path.parents}
        if member.info.is_dir():
            folders.add(key)
        elif key in files:
            raise WeightsError(
                f"The archive {archive.name} was refused: {str(member.path)!a} and "
                f"{files[key]!a} are the same file where case is ignored."
            )
        else:
            files[key] = str(member.path)
    for key in files.keys() & folders:
        raise WeightsError(
            f"The archive {archive.name} was refused: {files[key]!a} is both file and folder."
        )


def _folded(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFKC", str(path)).casefold()


def _copy(packed: IO[bytes], plain: BinaryIO, done: int, total: int, progress: Progress) -> int:
    """Return ``done`` raised by the bytes copied."""
    while chunk := packed.read(CHUNK):
        plain.write(chunk)
        done += len(chunk)
        progress(min(1.0, done / total), "Unpacking")
    return done
