"""A journal: an append-only file of records that survives the end of its process at any moment.

Every record has a checksum; a last record that is torn is dropped when the file is read, with a
note. One process writes one file and holds its lock, so that two windows never meet in one file.
"""

import json
import os
import secrets
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from .atomic import flush_folder
from .errors import FileFormatError
from .process_lock import try_lock

MAGIC: Final = b"SegmentationAI journal 1\n"
SUFFIX: Final = ".journal"
LARGEST_PART: Final = 1 << 30

_OWNER_ONLY_FILE: Final = 0o600
_OWNER_ONLY_FOLDER: Final = 0o700
_MARK: Final = b"REC1"
# Mark, bytes of the facts, bytes of the payload, CRC-32 of both lengths, the facts and the payload.
_HEAD: Final = struct.Struct("<4sIII")


@dataclass(frozen=True)
class Record:
    """One entry of a journal.

    Attributes:
        kind: What happened, in the words of whoever writes it.
        facts: What JSON can hold.
        payload: Bytes, empty when the facts say everything.
    """

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""


class Journal:
    """The journal of this process: records are on the disk when `append` returns.

    Args:
        folder: Made for the owner alone when absent; gets a new file.

    Raises:
        OSError: The folder or the file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=_OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
        self.path = folder / f"{os.getpid()}-{secrets.token_hex(6)}{SUFFIX}"
        self._file = _new_locked_file(self.path)
        self._end = _write(self._file, 0, MAGIC)

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self._end

    def append(self, records: Iterable[Record]) -> None:
        """Write records in this order; they survive whatever comes after this call.

        Raises:
            OSError: The disk is full or gone; the records before this call are intact, and so is
                what is written after it.
        """
        encoded = b"".join(_encoded(record) for record in records)
        if encoded:
            self._end = _write(self._file, self._end, encoded)

    def replace(self, records: Iterable[Record]) -> None:
        """Make ``records`` all that the journal holds; done whole or not at all.

        Raises:
            OSError: They cannot be written; the journal is as it was.
        """
        temporary = self.path.with_suffix(".new")
        handle = _new_locked_file(temporary)
        try:
            end = _write(handle, 0, MAGIC + b"".join(_encoded(record) for record in records))
            if os.name == "nt":
                # Windows renames over no open file; the lock is taken again at once.
                os.close(self._file)
                os.close(handle)
                temporary.replace(self.path)
                self._file = handle = os.open(self.path, os.O_RDWR | getattr(os, "O_BINARY", 0))
                try_lock(handle)
            else:
                temporary.replace(self.path)
                os.close(self._file)
        except OSError:
            if handle != self._file:
                os.close(handle)
            temporary.unlink(missing_ok=True)
            raise
        self._file, self._end = handle, end
        flush_folder(self.path.parent)

    def close(self, delete: bool = True) -> None:
        """End the journal; by default its file goes, as nothing is left to be restored."""
        if self._file < 0:
            return
        if delete and os.name != "nt":
            self.path.unlink(missing_ok=True)
        os.close(self._file)
        self._file = -1
        if delete:
            self.path.unlink(missing_ok=True)


def read_journal(path: Path) -> tuple[list[Record], tuple[str, ...]]:
    """Return the records of a journal and notes about what was dropped.

    Args:
        path: Not changed. What follows the first torn record is dropped: its place is unknown.

    Raises:
        FileFormatError: The file is not a journal.
    """
    content = path.read_bytes()
    if not content.startswith(MAGIC):
        if MAGIC.startswith(content):
            return [], ("The journal ends within its first line; nothing had been written to it.",)
        raise FileFormatError(
            f"'{path.name}' does not begin as a journal does; it was left alone: remove it."
        )
    records: list[Record] = []
    position = len(MAGIC)
    while position < len(content):
        found = _decoded(content, position)
        if found is None:
            note = (
                f"The last {len(content) - position} bytes of the journal were incomplete and were "
                "dropped: they had not been written to the end."
            )
            return records, (note,)
        record, position = found
        records.append(record)
    return records, ()


def abandoned_journals(folder: Path) -> list[Path]:
    """Return the journals whose process has ended without closing them, oldest first.

    Args:
        folder: May be absent. Half-made replacements in it are removed.
    """
    if not folder.is_dir():
        return []
    abandoned = [path for path in folder.glob(f"*{SUFFIX}") if _is_abandoned(path)]
    for path in folder.glob("*.new"):
        if _is_abandoned(path):
            path.unlink(missing_ok=True)
    return sorted(abandoned, key=lambda path: path.stat().st_mtime_ns)


def _is_abandoned(path: Path) -> bool:
    """Return whether nobody holds the lock of a file."""
    try:
        handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    try:
        return try_lock(handle)
    finally:
        os.close(handle)


def _new_locked_file(path: Path) -> int:
    """Return a descriptor of a new file for the owner alone, locked by this process."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, _OWNER_ONLY_FILE)
    if not try_lock(handle):
        os.close(handle)
        raise OSError(f"{path.name} was locked by another process the moment it was made")
    return handle


def _write(handle: int, position: int, content: bytes) -> int:
    """Write at ``position``, through to the disk; return the new end.

    On an error the file is cut back, so that a later record never follows half of this one.
    """
    try:
        os.lseek(handle, position, os.SEEK_SET)
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, position)
        raise
    return position + len(content)


def _encoded(record: Record) -> bytes:
    facts = json.dumps({"kind": record.kind, **record.facts}, ensure_ascii=False).encode()
    lengths = struct.pack("<II", len(facts), len(record.payload))
    check = zlib.crc32(record.payload, zlib.crc32(facts, zlib.crc32(lengths)))
    return _HEAD.pack(_MARK, len(facts), len(record.payload), check) + facts + record.payload


def _decoded(content: bytes, position: int) -> tuple[Record, int] | None:
    """Return the record at ``position`` and where the next one begins, None when it is torn."""
    if len(content) - position < _HEAD.size:
        return None
    mark, facts_size, payload_size, check = _HEAD.unpack_from(content, position)
    start = position + _HEAD.size
    stop = start + facts_size + payload_size
    if mark != _MARK or max(facts_size, payload_size) > LARGEST_PART or stop > len(content):
        return None
    lengths = content[position + 4 : position + 12]
    if zlib.crc32(content[start:stop], zlib.crc32(lengths)) != check:
        return None
    facts = json.loads(content[start : start + facts_size])
    kind = facts.pop("kind")
    return Record(kind, facts, content[start + facts_size : stop]), stop
