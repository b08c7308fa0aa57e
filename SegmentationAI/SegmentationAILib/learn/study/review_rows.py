"""Blind reviews in the index: what is to be judged, and what was answered."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from ...core.errors import SegmentationAIError
from .review_key import Answer


@dataclass(frozen=True)
class Pair:
    """Two versions of a case to choose between.

    Attributes:
        case: Name of the case.
        first: Number of the version of the first candidate, such as an iteration's.
        second: Of the second, such as the weak labels.
        axis: Of the volume's array, 0 to 2, that a slice is taken across; None shows the whole.
        place: Index of the slice along the axis, None for the whole.
    """

    case: str
    first: int
    second: int
    axis: int | None = None
    place: int | None = None


def review_row(connection: sqlite3.Connection, review: int) -> Sequence[Any]:
    """Return title, candidates, commitment, secret, opened and closed of a review.

    Raises:
        SegmentationAIError: It is not there.
    """
    row = connection.execute(
        "SELECT title, candidates, commitment, secret, opened_at, closed_at FROM reviews "
        "WHERE key = ?",
        (review,),
    ).fetchone()
    if row is None:
        raise SegmentationAIError(f"The study has no review {review}.")
    return cast(Sequence[Any], row)


def open_secret(connection: sqlite3.Connection, review: int) -> str:
    """Return the secret of a review that is open.

    Raises:
        SegmentationAIError: It is closed, or not there.
    """
    row = review_row(connection, review)
    if row[5] is not None:
        raise SegmentationAIError(
            f"The review {row[0]} was closed on {row[5]}; open a new one to judge again."
        )
    return str(row[3])


def items_of(connection: sqlite3.Connection, review: int) -> dict[int, tuple[str, Pair]]:
    """Return the pairs of a review by number, each with the name of its case."""
    rows = connection.execute(
        "SELECT item, id, first, second, axis, place FROM review_items JOIN cases "
        "ON cases.key = case_key WHERE review = ? ORDER BY item",
        (review,),
    ).fetchall()
    return {row[0]: (row[1], Pair(*row[1:6])) for row in rows}


def answers_of(connection: sqlite3.Connection, review: int) -> dict[str, dict[int, Answer]]:
    """Return the last answer of each reader to each pair."""
    rows = connection.execute(
        "SELECT reader, item, answer FROM review_answers WHERE review = ? ORDER BY turn", (review,)
    ).fetchall()
    found: dict[str, dict[int, Answer]] = {}
    for reader, item, answer in rows:
        found.setdefault(reader, {})[item] = answer
    return found


def check_version(connection: sqlite3.Connection, key: int, case: str, number: int) -> None:
    """Raise unless a case has a version of that number."""
    row = connection.execute(
        "SELECT 1 FROM versions WHERE case_key = ? AND number = ?", (key, number)
    ).fetchone()
    if row is None:
        raise SegmentationAIError(f"The case {case} has no version {number} to judge.")
