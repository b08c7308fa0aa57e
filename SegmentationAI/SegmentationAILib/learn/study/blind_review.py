"""Blind review in a study: two candidates side by side, sides and order random, the key sealed.

What a reader sees has no name, no provenance and no score. Which candidate stood on which side
follows from a secret; its hash is told when the review is opened, the secret itself when it is
closed, so that anybody can check afterwards that no side was chosen later.
"""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...core.errors import SegmentationAIError
from ..review import agreement_of, tally, words_of_tally
from .index import reading, writing
from .review_key import ANSWERS, Answer, choice_of, commitment_of, form_code
from .review_rows import Pair, answers_of, check_version, items_of, open_secret, review_row
from .shown_pair import Shown, next_pair, order_for, shown_pair
from .study import Study, case_named, now

__all__ = [
    "Answer", "Pair", "ReviewRow", "Shown", "close_review", "form_code_of", "give_answer",
    "next_pair", "open_review", "order_for", "review_report", "reviews", "shown_pair",
]  # fmt: skip


@dataclass(frozen=True)
class ReviewRow:
    """A review as a list shows it.

    Attributes:
        key: Its number.
        title: Its title.
        pairs: How many there are to judge.
        answered: By reader, how many pairs.
        opened_at: ISO 8601 in UTC.
        closed_at: The same, None while it is open.
    """

    key: int
    title: str
    pairs: int
    answered: dict[str, int]
    opened_at: str
    closed_at: str | None


def reviews(study: Study) -> list[ReviewRow]:
    """Return all reviews of a study, oldest first; nothing of it tells a side."""
    with reading(study.index) as connection:
        rows = connection.execute(
            "SELECT key, title, opened_at, closed_at FROM reviews ORDER BY key"
        ).fetchall()
        return [
            ReviewRow(
                key,
                title,
                len(items_of(connection, key)),
                {reader: len(of) for reader, of in answers_of(connection, key).items()},
                opened_at,
                closed_at,
            )
            for key, title, opened_at, closed_at in rows
        ]


def open_review(
    study: Study,
    title: str,
    candidates: tuple[str, str],
    pairs: Sequence[Pair],
    seed: int | None = None,
) -> int:
    """Open a review and return its number.

    Args:
        study: Open.
        title: For the list of reviews.
        candidates: What the first and the second version of each pair are called in the report.
        pairs: What is to be judged.
        seed: Makes sides and order repeatable, and guessable for whoever knows it; None for a
            secret that nobody knows.

    Raises:
        SegmentationAIError: There is no pair, or a pair names a version that is not there.
    """
    if not pairs:
        raise SegmentationAIError("A review needs at least one pair of versions to judge.")
    if seed is None:
        secret = secrets.token_hex(32)
    else:
        secret = hashlib.sha256(f"{study.facts.id} {seed}".encode()).hexdigest()
    with writing(study.index) as connection:
        keys = {pair.case: case_named(connection, pair.case).key for pair in pairs}
        row = connection.execute(
            "INSERT INTO reviews (title, candidates, commitment, secret, opened_at) "
            "VALUES (?, ?, ?, ?, ?)",
            (title, json.dumps(candidates), commitment_of(secret), secret, now()),
        )
        number = int(row.lastrowid or 0)
        for item, pair in enumerate(pairs):
            for version in (pair.first, pair.second):
                check_version(connection, keys[pair.case], pair.case, version)
            connection.execute(
                "INSERT INTO review_items VALUES (?, ?, ?, ?, ?, ?, ?)",
                (number, item, keys[pair.case], pair.axis, pair.place, pair.first, pair.second),
            )
    return number


def give_answer(
    study: Study, review: int, reader: str, item: int, answer: Answer, seconds: float = 0.0
) -> None:
    """Record an answer; a later one to the same pair counts instead, and both are kept.

    Args:
        study: Open.
        review: Number of the review.
        reader: Name of the reader.
        item: Number of the pair.
        answer: Which side was better, or ``tie``.
        seconds: Spent on it.

    Raises:
        SegmentationAIError: The review is closed, or there is no such pair.
    """
    if answer not in ANSWERS:
        raise ValueError(f"{answer!r} is none of {ANSWERS}")
    with writing(study.index) as connection:
        open_secret(connection, review)
        if not 0 <= item < len(items_of(connection, review)):
            raise SegmentationAIError(f"The review has no pair {item}; answer the one shown.")
        turn = connection.execute(
            "SELECT count(*) FROM review_answers WHERE review = ? AND item = ? AND reader = ?",
            (review, item, reader),
        ).fetchone()[0]
        connection.execute(
            "INSERT INTO review_answers VALUES (?, ?, ?, ?, ?, ?, ?)",
            (review, item, reader, turn, answer, seconds, now()),
        )


def form_code_of(study: Study, review: int, reader: str) -> str:
    """Return the code that stands in a reader's form, see `form_code`.

    Raises:
        SegmentationAIError: There is no such review.
    """
    with reading(study.index) as connection:
        commitment = review_row(connection, review)[2]
    return form_code(str(commitment), reader)


def close_review(study: Study, review: int) -> None:
    """Close a review: no more answers, and the key may be seen.

    Raises:
        SegmentationAIError: It is closed already, or is not there.
    """
    with writing(study.index) as connection:
        open_secret(connection, review)
        connection.execute("UPDATE reviews SET closed_at = ? WHERE key = ?", (now(), review))


def review_report(study: Study, review: int) -> dict[str, Any]:
    """Return the tallies of a closed review, ready for JSON.

    ``readers`` has for each the shares ``win``, ``tie`` and ``loss`` of the first candidate;
    ``agreement`` compares the readers on the pairs that all of them answered; ``secret`` is what
    ``commitment`` was the hash of.

    Raises:
        SegmentationAIError: The review is still open: its key is sealed.
    """
    with reading(study.index) as connection:
        row = review_row(connection, review)
        answers = answers_of(connection, review)
        total = len(items_of(connection, review))
    title, candidates, commitment, secret, opened_at, closed_at = row
    if closed_at is None:
        raise SegmentationAIError(
            "The review is open and its key is sealed; close it when all readers are done."
        )
    first, second = (str(name) for name in json.loads(candidates))
    choices = {
        reader: {item: choice_of(secret, reader, item, given) for item, given in of.items()}
        for reader, of in answers.items()
    }
    name, kappa, common = agreement_of(choices)
    tallies = {reader: tally(list(of.values())) for reader, of in choices.items()}
    return {
        "title": title,
        "first": first,
        "second": second,
        "pairs": total,
        "readers": [
            {"reader": reader, **asdict(one), "words": words_of_tally(one, first, second)}
            for reader, one in sorted(tallies.items())
        ],
        "agreement": {"coefficient": name, "value": kappa, "pairs": common},
        "opened_at": opened_at,
        "closed_at": closed_at,
        "commitment": commitment,
        "secret": secret,
    }
