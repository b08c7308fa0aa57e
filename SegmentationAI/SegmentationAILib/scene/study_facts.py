"""A study as a panel shows it: its cases, iterations and reviews, from what the worker answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..worker.client import WorkerError

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class CaseFacts:
    """One case of the worklist.

    Attributes:
        id: Its name.
        state: ``new``, ``weak``, ``predicted``, ``corrected``, ``accepted``, ``skipped`` or
            ``failed``.
        provenance: Of the current labels, empty without any.
        seconds: That persons have spent.
        dice: Of the current labels to those they were made from, None for the first.
        who: Made the current labels; empty for a prediction.
        reason: Why it failed.
        is_held_out: Whether no network learns from it.
        version: Number of the current version, None without labels.
        iteration: That predicted the current labels, 0 for none.
    """

    id: str
    state: str
    provenance: str
    seconds: float
    dice: float | None
    who: str
    reason: str
    is_held_out: bool
    version: int | None
    iteration: int


@dataclass(frozen=True)
class IterationFacts:
    """One iteration of the loop, or the first labels (number 0).

    Attributes:
        number: Of the iteration.
        holdout_dice: Of the held-out cases to their locked labels, None without any.
        dice_to_previous: Of its labels to those it learned from.
        verdict: Whether and why the loop stopped.
        is_rolled_back: Whether its labels are nobody's current ones any more.
    """

    number: int
    holdout_dice: float | None = None
    dice_to_previous: float | None = None
    verdict: str = ""
    is_rolled_back: bool = False


@dataclass(frozen=True)
class ReviewFacts:
    """A blind review; nothing of it tells a side before it is closed."""

    key: int
    title: str
    pairs: int
    answered: tuple[tuple[str, int], ...]
    is_closed: bool


@dataclass(frozen=True)
class CostFacts:
    """What an iteration costs: cases to learn and to predict; seconds and epochs of the last."""

    learned: int
    predicted: int
    seconds: float | None
    epochs: int | None


@dataclass(frozen=True)
class StudyFacts:
    """A study.

    Attributes:
        folder: Where it lies.
        base: ID of the network that each iteration starts from.
        cases: The most wanted first where they were ranked, else by name.
        iterations: The first labels, then all finished iterations.
        current: Number of the iteration whose labels are the current ones.
        unfinished: Number of an iteration that was interrupted, None without one.
        reviews: Oldest first.
        cost: Of an iteration.
    """

    folder: Path
    base: str
    cases: tuple[CaseFacts, ...]
    iterations: tuple[IterationFacts, ...]
    current: int
    unfinished: int | None
    reviews: tuple[ReviewFacts, ...]
    cost: CostFacts

    def case(self, case_id: str) -> CaseFacts | None:
        """Return a case by its name, None when there is none."""
        return next((one for one in self.cases if one.id == case_id), None)


def study_of_facts(folder: Path, facts: Facts, order: Sequence[str] = ()) -> StudyFacts:
    """Return a study from what the worker says of it.

    Args:
        folder: Of the study.
        facts: Of the answer to ``list``.
        order: Names of cases that come first.

    Raises:
        WorkerError: The facts are not those of a study.
    """
    place = {name: number for number, name in enumerate(order)}
    try:
        cases = sorted(
            (_case(row) for row in facts["cases"]),
            key=lambda case: place.get(case.id, len(place)),
        )
        return StudyFacts(
            folder=folder,
            base=str(facts["base"]),
            cases=tuple(cases),
            iterations=(IterationFacts(0), *(_iteration(row) for row in facts["iterations"])),
            current=int(facts["current"]),
            unfinished=facts["unfinished"],
            reviews=tuple(_review(row) for row in facts["reviews"]),
            cost=CostFacts(**facts["cost"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WorkerError("The worker's answer of a study is not understood.") from error


def _case(row: Facts) -> CaseFacts:
    return CaseFacts(
        id=str(row["id"]),
        state=str(row["state"]),
        provenance=str(row["provenance"] or ""),
        seconds=float(row["seconds_spent"]),
        dice=row["dice_to_previous"],
        who=str(row["who"]),
        reason=str(row["reason"]),
        is_held_out=bool(row["is_held_out"]),
        version=row["version"],
        iteration=int(row["iteration"]),
    )


def _iteration(row: Facts) -> IterationFacts:
    return IterationFacts(
        number=int(row["number"]),
        holdout_dice=row["holdout_dice"],
        dice_to_previous=row["dice_to_previous"],
        verdict=str(row["verdict"]),
        is_rolled_back=bool(row["is_rolled_back"]),
    )


def _review(row: Facts) -> ReviewFacts:
    return ReviewFacts(
        key=int(row["key"]),
        title=str(row["title"]),
        pairs=int(row["pairs"]),
        answered=tuple((str(name), int(count)) for name, count in row["answered"].items()),
        is_closed=row["closed_at"] is not None,
    )
