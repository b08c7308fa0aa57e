"""Iterations in the index: begun with the labels they learn from, finished in one step.

Until an iteration is finished its predictions are nobody's current labels. A kill leaves it
unfinished, with its settings and its inputs, so that the next run goes on with the same ones.
"""

import json
import sqlite3
from dataclasses import dataclass

from ...core.errors import SegmentationAIError
from .index import reading, writing
from .records import BY_A_PERSON, Case, Iteration, LabelVersion, State
from .rows import CASES, FILES, ITERATIONS, VERSIONS, case_of, iteration_of, versions_of
from .study import Study, now
from .versions import make_current

USABLE = ("weak", "predicted", "corrected", "accepted")


@dataclass(frozen=True)
class Outcome:
    """What came of an iteration.

    Attributes:
        weights_sha256: Of the network it made.
        dice_to_previous: See `Iteration`.
        volume_change: See `Iteration`.
        holdout_dice: See `Iteration`.
        verdict: Sentence for the person.
        is_kept: Whether its predictions become the current labels; False keeps the old ones.
        seconds: It took.
    """

    weights_sha256: str
    dice_to_previous: float | None
    volume_change: float | None
    holdout_dice: float | None
    verdict: str
    is_kept: bool
    seconds: float


def iterations(study: Study) -> list[Iteration]:
    """Return all iterations, oldest first."""
    with reading(study.index) as connection:
        return _iterations(connection)


def unfinished(study: Study) -> Iteration | None:
    """Return the iteration that was begun and not finished, None without one."""
    return next((one for one in iterations(study) if not one.is_finished), None)


def begin(study: Study, settings: str, base_sha256: str) -> Iteration:
    """Begin an iteration on the current labels, or go on with the unfinished one.

    Args:
        study: Open; the caller holds `Study.running_alone`.
        settings: JSON of what is asked for.
        base_sha256: Of the weights it will start from.

    Raises:
        SegmentationAIError: An iteration with other settings or another base is unfinished, or no
            case has labels to learn from.
    """
    with writing(study.index) as connection:
        known = _iterations(connection)
        old = next((one for one in known if not one.is_finished), None)
        if old is not None:
            kept = [one.number for one in known if one.is_finished and not one.is_rolled_back]
            _check_same(old, settings, base_sha256, max(kept, default=0))
            return old
        cases = [case_of(row) for row in connection.execute(f"{CASES} ORDER BY id")]
        inputs = [c for c in cases if c.state in USABLE and c.current is not None]
        if not any(not case.is_held_out for case in inputs):
            raise SegmentationAIError(
                "No case of the study has labels to learn from; add weak labels or reopen cases."
            )
        number = 1 + len(known)
        connection.execute(
            "INSERT INTO iterations VALUES (?, ?, ?, '', NULL, NULL, NULL, '', 0, 0, ?, 0.0)",
            (number, settings, base_sha256, now()),
        )
        connection.executemany(
            "INSERT INTO inputs VALUES (?, ?, ?)", [(number, c.key, c.current) for c in inputs]
        )
        return next(one for one in _iterations(connection) if one.number == number)


def inputs_of(study: Study, number: int) -> dict[str, LabelVersion]:
    """Return the label versions that an iteration learns from, by name of the case."""
    with reading(study.index) as connection:
        rows = connection.execute(
            "SELECT cases.id, inputs.case_key, inputs.number FROM inputs JOIN cases "
            "ON cases.key = inputs.case_key WHERE iteration = ? ORDER BY cases.id",
            (number,),
        ).fetchall()
        return {name: _version(connection, key, version) for name, key, version in rows}


def predictions_of(study: Study, number: int) -> dict[str, LabelVersion]:
    """Return the versions that an iteration has predicted so far, by name of the case."""
    with reading(study.index) as connection:
        rows = connection.execute(
            "SELECT cases.id, case_key, max(number) FROM versions JOIN cases "
            "ON cases.key = case_key WHERE iteration = ? GROUP BY case_key ORDER BY cases.id",
            (number,),
        ).fetchall()
        return {name: _version(connection, key, version) for name, key, version in rows}


def finish(study: Study, number: int, outcome: Outcome) -> None:
    """Finish an iteration; in the same step its predictions become current where they may.

    A case that a person has worked on since the iteration began keeps what the person made.

    Args:
        study: Open.
        number: Of the iteration.
        outcome: What came of it.
    """
    predicted = predictions_of(study, number)
    inputs = inputs_of(study, number)
    with writing(study.index) as connection:
        if outcome.is_kept:
            for row in connection.execute(f"{CASES} ORDER BY id").fetchall():
                case = case_of(row)
                new = predicted.get(case.id)
                if new is not None and _may_follow(case, inputs.get(case.id), new):
                    make_current(connection, case.key, new)
        connection.execute(
            "UPDATE iterations SET weights_sha256 = ?, dice_to_previous = ?, volume_change = ?, "
            "holdout_dice = ?, verdict = ?, is_finished = 1, is_rolled_back = ?, seconds = ? "
            "WHERE number = ?",
            (outcome.weights_sha256, outcome.dice_to_previous, outcome.volume_change,
             outcome.holdout_dice, outcome.verdict, int(not outcome.is_kept), outcome.seconds,
             number),
        )  # fmt: skip


