"""What lies in an environment's folder: how much, whether all of it, and who is using it."""

import csv
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from ..core.errors import WeightsError
from ..core.folder_lock import locked
from ..core.process_lock import try_lock
from ..core.progress import IGNORE, Progress
from .environment_error import WorkerEnvironmentError

USERS: Final = "users"
SECONDS_FOR_LOCK: Final = 2.0


def bytes_in(folder: Path) -> int:
    """Return the size of all files under a folder, 0 when it is not there."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - 3x faster
            except FileNotFoundError:
                continue
    return total


def site_folder(venv: Path, version: tuple[int, int]) -> Path:
    """Return where a virtual environment keeps its packages."""
    if os.name == "nt":
        return venv / "Lib" / "site-packages"
    return venv / "lib" / f"python{version[0]}.{version[1]}" / "site-packages"


def damage_of(packages: Path) -> str:
    """Return the first file that is missing or of another size than installed, empty when none is.

    Every package lists its files with their sizes. Scripts outside the folder do not count: they
    name the folder in which they were made, so that they are taken away.
    """
    for listing in sorted(packages.glob("*.dist-info/RECORD")):
        with listing.open(encoding="utf-8", newline="") as stream:
            for row in csv.reader(stream):
                if len(row) != 3 or not row[2] or row[0].startswith((".", "/", "bin/")):
                    continue
                file = packages / row[0]
                if not file.is_file() or file.stat().st_size != int(row[2]):
                    return f"{listing.parent.name.split('-')[0]}: {row[0]}"
    return ""


def remove_scripts(venv: Path) -> None:
    """Remove the start scripts: they name the folder in which they were made."""
    folder = venv / ("Scripts" if os.name == "nt" else "bin")
    for path in folder.iterdir():
        if not path.name.lower().startswith("python") and not path.is_dir():
            path.unlink()


@contextmanager
def exclusively(folder: Path, progress: Progress = IGNORE) -> Iterator[None]:
    """Hold a folder's lock during the block.

    Raises:
        WorkerEnvironmentError: Somebody else holds it.
    """
    with ExitStack() as until_end:
        try:
            until_end.enter_context(locked(folder, SECONDS_FOR_LOCK, progress))
        except WeightsError as error:
            raise WorkerEnvironmentError(
                "busy",
                "Another program is changing the worker's environment at this moment.",
                "Wait until it is done, and try again.",
            ) from error
        yield


@contextmanager
def used(folder: Path) -> Iterator[None]:
    """Mark an environment as in use during the block; the mark ends with the process.

    One file per user, locked, because Windows has no lock that several can share.
    """
    users = folder / USERS
    users.mkdir(exist_ok=True)
    mark = users / f"{os.getpid()}-{secrets.token_hex(4)}"
    handle = os.open(mark, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try_lock(handle)
        yield
    finally:
        os.close(handle)
        mark.unlink(missing_ok=True)


def is_used(folder: Path) -> bool:
    """Whether a living process uses an environment; marks of dead ones are removed."""
    users = folder / USERS
    for mark in users.iterdir() if users.is_dir() else ():
        handle = os.open(mark, os.O_RDWR)
        try:
            if not try_lock(handle):
                return True
        finally:
            os.close(handle)
        mark.unlink(missing_ok=True)
    return False


def remove(folder: Path) -> None:
    """Remove a folder that may be half there."""
    if folder.exists():
        shutil.rmtree(folder)
