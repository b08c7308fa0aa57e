"""Rows of the index to values: a value that cannot be one is an error, never taken as it is."""

from collections.abc import Sequence
from typing import Any, Final, cast, get_args

from ...core.errors import SegmentationAIError
from ...core.labelmap import Origin
from .records import ROLES, STATES, Case, Iteration, LabelVersion, Making, Role, State, StoredFile

CASES: Final = (
    "SELECT key, id, volume, volume_sha256, voxels_sha256, state, reason, is_held_out, "
    "seconds_spent, current FROM cases"
)
VERSIONS: Final = (
    "SELECT case_key, number, parent, origin, who, seconds, network, weights_sha256, iteration, "
    "made_at FROM versions"
)
FILES: Final = "SELECT case_key, number, role, name, sha256 FROM files"
ITERATIONS: Final = (
    "SELECT number, settings, base_sha256, weights_sha256, dice_to_previous, volume_change, "
    "holdout_dice, verdict, is_finished, is_rolled_back, made_at, seconds FROM iterations"
)
_ORIGINS: Final = get_args(Origin)

Row = Sequence[Any]


def case_of(row: Row) -> Case:
    """Return the case of a row of `CASES`."""
    state = cast(State, _one_of(STATES, row[5], "state"))
    return Case(
        key=row[0],
        id=row[1],
        volume=row[2],
        volume_sha256=row[3],
        voxels_sha256=row[4],
        state=state,
        reason=row[6],
        is_held_out=bool(row[7]),
        seconds_spent=row[8],
        current=row[9],
    )


def versions_of(rows: Sequence[Row], files: Sequence[Row]) -> list[LabelVersion]:
    """Return the versions of rows of `VERSIONS` with their files, rows of `FILES`."""
    by_version: dict[tuple[int, int], dict[Role, StoredFile]] = {}
    for case, number, role, name, sha256 in files:
        known = cast(Role, _one_of(ROLES, role, "role"))
        by_version.setdefault((case, number), {})[known] = StoredFile(name, sha256)
    return [
        LabelVersion(
            case=row[0],
            number=row[1],
            parent=row[2],
            making=Making(
                cast(Origin, _one_of(_ORIGINS, row[3], "origin")), row[4], row[5], *row[6:9]
            ),
            made_at=row[9],
            files=by_version.get((row[0], row[1]), {}),
        )
        for row in rows
    ]


def iteration_of(row: Row) -> Iteration:
    """Return the iteration of a row of `ITERATIONS`."""
    return Iteration(
        number=row[0],
        settings=row[1],
        base_sha256=row[2],
        weights_sha256=row[3],
        dice_to_previous=row[4],
        volume_change=row[5],
        holdout_dice=row[6],
        verdict=row[7],
        is_finished=bool(row[8]),
        is_rolled_back=bool(row[9]),
        made_at=row[10],
        seconds=row[11],
    )


def _one_of(known: Sequence[str], found: str, what: str) -> str:
    if found not in known:
        raise SegmentationAIError(
            f"The index has the {what} {found[:40]!a}; one of {', '.join(known)} was expected: "
            "restore study.sqlite from a backup."
        )
    return found
