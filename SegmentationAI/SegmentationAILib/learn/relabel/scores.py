"""What is measured of an iteration: from label versions alone, never from a reference."""

from collections.abc import Sequence

from ...core.errors import SegmentationAIError
from ...core.labelmap import LabelArray
from ..study.agreement import mean_dice, volume_change
from ..study.iterations import inputs_of, predictions_of
from ..study.person import fail
from ..study.reason import reason_of
from ..study.records import BY_A_PERSON, Case, Iteration, LabelVersion
from ..study.study import Study
from ..study.versions import read_version
from .stop_rule import Scores


def scores_of(study: Study, iteration: int, values: Sequence[int]) -> Scores:
    """Return the scores of an iteration whose predictions are stored.

    A case with a damaged label file fails alone, with its reason, and is left out.

    Args:
        study: Open.
        iteration: Its number.
        values: Label values.
    """
    inputs, predicted = inputs_of(study, iteration), predictions_of(study, iteration)
    changes: list[float] = []
    volumes: list[float] = []
    for case in study.cases():
        learned, new = inputs.get(case.id), predicted.get(case.id)
        if case.is_held_out or learned is None or new is None:
            continue
        if learned.making.origin in ("accepted", "drawn"):
            continue
        layers = _layers(study, case, learned, new, study.versions(case.id)[0])
        if layers:
            old, predictions, first = layers
            _add(changes, mean_dice(old, predictions, values))
            _add(volumes, volume_change(first, predictions, values))
    return Scores(_mean(changes), _mean(volumes), holdout_dice(study, iteration, values))


def scores_before(study: Study, before: Sequence[Iteration], values: Sequence[int]) -> list[Scores]:
    """Return the scores of earlier iterations as the stop rule compares them with a new one.

    Held-out cases that a person has corrected since count with those labels in all of them: a
    score by weak labels and one by corrected labels say nothing of each other.

    Args:
        study: Open.
        before: Finished iterations, oldest first.
        values: Label values.
    """
    return [
        Scores(one.dice_to_previous, one.volume_change, holdout_dice(study, one.number, values))
        for one in before
    ]


def holdout_dice(study: Study, iteration: int, values: Sequence[int]) -> float | None:
    """Return the mean Dice of an iteration on the held-out cases, None without any.

    Measured against their locked labels as they are now. A case with a damaged label file fails
    alone, with its reason, and is left out.

    Args:
        study: Open.
        iteration: Its number.
        values: Label values.
    """
    predicted = predictions_of(study, iteration)
    found: list[float] = []
    for case in study.cases():
        if not case.is_held_out or case.id not in predicted or case.state in ("skipped", "failed"):
            continue
        locked = locked_version(study.versions(case.id))
        layers = _layers(study, case, locked, predicted[case.id])
        if layers:
            _add(found, mean_dice(layers[0], layers[1], values))
    return _mean(found)


def _layers(study: Study, case: Case, *versions: LabelVersion) -> list[LabelArray]:
    """Return the labels of versions of a case, none where one of them cannot be read."""
    try:
        return [read_version(study, version).layers[0] for version in versions]
    except (SegmentationAIError, OSError) as error:
        fail(study, case.id, reason_of(error))
        return []


def locked_version(versions: Sequence[LabelVersion]) -> LabelVersion:
    """Return the labels by which a held-out case scores: a person's newest, else its first."""
    by_persons = [v for v in versions if v.making.origin in BY_A_PERSON]
    return by_persons[-1] if by_persons else versions[0]


def _add(scores: list[float], score: float | None) -> None:
    if score is not None:
        scores.append(score)


def _mean(scores: Sequence[float]) -> float | None:
    return sum(scores) / len(scores) if scores else None
