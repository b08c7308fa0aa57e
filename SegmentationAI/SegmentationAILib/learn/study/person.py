"""What a person does with a case: accept, correct, skip, reopen. All of it stays for good."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError
from ...core.files import read_labelmap, read_volume
from ...core.labelmap import Label, Labelmap
from ...core.volume import Grid, Volume, check_same_grid
from .index import writing
from .label_table import check_known
from .records import STATE_OF_ORIGIN, Case, LabelVersion, Making, Role, State
from .source_folders import labelmap_on, sha256_of_volume
from .study import Study, case_named
from .versions import NewVersion, add_seconds, add_version, read_version, this_person

TOUCHED = Label(1, "Touched", (1.0, 0.8, 0.0))


@dataclass(frozen=True)
class Work:
    """Who worked on a case and for how long.

    Attributes:
        who: Name of the person, empty for the one logged in on this computer.
        seconds: Spent on it.

    Raises:
        SegmentationAIError: The time is negative or no number.
    """

    who: str = ""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.seconds < math.inf:
            raise SegmentationAIError(
                f"{self.seconds:g} s were spent on the case; 0 or more were expected."
            )

    @property
    def person(self) -> str:
        """Return the name that is recorded."""
        return self.who or this_person()


def accept(
    study: Study, case_id: str, labels: Path | Labelmap, work: Work, based_on: int | None
) -> LabelVersion:
    """Store labels as accepted: no prediction takes their place, and they weigh more.

    Args:
        study: Open.
        case_id: Name of the case.
        labels: The labels, or their file, on the grid of the case's volume.
        work: By whom.
        based_on: Number of the version that the person saw.

    Raises:
        SegmentationAIError: They cannot be read or lie on another grid, or the case has changed
            meanwhile; nothing was stored.
    """
    return _stored_by_person(study, case_id, labels, Making("accepted", work.person, work.seconds),
                             based_on)  # fmt: skip


def correct(
    study: Study, case_id: str, labels: Path | Labelmap, work: Work, based_on: int | None
) -> LabelVersion:
    """Store labels of which a person has changed some voxels: those voxels stay as they are.

    What differs from the version before, and what was touched before that, is kept beside the
    labels; predictions fill the other voxels.

    Args:
        study: Open.
        case_id: Name of the case.
        labels: As for `accept`.
        work: By whom.
        based_on: Number of the version that the person saw.

    Raises:
        SegmentationAIError: As for `accept`, or the case is accepted.
    """
    return _stored_by_person(study, case_id, labels,
                             Making("corrected", work.person, work.seconds), based_on)  # fmt: skip


def skip(study: Study, case_id: str) -> None:
    """Leave a case out of the loop and the export until it is reopened.

    Raises:
        SegmentationAIError: It is accepted or failed.
    """
    with writing(study.index) as connection:
        case = case_named(connection, case_id)
        if case.state in ("accepted", "failed"):
            raise SegmentationAIError(
                f"The case {case_id} is {case.state} and cannot be skipped; reopen it first."
            )
        connection.execute("UPDATE cases SET state = 'skipped' WHERE key = ?", (case.key,))


def reopen(study: Study, case_id: str) -> None:
    """Take a skipped or accepted case back into the loop, with the labels it has.

    The whole of an accepted case is no longer confirmed then: the next prediction takes its place,
    but for the voxels that a person changed, which stay. A failed case is tried again: its volume
    has to be readable and the same as before; an accepted one comes back accepted.

    Raises:
        SegmentationAIError: The volume of a failed case is still not as it should be.
    """
    case = study.case(case_id)
    if case.state == "failed":
        read_volume_of(study, case)
    with writing(study.index) as connection:
        case = case_named(connection, case_id)
        current = next((v for v in study.versions(case_id) if v.number == case.current), None)
        state: State = "new" if current is None else current.state
        if case.state == "failed" and current is not None:
            state = STATE_OF_ORIGIN[current.making.origin]
        connection.execute(
            "UPDATE cases SET state = ?, reason = '' WHERE key = ?", (state, case.key)
        )


def spend(study: Study, case_id: str, seconds: float) -> None:
    """Add to the time that persons have spent on a case that was looked at and left as it is.

    Args:
        study: Open.
        case_id: Name of the case.
        seconds: 0 or more.
    """
    with writing(study.index) as connection:
        add_seconds(connection, case_named(connection, case_id).key, seconds)


def fail(study: Study, case_id: str, reason: str) -> None:
    """Keep a case out of the loop for a reason; its versions stay."""
    with writing(study.index) as connection:
        connection.execute(
            "UPDATE cases SET state = 'failed', reason = ? WHERE id = ?", (reason, case_id)
        )


def read_volume_of(study: Study, case: Case) -> Volume:
    """Return the volume of a case, the one that it had when the study was made.

    Raises:
        SegmentationAIError: It cannot be read, or was changed since.
    """
    path = study.volume_path(case)
    if not path.exists():
        raise SegmentationAIError(
            f"The volume {path.name} is not in its folder any more; put it back."
        )
    if case.volume_sha256 and sha256_of_volume(path) != case.volume_sha256:
        raise SegmentationAIError(
            f"The volume {path.name} was changed after the study was made; put the old one back, "
            "or make a new study."
        )
    return read_volume(path)


def touched_voxels(study: Study, version: LabelVersion) -> NDArray[np.bool_] | None:
    """Return where persons have decided, a mask ``(I, J, K)``; None where nobody has.

    Args:
        study: Open.
        version: Of labels; of an accepted one all voxels were decided.
    """
    if version.making.origin in ("accepted", "drawn"):
        return np.ones(read_version(study, version).grid.shape, bool)
    return corrected_voxels(study, version)


def corrected_voxels(study: Study, version: LabelVersion) -> NDArray[np.bool_] | None:
    """Return which voxels of a version persons have changed, None where nobody has.

    Args:
        study: Open.
        version: Of labels; accepted ones keep what was changed before and when they were accepted.
    """
    path = study.file(version, "touched")
    if path is None:
        return None
    found: NDArray[np.bool_] = read_labelmap(path).layers[0] != 0
    return found


def touched_labelmap(mask: NDArray[np.bool_], grid: Grid) -> Labelmap:
    """Return a mask as it is kept beside a version."""
    return Labelmap((mask.astype(np.uint8),), (TOUCHED,), grid.affine)


def _stored_by_person(
    study: Study, case_id: str, labels: Path | Labelmap, making: Making, based_on: int | None
) -> LabelVersion:
    case = study.case(case_id)
    grid = read_volume_of(study, case).grid
    if isinstance(labels, Path):
        labels = labelmap_on(grid, labels, case.volume)
    check_same_grid(labels.grid, grid, ("the labels", f"the volume {case.volume}"))
    check_known(labels, study.facts.labels)
    before = study.current_version(case_id)
    if before is None or before.number != based_on:
        # What was touched depends on what the person saw; `add_version` refuses in a sentence.
        beside: Mapping[Role, Labelmap] = {}
    else:
        beside = _touched_beside(study, before, labels, making)
    return add_version(study, case_id, NewVersion(labels, making, beside), based_on)


def _touched_beside(
    study: Study, before: LabelVersion, labels: Labelmap, making: Making
) -> Mapping[Role, Labelmap]:
    try:
        mask = labels.layers[0] != read_version(study, before).layers[0]
        earlier = corrected_voxels(study, before)
    except SegmentationAIError:
        if making.origin != "accepted":
            raise
        # Labels that nobody can read any more must not keep new ones out: all of these are new.
        mask, earlier = np.ones(labels.grid.shape, bool), None
    if earlier is not None:
        mask |= earlier
    if making.origin == "accepted" and not mask.any():
        return {}
    return {"touched": touched_labelmap(mask, labels.grid)}
