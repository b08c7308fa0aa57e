"""The index of a study: one SQLite file, opened for one transaction at a time.

A rollback journal rather than a write-ahead log: WAL needs memory that all programs share, which
network disks lack, and leaves two more files without which a copy of the index is not whole. Here
transactions are small and rare, and what counts is that each is on the disk when it returns:
``synchronous = EXTRA`` also flushes the folder after the journal is removed
(https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ...core.errors import SegmentationAIError

INDEX: Final = "study.sqlite"
BUSY_SECONDS: Final = 30.0

_SETTINGS: Final = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = EXTRA",
)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that sees one state of the index throughout.

    Args:
        path: The index.

    Raises:
        SegmentationAIError: It is not there, damaged, or another window keeps it too long.
    """
    with _connection(path) as connection:
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.rollback()


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection whose changes are all on the disk when the block ends, or none is.

    Args:
        path: The index.

    Raises:
        SegmentationAIError: As for `reading`.
    """
    with _connection(path) as connection:
        # IMMEDIATE takes the lock now: what the block reads cannot change before it writes.
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.rollback()
            raise
        connection.commit()


@contextmanager
def _connection(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise SegmentationAIError(
            f"{path.parent.name} is not a study: it has no {INDEX}; make one with: "
            "segmentationai relabel init"
        )
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        for setting in _SETTINGS:
            connection.execute(setting)
        yield connection
    except sqlite3.Error as error:
        raise _sentence(error, path.parent.name) from error
    finally:
        if connection is not None:
            connection.close()


def _sentence(error: sqlite3.Error, study: str) -> SegmentationAIError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return SegmentationAIError(
            f"Another window has been writing to the study {study} for {BUSY_SECONDS:.0f} s; "
            "nothing was changed: try again when it is done."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return SegmentationAIError(
            f"The index of the study {study} is damaged ({error}); restore {INDEX} from a backup. "
            "The label files are not touched."
        )
    if code == sqlite3.SQLITE_FULL:
        return SegmentationAIError(
            f"There is no space left for the index of the study {study}; nothing was changed: "
            "free some space."
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return SegmentationAIError(
            f"The index of the study {study} cannot be written; ask for the permission to write "
            "in its folder."
        )
    return SegmentationAIError(f"The index of the study {study} cannot be used: {error}.")