def roll_back(study: Study, number: int) -> None:
    """Make the labels of an earlier iteration current again; 0 is before the first.

    Each case goes back along the versions that it really had, to the first that a person made or
    that an iteration predicted that still counts; accepted ones stay. What a person made is passed
    over by no prediction that never took its place. Skipped and failed cases go back as well and
    stay skipped and failed. No version is removed; an unfinished iteration is given up.

    Args:
        study: Open; the caller holds `Study.running_alone`.
        number: Of the iteration to go back to.

    Raises:
        SegmentationAIError: There is no such iteration, or it was rolled back itself.
    """
    with writing(study.index) as connection:
        known = _iterations(connection)
        kept = [one.number for one in known if one.is_finished and not one.is_rolled_back]
        if number != 0 and number not in kept:
            there = ", ".join(map(str, [0, *kept]))
            raise SegmentationAIError(
                f"There is no iteration {number} to go back to; there are: {there}."
            )
        connection.execute(
            "UPDATE iterations SET is_finished = 1, is_rolled_back = 1, "
            "verdict = CASE WHEN is_finished THEN verdict ELSE 'Given up.' END WHERE number > ?",
            (number,),
        )
        usable = {0, *(n for n in kept if n <= number)}
        for row in connection.execute(f"{CASES} ORDER BY id").fetchall():
            _go_back(connection, case_of(row), usable)


def _go_back(connection: sqlite3.Connection, case: Case, usable: set[int]) -> None:
    """Take a case back along the parents of its current version, all of which were current once."""
    target = _ancestor(connection, case, usable)
    number = None if target is None else target.number
    if number == case.current:
        return
    state: State = "new" if target is None else target.state
    if case.state in ("skipped", "failed"):
        state = case.state
    connection.execute(
        "UPDATE cases SET current = ?, state = ? WHERE key = ?", (number, state, case.key)
    )


def _ancestor(connection: sqlite3.Connection, case: Case, usable: set[int]) -> LabelVersion | None:
    """Return the nearest version that a person made or an iteration that still counts.

    Returns:
        The current version where that is one; None where only predictions that no longer count
        lead to it.
    """
    rows = connection.execute(f"{VERSIONS} WHERE case_key = ? ORDER BY number", (case.key,))
    wanted = case.current
    for version in reversed(versions_of(rows.fetchall(), [])):
        if version.number != wanted:
            continue
        if version.making.origin in BY_A_PERSON or version.making.iteration in usable:
            return version
        wanted = version.parent
    return None


def _may_follow(case: Case, read: LabelVersion | None, new: LabelVersion) -> bool:
    """Return whether a prediction may take the place of what a case has now.

    Args:
        case: As it is now.
        read: What it had when the iteration began, None for no labels.
        new: The prediction.
    """
    if read is None:
        return case.state == "new" and case.current is None
    if case.state == "accepted" or case.state not in USABLE or case.current != read.number:
        return False
    if "touched" in read.files and "touched" not in new.files:
        # It was predicted while it was accepted, without what persons changed, and reopened since.
        return False
    # A held-out case scores by what a person made of it; no prediction goes in there.
    return not (case.is_held_out and read.making.origin in BY_A_PERSON)


def _check_same(old: Iteration, settings: str, base_sha256: str, kept: int) -> None:
    if old.settings != settings:
        raise SegmentationAIError(
            f"Iteration {old.number} is unfinished and was begun with "
            f"{_difference(old.settings, settings)}; run it to its end with the same settings, or "
            f"give it up with relabel rollback {kept}."
        )
    if old.base_sha256 != base_sha256:
        raise SegmentationAIError(
            f"Iteration {old.number} is unfinished and was begun from other weights of the base "
            f"network; install those again, or give it up with relabel rollback {kept}."
        )


def _difference(old: str, new: str) -> str:
    """Return the settings of an iteration that differ from those asked for now, in words."""
    try:
        before, after = json.loads(old), json.loads(new)
        names = [name for name, value in before.items() if after.get(name) != value]
        return ", ".join(f"{name} {before[name]}" for name in names) or "other settings"
    except (ValueError, AttributeError):
        return "other settings"


def _iterations(connection: sqlite3.Connection) -> list[Iteration]:
    rows = connection.execute(f"{ITERATIONS} ORDER BY number").fetchall()
    return [iteration_of(row) for row in rows]


def _version(connection: sqlite3.Connection, case: int, number: int) -> LabelVersion:
    where = "WHERE case_key = ? AND number = ?"
    rows = connection.execute(f"{VERSIONS} {where}", (case, number)).fetchall()
    files = connection.execute(f"{FILES} {where}", (case, number)).fetchall()
    return versions_of(rows, files)[0]
