"""Corrections that come in after an iteration has put its predictions in place of what was seen.

A person works on a case while the loop runs: what they have decided stays, the rest is predicted.
"""

from collections.abc import Sequence

import numpy as np

from ...core.labelmap import Labelmap
from ...core.volume import check_same_grid
from .person import Work, accept, correct, touched_labelmap, touched_voxels
from .records import LabelVersion, Making
from .study import Study
from .versions import NewVersion, add_version, read_version


def correct_what_was_seen(
    study: Study, case_id: str, labels: Labelmap, work: Work, seen: int | None
) -> LabelVersion:
    """Store a correction, also when a prediction has followed what the person saw.

    Voxels that the person changed, and those that persons had decided before, are as in ``labels``;
    where a prediction has followed, all others are as in it.

    Args:
        study: Open.
        case_id: Name of the case.
        labels: On the grid of the case's volume, in one layer.
        work: By whom.
        seen: Number of the version that the person saw.

    Raises:
        SegmentationAIError: Another person has changed the case meanwhile, or as for
            `person.correct`; nothing was stored.
    """
    now, versions = study.current_version(case_id), study.versions(case_id)
    before = next((v for v in versions if v.number == seen), None)
    if now is None or before is None or not _follows(versions, now, seen):
        return correct(study, case_id, labels, work, seen)
    old, predicted = read_version(study, before), read_version(study, now)
    check_same_grid(labels.grid, predicted.grid, ("the labels", "the prediction"))
    decided = labels.layers[0] != old.layers[0]
    earlier = touched_voxels(study, before)
    if earlier is not None:
        decided |= earlier
    dtype = np.promote_types(labels.layers[0].dtype, predicted.layers[0].dtype)
    layer = np.where(decided, labels.layers[0].astype(dtype), predicted.layers[0].astype(dtype))
    new = NewVersion(
        Labelmap((layer,), labels.labels, labels.affine),
        Making("corrected", work.person, work.seconds),
        {"touched": touched_labelmap(decided, labels.grid)},
    )
    return add_version(study, case_id, new, now.number)


def accept_what_was_seen(
    study: Study, case_id: str, labels: Labelmap, work: Work, seen: int | None
) -> LabelVersion:
    """Store labels as accepted, also when a prediction has followed what the person saw.

    Args:
        study: Open.
        case_id: Name of the case.
        labels: On the grid of the case's volume, in one layer.
        work: By whom.
        seen: Number of the version that the person saw.

    Raises:
        SegmentationAIError: Another person has changed the case meanwhile, or as for
            `person.accept`; nothing was stored.
    """
    now = study.current_version(case_id)
    has_followed = now is not None and _follows(study.versions(case_id), now, seen)
    return accept(study, case_id, labels, work, now.number if now and has_followed else seen)


def _follows(versions: Sequence[LabelVersion], now: LabelVersion, seen: int | None) -> bool:
    """Return whether predictions alone lead from the version that a person saw to the present."""
    by_number = {version.number: version for version in versions}
    one: LabelVersion | None = now
    while one is not None and one.number != seen and one.making.origin == "predicted":
        one = None if one.parent is None else by_number.get(one.parent)
    return one is not None and one.number == seen and one.number != now.number
