"""Deflated bytes, inflated with a bound and verified; writing is in `parallel_deflate`.

No more is ever inflated than was asked for, so a bomb costs what its header may claim and no more.
All members of a gzip file are read, and each one's checksum and length is verified: a file that
ends early, or has one flipped bit, is refused and never becomes data.
Formats: RFC 1950 (zlib), RFC 1951 (deflate), RFC 1952 (gzip).
"""

import os
import zlib
from typing import Any, BinaryIO, Literal

from .admission import LARGEST_INFLATION
from .byte_source import byte_view, cut_off, rest
from .errors import FileFormatError
from .volume import Array

try:
    from isal import isal_zlib

    _engines: Any = isal_zlib
except ImportError:  # slower, the same content; `speed_note` says so
    _engines = zlib

Container = Literal["gzip", "zlib"]
GZIP_MAGIC = b"\x1f\x8b"
_WINDOW_BITS = {"gzip": 31, "zlib": 15}
# Measured on 21 MB of CT: 64 KiB in and 1 MiB out is as fast as inflating all in one call.
_COMPRESSED_BLOCK = 1 << 16
_INFLATED_BLOCK = 1 << 20
# bgzip ends with one empty member; a file of nothing but empty members is made to waste time.
_MOST_EMPTY_MEMBERS = 1000


def speed_note() -> tuple[str, ...]:
    """Return a sentence when compression runs without isal, nothing otherwise."""
    if _engines is not zlib:
        return ()
    return ("Compressed with zlib, since isal is not installed: slower, the same content.",)


class InflatedSource:
    """What a compressed file inflates to.

    Args:
        file: Opened for reading where the compressed bytes begin; stays the caller's to close.
        name: Name of the file, for messages.
        container: What the deflated bytes are wrapped in.
        stored_bytes: How many compressed bytes there are, None for all up to the end of the file.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        container: Container = "gzip",
        stored_bytes: int | None = None,
    ) -> None:
        in_file = os.fstat(file.fileno()).st_size - file.tell()
        self._file = file
        self._name = name
        self._container = container
        self._left_in_file = in_file if stored_bytes is None else min(stored_bytes, in_file)
        self._waiting = b""
        self._engine = self._new_engine()
        self._empty_members = 0
        self._in_member = 0

    @property
    def most_bytes(self) -> int:
        """Bytes that the rest of the file can inflate to at the very most."""
        return LARGEST_INFLATION * (self._left_in_file + _COMPRESSED_BLOCK)

    def read_exactly(self, count: int) -> bytes:
        """Return the next ``count`` bytes.

        Raises:
            FileFormatError: The file is damaged, or ends before.
        """
        taken = bytearray()
        while len(taken) < count:
            more = self._more(min(count - len(taken), _INFLATED_BLOCK))
            if not more:
                raise cut_off(self._name)
            taken += more
        return bytes(taken)

    def fill(self, array: Array) -> None:
        """Fill a contiguous ``array`` with the next bytes.

        Raises:
            FileFormatError: The file is damaged, or ends before.
        """
        view = byte_view(array)
        at = 0
        while at < len(view):
            more = self._more(min(len(view) - at, _INFLATED_BLOCK))
            if not more:
                raise cut_off(self._name)
            view[at : at + len(more)] = more
            at += len(more)

    def finish(self, tail_limit: int = 0) -> bytes:
        """Return what follows, at most ``tail_limit`` bytes, and verify the last checksum.

        Raises:
            FileFormatError: The file is damaged or cut off, or holds more.
        """
        return rest(self._more, tail_limit, self._name)

    def _more(self, limit: int) -> bytes:
        """Return up to ``limit`` next bytes, none at the verified end of the last member."""
        while True:
            if self._engine.eof and not self._next_member():
                return b""
            stored = self._waiting or self._engine.unconsumed_tail or self._stored()
            self._waiting = b""
            try:
                inflated: bytes = self._engine.decompress(stored, limit)
            except (_engines.error, zlib.error) as error:
                raise FileFormatError(
                    f"{self._name} is damaged: its compressed data fails its checksum or cannot "
                    "be inflated; copy or export it again."
                ) from error
            if inflated:
                self._in_member += len(inflated)
                return inflated
            if not stored and not self._engine.eof:
                raise cut_off(self._name)

    def _next_member(self) -> bool:
        """Begin the next member after one has ended; return whether there is one."""
        left = self._waiting or self._engine.unused_data or self._stored()
        while left and not left.strip(b"\0"):  # padding, as gzip itself allows
            left = self._stored()
        if not left:
            return False
        if len(left) < len(GZIP_MAGIC):
            left += self._stored()
        self._empty_members += self._in_member == 0
        is_member = self._container == "gzip" and left.startswith(GZIP_MAGIC)
        if not is_member or self._empty_members > _MOST_EMPTY_MEMBERS:
            raise FileFormatError(
                f"{self._name} has bytes after its compressed data that are not part of it; a "
                "file is read whole or not at all: export it again."
            )
        self._in_member = 0
        self._engine = self._new_engine()
        self._waiting = left
        return True

    def _stored(self) -> bytes:
        """Return the next compressed bytes, none at their end."""
        stored = self._file.read(min(_COMPRESSED_BLOCK, self._left_in_file))
        self._left_in_file -= len(stored)
        return stored

    def _new_engine(self) -> Any:
        return _engines.decompressobj(wbits=_WINDOW_BITS[self._container])
