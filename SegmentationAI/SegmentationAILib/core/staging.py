"""Folders that appear whole or not at all: filled under a hidden name, then renamed into place.

All of it happens under the lock of the folder above, so that a hidden folder which is there when
the lock is taken was left by a process that ended, and can go.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .atomic import flush_folder

STAGING: Final = ".staging-"
REMOVED: Final = ".removed-"


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Give an empty hidden folder inside ``folder`` for the block; it is removed afterwards."""
    staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=folder))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def publish(ready: Path, final: Path) -> None:
    """Rename the folder ``ready`` to ``final``, everything in it being on the disk before.

    Raises:
        OSError: ``final`` exists, or the disk refuses.
    """
    _flush(ready)
    ready.rename(final)
    flush_folder(final.parent)


def exchange(ready: Path, final: Path) -> None:
    """Put the folder ``ready`` in the place of ``final``, all of it being on the disk before.

    Raises:
        OSError: The disk refuses; ``final`` is as it was.
    """
    _flush(ready)
    hidden = Path(tempfile.mkdtemp(prefix=REMOVED, dir=final.parent))
    try:
        final.rename(hidden / final.name)
        try:
            ready.rename(final)
        except OSError:
            (hidden / final.name).rename(final)
            raise
        flush_folder(final.parent)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def discard(final: Path) -> None:
    """Remove the folder ``final``: out of sight in one step, then file by file."""
    hidden = Path(tempfile.mkdtemp(prefix=REMOVED, dir=final.parent))
    final.rename(hidden / final.name)
    shutil.rmtree(hidden)


def clear_leftovers(folder: Path) -> None:
    """Remove what processes that were killed left in ``folder``; its lock is held."""
    for path in folder.iterdir():
        if path.name.startswith((STAGING, REMOVED)):
            shutil.rmtree(path, ignore_errors=True)


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())
