"""What a blind review of an iteration shows: its predictions against earlier labels."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from ...core.errors import SegmentationAIError
from .blind_review import open_review
from .iterations import predictions_of
from .person import fail
from .reason import reason_of
from .records import Case, LabelVersion
from .review_rows import Pair
from .study import Study
from .versions import read_version

Per = Literal["case", "slice"]
# Array axis of the slices: the last is axial in most scans, and slices are thick along it.
SLICE_AXIS: Final = 2


def open_review_between(
    study: Study, iteration: int, against: int, per: Per, most: int = 500
) -> tuple[int, str]:
    """Open a review of an iteration against another, or the first labels; return number and title.

    Args:
        study: Open.
        iteration: The first candidate.
        against: The second candidate: an iteration, or 0 for the first labels of each case.
        per: What a pair is, see `pairs_to_review`.
        most: Pairs at the utmost.

    Raises:
        SegmentationAIError: No case has both candidates.
    """
    pairs = pairs_to_review(study, iteration, against, per, most)
    names = (_name(iteration), _name(against))
    title = f"{names[0]} against {names[1].lower()}, per {per}"
    return open_review(study, title, names, pairs), title


def pairs_to_review(
    study: Study, iteration: int, against: int = 0, per: Per = "case", most: int = 500
) -> list[Pair]:
    """Return pairs of an iteration's predictions and those of another, or the first labels.

    Cases that began without labels have no first ones, and no pair with them. A case with a damaged
    label file fails alone, with its reason, and is left out.

    Args:
        study: Open.
        iteration: The first candidate.
        against: The second candidate: an iteration, or 0 for the first labels of each case.
        per: Whether a pair is a case, or a slice of one where either candidate has a label.
        most: Pairs at the utmost; evenly spaced ones are taken of more.

    Raises:
        SegmentationAIError: No case has both candidates.
    """
    first = predictions_of(study, iteration)
    pairs = []
    for case in study.cases():
        versions = study.versions(case.id)
        second = predictions_of(study, against).get(case.id) if against else _first_labels(versions)
        if case.id in first and second is not None:
            pairs += _pairs_of(study, case, first[case.id], second, per)
    if not pairs:
        raise SegmentationAIError(
            f"No case has labels of both iteration {iteration} and {against or 'the beginning'}."
        )
    chosen = np.linspace(0, len(pairs) - 1, min(most, len(pairs))).round().astype(int)
    return [pairs[n] for n in chosen]


def _first_labels(versions: Sequence[LabelVersion]) -> LabelVersion | None:
    return next((one for one in versions[:1] if one.making.iteration == 0), None)


def _pairs_of(
    study: Study, case: Case, first: LabelVersion, second: LabelVersion, per: Per
) -> list[Pair]:
    try:
        either = [read_version(study, version).layers[0] != 0 for version in (first, second)]
    except (SegmentationAIError, OSError) as error:
        fail(study, case.id, reason_of(error))
        return []
    if per == "case":
        return [Pair(case.id, first.number, second.number)]
    across = tuple(axis for axis in range(3) if axis != SLICE_AXIS)
    places = np.flatnonzero((either[0] | either[1]).any(axis=across))
    return [Pair(case.id, first.number, second.number, SLICE_AXIS, int(n)) for n in places]


def _name(iteration: int) -> str:
    return f"Iteration {iteration}" if iteration else "First labels"
