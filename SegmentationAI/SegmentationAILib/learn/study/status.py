"""Where a study stands. The only file that reads reference labels, and it writes nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import SegmentationAIError
from ...core.files import read_labelmap
from ...core.one_layer import merged
from ...core.progress import IGNORE, Progress
from ...core.volume import check_same_grid
from .agreement import mean_dice
from .iterations import iterations, predictions_of
from .label_table import labels_from_text
from .records import Case, Iteration, LabelVersion
from .source_folders import labels_for
from .study import Study
from .versions import read_version


def status(study: Study, progress: Progress = IGNORE) -> dict[str, Any]:
    """Return where a study stands, as the public contract names it, ready for JSON.

    Args:
        study: Open; not changed.
        progress: Told once per label version that is compared with a reference.
    """
    found = iterations(study)
    finished = [one for one in found if one.is_finished]
    scores = _reference_scores(study, finished, progress)
    values = [label.value for label in labels_from_text(study.facts.labels)]
    facts: dict[str, Any] = {
        "base": study.facts.base,
        "base_sha256": study.facts.base_sha256,
        "current_iteration": max((i.number for i in finished if not i.is_rolled_back), default=0),
        "weak_dice_to_reference": scores.get(0),
        "iterations": [_iteration_row(one, study.facts.base_sha256, scores) for one in finished],
        "unfinished_iteration": next((i.number for i in found if not i.is_finished), None),
        "cases": [_case_row(study, case, values) for case in study.cases()],
    }
    return facts


def _iteration_row(
    one: Iteration, base_sha256: str, scores: Mapping[int, float | None]
) -> dict[str, Any]:
    return {
        "index": one.number,
        "mean_dice_to_previous": one.dice_to_previous,
        "mean_dice_to_reference": scores.get(one.number),
        "holdout_dice": one.holdout_dice,
        "volume_change": one.volume_change,
        "weights_sha256": one.weights_sha256,
        "base_sha256": base_sha256,
        "start_sha256": one.base_sha256,
        "verdict": one.verdict,
        "rolled_back": one.is_rolled_back,
        "seconds": one.seconds,
        "made_at": one.made_at,
    }


def _case_row(study: Study, case: Case, values: Sequence[int]) -> dict[str, Any]:
    versions = study.versions(case.id)
    version = next((v for v in versions if v.number == case.current), None)
    return {
        "id": case.id,
        "state": case.state,
        "provenance": None if version is None else version.making.origin,
        "seconds_spent": case.seconds_spent,
        "dice_to_previous": dice_to_parent(study, versions, version, values),
        "held_out": case.is_held_out,
        "keeps_corrections": version is not None and "touched" in version.files,
        "versions": len(versions),
        "who": "" if version is None else version.making.who,
        "reason": case.reason,
    }


def dice_to_parent(
    study: Study,
    versions: Sequence[LabelVersion],
    version: LabelVersion | None,
    values: Sequence[int],
) -> float | None:
    """Return how far the current labels agree with those they were made from, None for none."""
    parent = next((v for v in versions if version and v.number == version.parent), None)
    if version is None or parent is None:
        return None
    try:
        pair = [read_version(study, one).layers[0] for one in (parent, version)]
    except SegmentationAIError:
        return None  # a damaged file is told when the case is opened, and stops no list
    return mean_dice(pair[0], pair[1], values)


def _reference_scores(
    study: Study, finished: Sequence[Iteration], progress: Progress
) -> dict[int, float | None]:
    """Return by iteration the mean Dice of its versions to the reference, 0 for the weak labels.

    Cases that no network has learned from count like the others: their predictions are exported
    with the rest. A case without a reference that can be used counts nowhere.
    """
    if not study.facts.references:
        return {}
    values = [label.value for label in labels_from_text(study.facts.labels)]
    by_number: dict[int, dict[str, LabelVersion]] = {
        one.number: predictions_of(study, one.number) for one in finished
    }
    by_number[0] = {
        case.id: versions[0]
        for case in study.cases()
        if (versions := study.versions(case.id)) and versions[0].making.iteration == 0
    }
    cases = {case.id: case for case in study.cases()}
    totals: dict[int, list[float]] = {number: [] for number in by_number}
    for done, (name, case) in enumerate(cases.items()):
        progress(done / len(cases), f"Comparing {name} with its reference")
        for number, score in _scores_of(study, case, by_number, values).items():
            totals[number].append(score)
    return {n: sum(found) / len(found) if found else None for n, found in totals.items()}


def _scores_of(
    study: Study,
    case: Case,
    by_number: Mapping[int, Mapping[str, LabelVersion]],
    values: Sequence[int],
) -> dict[int, float]:
    found = {number: of[case.id] for number, of in by_number.items() if case.id in of}
    volume = study.volume_path(case)
    path = labels_for(case.id, volume, Path(study.facts.references))
    if not found or path is None:
        return {}
    try:
        reference = merged(read_labelmap(path))
        scores = {}
        for number, version in found.items():
            labels = read_version(study, version)
            check_same_grid(labels.grid, reference.grid, ("the labels", "the reference"))
            score = mean_dice(reference.layers[0], labels.layers[0], values)
            if score is not None:
                scores[number] = score
    except SegmentationAIError:
        return {}
    return scores
