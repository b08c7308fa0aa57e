"""The tables of a study's index, and the check that a file has these and no others.

Versions are append-only by the database's own triggers: no code of ours, and no other program that
opens the file, changes or deletes one by mistake.
"""

import sqlite3
from typing import Final

from ...core.errors import SegmentationAIError

# "SGAI": what `file` and SQLite tell of whose database this is.
APPLICATION_ID: Final = 0x53474149
FORMAT: Final = 1

_TABLES: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE cases (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, volume TEXT NOT NULL,
    volume_sha256 TEXT NOT NULL, voxels_sha256 TEXT NOT NULL, state TEXT NOT NULL,
    reason TEXT NOT NULL, is_held_out INTEGER NOT NULL, seconds_spent REAL NOT NULL,
    current INTEGER,
    FOREIGN KEY (key, current) REFERENCES versions (case_key, number)) STRICT;
CREATE TABLE versions (
    case_key INTEGER NOT NULL REFERENCES cases (key), number INTEGER NOT NULL, parent INTEGER,
    origin TEXT NOT NULL, who TEXT NOT NULL, seconds REAL NOT NULL, network TEXT NOT NULL,
    weights_sha256 TEXT NOT NULL, iteration INTEGER NOT NULL, made_at TEXT NOT NULL,
    PRIMARY KEY (case_key, number)) STRICT;
CREATE TABLE files (
    case_key INTEGER NOT NULL, number INTEGER NOT NULL, role TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL,
    PRIMARY KEY (case_key, number, role),
    FOREIGN KEY (case_key, number) REFERENCES versions (case_key, number)) STRICT;
CREATE TABLE iterations (
    number INTEGER PRIMARY KEY, settings TEXT NOT NULL, base_sha256 TEXT NOT NULL,
    weights_sha256 TEXT NOT NULL, dice_to_previous REAL, volume_change REAL, holdout_dice REAL,
    verdict TEXT NOT NULL, is_finished INTEGER NOT NULL, is_rolled_back INTEGER NOT NULL,
    made_at TEXT NOT NULL, seconds REAL NOT NULL) STRICT;
CREATE TABLE inputs (
    iteration INTEGER NOT NULL REFERENCES iterations (number), case_key INTEGER NOT NULL,
    number INTEGER NOT NULL, PRIMARY KEY (iteration, case_key),
    FOREIGN KEY (case_key, number) REFERENCES versions (case_key, number)) STRICT;
CREATE TABLE reviews (
    key INTEGER PRIMARY KEY, title TEXT NOT NULL, candidates TEXT NOT NULL,
    commitment TEXT NOT NULL, secret TEXT NOT NULL, opened_at TEXT NOT NULL,
    closed_at TEXT) STRICT;
CREATE TABLE review_items (
    review INTEGER NOT NULL REFERENCES reviews (key), item INTEGER NOT NULL,
    case_key INTEGER NOT NULL REFERENCES cases (key), axis INTEGER, place INTEGER,
    first INTEGER NOT NULL, second INTEGER NOT NULL, PRIMARY KEY (review, item)) STRICT;
CREATE TABLE review_answers (
    review INTEGER NOT NULL, item INTEGER NOT NULL, reader TEXT NOT NULL, turn INTEGER NOT NULL,
    answer TEXT NOT NULL, seconds REAL NOT NULL, given_at TEXT NOT NULL,
    PRIMARY KEY (review, item, reader, turn),
    FOREIGN KEY (review, item) REFERENCES review_items (review, item)) STRICT;
"""
_APPEND_ONLY: Final = ("versions", "files", "inputs", "review_items", "review_answers")


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty database, within the caller's transaction."""
    for statement in _statements():
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def check_tables(connection: sqlite3.Connection, name: str) -> None:
    """Check that a database is a whole index of a study and holds nothing else.

    A view or a trigger of somebody else's could do things on our behalf; hence the definitions
    are compared word for word.

    Args:
        connection: To the database.
        name: Of the study, for the message.

    Raises:
        SegmentationAIError: It is another program's, of another version, changed, or damaged.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise SegmentationAIError(
            f"The index of {name} was made by another program; choose the folder of a study."
        )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != FORMAT:
        raise SegmentationAIError(
            f"The study {name} has format {version} and this program reads {FORMAT}; open it with "
            "the version of the program that made it."
        )
    if _definitions(connection) != _expected_definitions():
        raise SegmentationAIError(
            f"The index of {name} has other tables than a study has; restore it from a backup."
        )
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if found != "ok" or broken is not None:
        raise SegmentationAIError(
            f"The index of {name} is damaged; restore study.sqlite from a backup. The label files "
            "are not touched."
        )


def _statements() -> list[str]:
    tables = [f"{one.strip()}" for one in _TABLES.split(";") if one.strip()]
    triggers = [
        f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} are kept as they are'); END"
        for table in _APPEND_ONLY
        for verb in ("UPDATE", "DELETE")
    ]
    return tables + triggers


def _definitions(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    rows = connection.execute("SELECT name, coalesce(sql, '') FROM sqlite_schema").fetchall()
    return {(str(name), str(sql)) for name, sql in rows}


def _expected_definitions() -> set[tuple[str, str]]:
    connection = sqlite3.connect(":memory:")
    try:
        for statement in _statements():
            connection.execute(statement)
        return _definitions(connection)
    finally:
        connection.close()
