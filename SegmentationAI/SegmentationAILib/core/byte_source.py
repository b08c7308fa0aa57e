"""Where the bytes of a file come from: the file itself, or what it inflates to.

A source gives exactly what is asked for or refuses, and never reads or inflates further. Both
kinds are read by the same header code, which cannot tell them apart.
"""

import os
from collections.abc import Callable
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import FileFormatError
from .volume import Array

# Some writers pad files to full blocks. More than this, or other bytes, is content that the
# header does not tell of, and a file is read whole or refused.
LARGEST_PADDING = 1 << 16
BLOCK = 1 << 22


class ByteSource(Protocol):
    """Bytes in order, from the first to the last."""

    @property
    def most_bytes(self) -> int:
        """How many more bytes there can be at the very most."""

    def read_exactly(self, count: int) -> bytes:
        """Return the next ``count`` bytes, or refuse."""

    def fill(self, array: Array) -> None:
        """Fill a contiguous array with the next bytes, or refuse."""

    def finish(self, tail_limit: int = 0) -> bytes:
        """Return what follows (at most ``tail_limit`` bytes), or refuse; verify all checksums."""


class PlainSource:
    """The bytes of an uncompressed file.

    Args:
        file: Opened for reading, from where the bytes are wanted; stays the caller's to close.
        name: Name of the file, for messages.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name

    @property
    def most_bytes(self) -> int:
        """Bytes from here to the end of the file."""
        return os.fstat(self._file.fileno()).st_size - self._file.tell()

    def read_exactly(self, count: int) -> bytes:
        """Return the next ``count`` bytes.

        Raises:
            FileFormatError: The file ends before.
        """
        taken = self._file.read(count)
        if len(taken) != count:
            raise cut_off(self._name)
        return taken

    def fill(self, array: Array) -> None:
        """Fill a contiguous ``array`` with the next bytes.

        Raises:
            FileFormatError: The file ends before.
        """
        view = byte_view(array)
        at = 0
        while at < len(view):
            taken = self._file.readinto(view[at:])  # type: ignore[attr-defined]
            if not taken:
                raise cut_off(self._name)
            at += taken

    def finish(self, tail_limit: int = 0) -> bytes:
        """Return what follows the voxels, at most ``tail_limit`` bytes.

        Raises:
            FileFormatError: More follows, and it is not padding.
        """
        return rest(self._file.read, tail_limit, self._name)


def byte_view(array: Array) -> memoryview:
    """Return the memory of a contiguous array as writable bytes."""
    flat = array.reshape(-1, order="A")
    if not np.shares_memory(flat, array):
        raise ValueError("only a contiguous array can be filled")
    as_bytes: NDArray[np.uint8] = flat.view(np.uint8)
    return as_bytes.data


def rest(read: Callable[[int], bytes], tail_limit: int, name: str) -> bytes:
    """Return what is left to read, at most ``tail_limit`` bytes; zero padding is left out.

    Args:
        read: Returns up to that many next bytes, none at the end.
        tail_limit: How much content may follow the voxels.
        name: Name of the file, for the message.

    Raises:
        FileFormatError: More than the limit follows, and it is not padding.
    """
    limit = max(tail_limit, LARGEST_PADDING)
    tail = b""
    while len(tail) <= limit:
        more = read(limit + 1 - len(tail))
        if not more:
            break
        tail += more
    if len(tail) <= tail_limit or (len(tail) <= limit and not tail.strip(b"\0")):
        return tail[:tail_limit]
    raise FileFormatError(
        f"{name} holds more bytes than its header tells of; a file is read whole or not at all: "
        "export it again."
    )


def cut_off(name: str) -> FileFormatError:
    """Return the refusal of a file that ends too early."""
    return FileFormatError(
        f"{name} is cut off: it ends before the voxels that its header claims; copy or export it "
        "again."
    )
