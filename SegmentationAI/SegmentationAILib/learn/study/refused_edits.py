"""Changes that a study has refused: kept in a file until a person says what becomes of them.

STUDY/refused/0007-<random>.seg.nrrd    labels as they were on the screen
STUDY/refused/0007-<random>.json        whose, when, made from which version; written last
"""

import json
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...core.atomic import whole_file
from ...core.errors import SegmentationAIError
from ...core.files import read_labelmap, write_labelmap
from ...core.labelmap import Labelmap
from ...core.one_layer import merged
from ...core.volume import check_same_grid
from ...networks.strict_json import json_from_bytes
from .label_files import ORPHANS
from .label_table import check_known
from .late_correction import Seen, changed_since_stored
from .person import Work, corrected_voxels, spend, touched_labelmap
from .records import LabelVersion, Making
from .study import Study, now
from .versions import NewVersion, add_version, read_version

REFUSED: Final = "refused"
_LARGEST_BYTES: Final = 1 << 16
_NAME: Final = re.compile(r"[0-9]{4,9}-[0-9a-f]{16}")


@dataclass(frozen=True)
class RefusedEdits:
    """Changes of a person that are in no version.

    Attributes:
        name: Of the files, without their endings.
        who: Made them.
        seconds: That the person spent.
        made_at: When they were refused, ISO 8601 in UTC.
        version: Number of the version that was seen, None for no labels.
        stored: What had been stored of it, see `Seen`.
        reason: Why they were refused.
    """

    name: str
    who: str
    seconds: float
    made_at: str
    version: int | None
    stored: int | None
    reason: str


def keep_refused(
    study: Study, case_id: str, labels: Labelmap, work: Work, seen: Seen, reason: str
) -> RefusedEdits:
    """Keep labels that a study has refused; they are on the disk when this returns.

    Args:
        study: Open; its index stays as it is.
        case_id: Name of the case.
        labels: Whatever was on the screen; layers may overlap.
        work: By whom.
        seen: What the person has drawn on.
        reason: Why they were refused.

    Raises:
        SegmentationAIError: They cannot be written; nothing is left of them.
    """
    folder = study.folder / REFUSED
    folder.mkdir(mode=0o700, exist_ok=True)
    name = f"{study.case(case_id).key:04d}-{secrets.token_hex(8)}"
    who, seconds = work.person, work.seconds
    kept = RefusedEdits(name, who, seconds, now(), seen.version, seen.stored, reason)
    write_labelmap(labels, _labels_of(study, name))
    with whole_file(_facts_of(study, name)) as temporary:
        temporary.write_text(json.dumps(asdict(kept), ensure_ascii=True), encoding="utf-8")
    return kept


def refused_of(study: Study, case_id: str) -> list[RefusedEdits]:
    """Return what was refused of a case, oldest first; what cannot be read is left out."""
    key = study.case(case_id).key
    found = []
    for path in (study.folder / REFUSED).glob(f"{key:04d}-*.json"):
        try:
            found.append(_read(study, path.stem))
        except SegmentationAIError:
            continue
    return sorted(found, key=lambda one: (one.made_at, one.name))


def take_up(study: Study, case_id: str, name: str) -> LabelVersion:
    """Put changes that were refused onto the current labels, as a corrected version.

    What was changed is as it was on the screen; all other voxels, and what persons have decided
    there, are as they are now. The files go to ``orphans`` once the version is stored.

    Args:
        study: Open.
        case_id: Name of the case.
        name: Of `RefusedEdits`.

    Raises:
        SegmentationAIError: They cannot be read or do not fit the study, or the case is accepted;
            everything is as it was.
    """
    kept = _read(study, _own_name(study, case_id, name))
    labels = merged(read_labelmap(_labels_of(study, name)))
    check_known(labels, study.facts.labels)
    changed = changed_since_stored(study, case_id, labels, Seen(kept.version, kept.stored))
    current = study.current_version(case_id)
    if current is None:
        below, earlier = Labelmap((np.zeros_like(labels.layers[0]),), (), labels.affine), None
    else:
        below, earlier = read_version(study, current), corrected_voxels(study, current)
    check_same_grid(labels.grid, below.grid, ("the changes", f"the labels of {case_id}"))
    dtype = np.promote_types(labels.layers[0].dtype, below.layers[0].dtype)
    layer = np.where(changed, labels.layers[0].astype(dtype), below.layers[0].astype(dtype))
    rows = {row.value: row for row in (*below.labels, *labels.labels)}
    touched = changed if earlier is None else changed | earlier
    new = NewVersion(
        Labelmap((layer,), tuple(rows.values()), labels.affine),
        Making("corrected", kept.who, kept.seconds),
        {"touched": touched_labelmap(touched, labels.grid)},
    )
    version = add_version(study, case_id, new, None if current is None else current.number)
    _move_away(study, name)
    return version


def put_off(study: Study, case_id: str, name: str) -> None:
    """Ask no more about changes that were refused; their files lie in ``orphans`` then.

    Raises:
        SegmentationAIError: There are none of that name.
    """
    kept = _read(study, _own_name(study, case_id, name))
    spend(study, case_id, kept.seconds)
    _move_away(study, name)


def _move_away(study: Study, name: str) -> None:
    (study.folder / ORPHANS).mkdir(exist_ok=True)
    # The facts first: without them nobody is asked, and the labels are still there.
    for path in (_facts_of(study, name), _labels_of(study, name)):
        path.replace(study.folder / ORPHANS / path.name)


def _read(study: Study, name: str) -> RefusedEdits:
    path = _facts_of(study, name)
    try:
        found = json_from_bytes(path.read_bytes(), path.name, _LARGEST_BYTES)
    except OSError as error:
        raise SegmentationAIError(
            f"The changes {name} are not there any more; another window has taken them up."
        ) from error
    if not isinstance(found, dict) or found.get("name") != name or not _is_facts(found):
        raise SegmentationAIError(f"{path.name} is damaged; the labels beside it can be opened.")
    return RefusedEdits(**found)


def _is_facts(found: dict[str, Any]) -> bool:
    texts, numbers = ("name", "who", "made_at", "reason"), ("version", "stored")
    return (
        set(found) == {*texts, *numbers, "seconds"}
        and all(isinstance(found[key], str) for key in texts)
        and all(found[key] is None or type(found[key]) is int for key in numbers)
        and type(found["seconds"]) in (int, float)
    )


def _own_name(study: Study, case_id: str, name: str) -> str:
    key = study.case(case_id).key
    if not _NAME.fullmatch(name) or not name.startswith(f"{key:04d}-"):
        raise SegmentationAIError(f"Nothing of the case {case_id} was refused as {name[:40]!a}.")
    return name


def _labels_of(study: Study, name: str) -> Path:
    return study.folder / REFUSED / f"{name}.seg.nrrd"


def _facts_of(study: Study, name: str) -> Path:
    return study.folder / REFUSED / f"{name}.json"
