"""Corrections of labels in whose place others have come meanwhile, by an iteration or a rollback.

A person works on a case while the loop runs: what they have decided stays, the rest is predicted.
What another person has decided meanwhile is never replaced without being seen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError
from ...core.labelmap import LabelArray, Labelmap
from ...core.volume import check_same_grid
from .label_table import check_known
from .person import Work, accept, correct, corrected_voxels, touched_labelmap, touched_voxels
from .records import BY_A_PERSON, LabelVersion, Making, Role
from .study import Study
from .versions import NewVersion, add_version, read_version

ByNumber = Mapping[int, LabelVersion]


@dataclass(frozen=True)
class Seen:
    """What a person has drawn on.

    Attributes:
        version: Number of the version whose labels they saw, None where there were none.
        stored: Number of what they have stored of it since, None for nothing. A prediction may
            have been put around it, which they have not seen.
    """

    version: int | None
    stored: int | None = None


def correct_what_was_seen(
    study: Study, case_id: str, labels: Labelmap, work: Work, seen: Seen
) -> LabelVersion:
    """Store a correction, also when the current labels are not those that the person saw.

    Voxels that the person changed, and those that persons had decided before, are as in ``labels``;
    all others are as in the current labels.

    Args:
        study: Open.
        case_id: Name of the case.
        labels: On the grid of the case's volume, in one layer.
        work: By whom.
        seen: What the person has drawn on.

    Raises:
        SegmentationAIError: Another person has changed the case meanwhile, or as for
            `person.correct`; nothing was stored.
    """
    now, versions = study.current_version(case_id), _by_number(study, case_id)
    _check_is_there(case_id, versions, seen)
    if _number(now) == seen.version or not _holds_all(study, versions, now, labels, seen):
        return correct(study, case_id, labels, work, seen.version)
    check_known(labels, study.facts.labels)
    decided = _decided(study, versions, now, labels, seen)
    below = _voxels(study, now, labels)
    dtype = np.promote_types(labels.layers[0].dtype, below.dtype)
    layer = np.where(decided, labels.layers[0].astype(dtype), below.astype(dtype))
    making = Making("corrected", work.person, work.seconds)
    return _added(study, case_id, _with_rows_of(study, now, labels, layer), making, decided, now)


def accept_what_was_seen(
    study: Study, case_id: str, labels: Labelmap, work: Work, seen: Seen
) -> LabelVersion:
    """Store labels as accepted, also when the current labels are not those that the person saw.

    Args:
        study: Open.
        case_id: Name of the case.
        labels: On the grid of the case's volume, in one layer.
        work: By whom.
        seen: What the person has drawn on.

    Raises:
        SegmentationAIError: Another person has changed the case meanwhile, or as for
            `person.accept`; nothing was stored.
    """
    now, versions = study.current_version(case_id), _by_number(study, case_id)
    _check_is_there(case_id, versions, seen)
    if _number(now) == seen.version or not _holds_all(study, versions, now, labels, seen):
        return accept(study, case_id, labels, work, seen.version)
    check_known(labels, study.facts.labels)
    decided = _decided(study, versions, now, labels, seen)
    making = Making("accepted", work.person, work.seconds)
    return _added(study, case_id, labels, making, decided, now)


def changed_since_stored(
    study: Study, case_id: str, labels: Labelmap, seen: Seen
) -> NDArray[np.bool_]:
    """Return which voxels a person has changed that are in no version yet, a mask ``(I, J, K)``.

    Raises:
        SegmentationAIError: There is no such version, or the labels lie on another grid.
    """
    versions = _by_number(study, case_id)
    _check_is_there(case_id, versions, seen)
    layer = labels.layers[0]
    changed: NDArray[np.bool_] = layer != _voxels(study, versions.get(seen.version or 0), labels)
    stored = versions.get(seen.stored or 0)
    touched = None if stored is None else corrected_voxels(study, stored)
    if touched is not None:
        changed = np.where(touched, layer != _voxels(study, stored, labels), changed)
    return changed


def _decided(
    study: Study, versions: ByNumber, now: LabelVersion | None, labels: Labelmap, seen: Seen
) -> NDArray[np.bool_]:
    """Return where this person has decided now, or a person before: there ``labels`` count."""
    shown = versions.get(seen.version or 0)
    decided: NDArray[np.bool_] = labels.layers[0] != _voxels(study, shown, labels)
    for version in (shown, versions.get(seen.stored or 0), now):
        earlier = None if version is None else corrected_voxels(study, version)
        if earlier is not None:
            decided |= earlier
    return decided


def _holds_all(
    study: Study, versions: ByNumber, now: LabelVersion | None, labels: Labelmap, seen: Seen
) -> bool:
    """Return whether labels hold all that other persons have decided since they were seen."""
    known = {one.number for start in (seen.version, seen.stored) for one in _line(versions, start)}
    unseen = (one for one in _line(versions, _number(now)) if one.number not in known)
    # What was corrected before it counts as touched in the newest one too.
    newest = next((one for one in unseen if one.making.origin in BY_A_PERSON), None)
    if newest is None:
        return True
    touched = touched_voxels(study, newest)
    if touched is None:
        return False
    theirs = _voxels(study, newest, labels)
    return bool(np.array_equal(labels.layers[0][touched], theirs[touched]))


def _line(versions: ByNumber, start: int | None) -> Iterator[LabelVersion]:
    """Yield a version, then what it was made from, and so on."""
    one = versions.get(start or 0)
    while one is not None:
        yield one
        one = versions.get(one.parent or 0)


def _added(
    study: Study,
    case_id: str,
    labels: Labelmap,
    making: Making,
    decided: NDArray[np.bool_],
    now: LabelVersion | None,
) -> LabelVersion:
    is_kept = making.origin == "corrected" or decided.any()
    beside: Mapping[Role, Labelmap] = {}
    if is_kept:
        beside = {"touched": touched_labelmap(decided, labels.grid)}
    return add_version(study, case_id, NewVersion(labels, making, beside), _number(now))


def _with_rows_of(
    study: Study, version: LabelVersion | None, labels: Labelmap, layer: LabelArray
) -> Labelmap:
    """Return voxels of two labelmaps with the rows of both."""
    rows = list(labels.labels)
    known = {row.value for row in rows}
    below = () if version is None else read_version(study, version).labels
    rows += [row for row in below if row.value not in known]
    return Labelmap((layer,), tuple(rows), labels.affine)


def _voxels(study: Study, version: LabelVersion | None, labels: Labelmap) -> LabelArray:
    """Return the voxels of a version; background without one, as a case without labels is shown."""
    if version is None:
        return np.zeros(labels.grid.shape, np.uint8)
    found = read_version(study, version)
    check_same_grid(labels.grid, found.grid, ("the labels", f"version {version.number}"))
    return found.layers[0]


def _by_number(study: Study, case_id: str) -> ByNumber:
    return {version.number: version for version in study.versions(case_id)}


def _number(version: LabelVersion | None) -> int | None:
    return None if version is None else version.number


def _check_is_there(case_id: str, versions: ByNumber, seen: Seen) -> None:
    for number in (seen.version, seen.stored):
        if number is not None and number not in versions:
            there = ", ".join(str(one) for one in versions) or "none"
            raise SegmentationAIError(
                f"The case {case_id} has no version {number}; it has: {there}. Nothing was stored."
            )
