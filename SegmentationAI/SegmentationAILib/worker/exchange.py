"""A folder through which host and worker on one machine hand frames to each other, as files.

Why files, and not the named shared memory of `multiprocessing`: after ``kill -9`` POSIX shared
memory stays until the machine restarts (on macOS it cannot even be listed), and the resource
tracker that should prevent this removes segments that the other process still uses. A file in a
folder of the user's own can always be found and deleted, on all systems. It is mapped, so that its
pages are shared as those of shared memory are, and its name is gone as soon as it is mapped: what
remains dies with the processes. The folder goes with the host, with the worker when the host is
gone, and, should both have been killed, at the next start.

Depends on the system: on Windows a mapped file cannot be deleted, and is read instead.
"""

import mmap
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ..core.process_lock import try_lock
from ..resources import OWNER_ONLY
from .protocol import WorkerError

ROOM: Final = "exchange"
LOCK: Final = "lock"
KEY: Final = re.compile(r"[0-9a-f]{32}")
REQUEST: Final = "request"
RESULT: Final = "result"
REMOVE_SECONDS: Final = 3.0


class Exchange:
    """A folder that one host and its worker share.

    Args:
        folder: Exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, key: str, part: str, chunks: Sequence[memoryview]) -> None:
        """Write a frame's pieces under a key; ``part`` is `REQUEST` or `RESULT`.

        Raises:
            OSError: There is no space left, or the folder is gone.
        """
        with os.fdopen(
            os.open(self._path(key, part), os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600),
            "wb",
            buffering=0,
        ) as file:
            for chunk in chunks:
                _write_all(file, chunk)

    def take(self, key: str, part: str, most_bytes: int) -> Any:
        """Return the bytes of a frame and remove its file.

        Raises:
            WorkerError: There is none, or it is larger than ``most_bytes``.
        """
        path = self._path(key, part)
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if not 0 < size <= most_bytes:
                    raise WorkerError(f"{size} bytes were handed over; {most_bytes} are the most.")
                if sys.platform == "win32":
                    whole: Any = file.read()
                else:
                    whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            path.unlink()
        except FileNotFoundError as error:
            raise WorkerError("The volume or the result was not handed over; try again.") from error
        return whole

    def drop(self, key: str) -> None:
        """Remove what is left under a key."""
        for part in (REQUEST, RESULT):
            self._path(key, part).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder and all in it."""
        remove_folder(self.folder)

    def _path(self, key: str, part: str) -> Path:
        if not KEY.fullmatch(key):
            raise WorkerError("A file was named that is not one of the exchange.")
        return self.folder / f"{key}.{part}"


class OwnedExchange(Exchange):
    """The host's side: made anew for its owner alone, and locked for as long as the host lives.

    Args:
        home: Data folder; the exchange lies in it.

    Raises:
        OSError: The folder cannot be made.
    """

    def __init__(self, home: Path) -> None:
        room = home / ROOM
        room.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        clear_leftovers(room)
        super().__init__(room / secrets.token_hex(16))
        self.folder.mkdir(mode=OWNER_ONLY)
        self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try_lock(self._lock)

    def remove(self) -> None:
        """Give up the lock and remove the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        super().remove()


def clear_leftovers(room: Path) -> None:
    """Remove the exchanges whose hosts are gone: those whose lock can be had."""
    for folder in room.iterdir():
        lock = folder / LOCK
        try:
            handle = os.open(lock, os.O_RDWR)
        except OSError:
            # One that is being made has no lock yet; only an old one is a leftover.
            if _age_seconds(folder) > 60:
                remove_folder(folder)
            continue
        is_free = try_lock(handle)
        os.close(handle)
        if is_free:
            remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder, however long Windows says that a file in it is open (at most 3 s)."""
    deadline = time.monotonic() + REMOVE_SECONDS
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists() or time.monotonic() > deadline:
            return
        time.sleep(0.05)


_BINARY: Final = getattr(os, "O_BINARY", 0)


def _write_all(file: Any, chunk: memoryview) -> None:
    while len(chunk):
        chunk = chunk[file.write(chunk) :]


def _age_seconds(folder: Path) -> float:
    try:
        return abs(time.time() - folder.stat().st_mtime)
    except OSError:
        return 0.0
