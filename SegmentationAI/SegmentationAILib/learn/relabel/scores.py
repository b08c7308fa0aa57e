"""What is measured of an iteration: from label versions alone, never from a reference."""

from collections.abc import Sequence

from ..study.agreement import mean_dice, volume_change
from ..study.iterations import inputs_of, predictions_of
from ..study.records import BY_A_PERSON, LabelVersion
from ..study.study import Study
from ..study.versions import read_version
from .stop_rule import Scores


def scores_of(study: Study, iteration: int, values: Sequence[int]) -> Scores:
    """Return the scores of an iteration whose predictions are stored.

    Args:
        study: Open.
        iteration: Its number.
        values: Label values.
    """
    inputs, predicted = inputs_of(study, iteration), predictions_of(study, iteration)
    changes: list[float] = []
    volumes: list[float] = []
    held_out: list[float] = []
    for case in study.cases():
        if case.id not in predicted:
            continue
        new = read_version(study, predicted[case.id]).layers[0]
        if case.is_held_out:
            locked = read_version(study, locked_version(study.versions(case.id))).layers[0]
            _add(held_out, mean_dice(locked, new, values))
        elif case.id in inputs and inputs[case.id].making.origin not in ("accepted", "drawn"):
            old = read_version(study, inputs[case.id]).layers[0]
            first = read_version(study, study.versions(case.id)[0]).layers[0]
            _add(changes, mean_dice(old, new, values))
            _add(volumes, volume_change(first, new, values))
    return Scores(_mean(changes), _mean(volumes), _mean(held_out))


def locked_version(versions: Sequence[LabelVersion]) -> LabelVersion:
    """Return the labels by which a held-out case scores: a person's newest, else its first."""
    by_persons = [v for v in versions if v.making.origin in BY_A_PERSON]
    return by_persons[-1] if by_persons else versions[0]


def _add(scores: list[float], score: float | None) -> None:
    if score is not None:
        scores.append(score)


def _mean(scores: Sequence[float]) -> float | None:
    return sum(scores) / len(scores) if scores else None
