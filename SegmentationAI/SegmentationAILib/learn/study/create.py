"""Making a study: it is there whole, with its first labels, or it is not there.

The index is renamed into place last. A folder with the mark of an unfinished study and no index
was left by a kill; making the study again begins anew there, and nowhere else with files in it.
"""

import hashlib
import secrets
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Final

from ...core.atomic import flush_folder
from ...core.errors import SegmentationAIError
from ...core.labelmap import Label
from ...core.progress import IGNORE, Progress
from .held import held
from .index import INDEX
from .label_files import LABELS
from .label_table import labels_to_text
from .leak import check_no_leak
from .records import Case, LabelVersion, Making, State
from .schema import create_tables
from .source_folders import (
    FirstLabels,
    FoundCase,
    LabelTable,
    found_case,
    labels_for,
    volumes_in,
)
from .study import LOCKS, Facts, Study, now, open_study
from .versions import NewVersion, insert_version, make_current, stored_labels, this_person
from .weak_method import WeakMethod

UNFINISHED: Final = ".unfinished-study"
_STAGING: Final = ".study.sqlite.new"
# Of cases that fail for each that does not: with more, another folder must have been meant.
MOST_FAILED: Final = 3


@dataclass(frozen=True)
class StudySource:
    """What a study is made from.

    Attributes:
        images: Folder of the volumes; they stay there.
        weak_labels: Folder with a labelmap of the same name for each, which are copied; or the
            method that makes them now.
        base: ID of the network that each iteration starts from.
        base_sha256: Of its weights.
        base_labels: Its label table.
        references: Folder with reference labels for scores, None without any.
        hold_out: Share of the cases no network may learn from, 0 to under 1.
        seed: Chooses the held-out cases.
    """

    images: Path
    weak_labels: Path | WeakMethod
    base: str
    base_sha256: str
    base_labels: tuple[Label, ...] = ()
    references: Path | None = None
    hold_out: float = 0.0
    seed: int = 0


def create_study(folder: Path, source: StudySource, progress: Progress = IGNORE) -> Study:
    """Make a study and return it opened; a case that cannot be used says so in its state.

    Args:
        folder: Of the study: absent, empty, or left by a kill of this function.
        source: What it is made from; nothing of it is changed.
        progress: Told once per case.

    Raises:
        SegmentationAIError: The folder holds something else, no case can be used, or the same scan
            occurs twice where cases are held out. Nothing is left of the study.
    """
    _check_source(source)
    volumes = volumes_in(source.images)
    _claim(folder)
    refusal = f"The study {folder.name} is being made by another window; wait until it is done."
    with held(folder / LOCKS / "writing", refusal):
        _check_free(folder)
        shutil.rmtree(folder / LABELS, ignore_errors=True)
        try:
            _fill(folder, source, volumes, progress)
        except BaseException:
            _abandon(folder)
            raise
    (folder / UNFINISHED).unlink(missing_ok=True)
    return open_study(folder)


def _fill(folder: Path, source: StudySource, volumes: dict[str, Path], progress: Progress) -> None:
    """Write the labels of all cases, then the index that makes them a study."""
    table = LabelTable({label.value: label for label in source.base_labels})
    cases: list[Case] = []
    versions: list[LabelVersion] = []
    for key, (case_id, path) in enumerate(volumes.items(), 1):
        part = progress.part((key - 1) / len(volumes), key / len(volumes))
        part(0.0, f"Reading {case_id}")
        found = found_case(case_id, path, _first_labels(case_id, path, source.weak_labels, part))
        case, version = _entered(folder, key, found, table, _making(source.weak_labels))
        cases.append(case)
        versions += [version] if version else []
    _check_usable(cases, source)
    held_out = _held_out(cases, source)
    rows = [replace(case, is_held_out=case.id in held_out) for case in cases]
    if source.hold_out:
        check_no_leak(rows)
    facts = Facts(
        id=secrets.token_hex(8),
        images=str(source.images.resolve()),
        references="" if source.references is None else str(source.references.resolve()),
        base=source.base,
        base_sha256=source.base_sha256,
        labels=labels_to_text(table.rows()),
    )
    _write_index(folder, facts, rows, versions)


def _first_labels(
    case_id: str, path: Path, weak: Path | WeakMethod, progress: Progress
) -> FirstLabels:
    if isinstance(weak, Path):
        return labels_for(case_id, path, weak)
    told = Progress(lambda fraction, sentence: progress(fraction, f"{case_id}: {sentence}"))
    return lambda volume: weak.label(volume, told)


def _making(weak: Path | WeakMethod) -> Making:
    if isinstance(weak, Path):
        return Making("weak", this_person())
    return Making("weak", weak.name, network=weak.network, weights_sha256=weak.weights_sha256)


def _entered(
    folder: Path, key: int, found: FoundCase, table: LabelTable, making: Making
) -> tuple[Case, LabelVersion | None]:
    reason = found.reason
    if found.labels is not None and not reason:
        reason = table.take(found.labels)
    labels = None if reason else found.labels
    state: State = "failed" if reason else "new" if labels is None else "weak"
    case = Case(key, found.id, found.volume, found.volume_sha256, found.voxels_sha256,
                state, reason, False, 0.0, None if labels is None else 1)  # fmt: skip
    if labels is None:
        return case, None
    made_at = now()
    file = stored_labels(folder, case, 1, NewVersion(labels, making), made_at)
    return case, LabelVersion(key, 1, None, making, made_at, {"labels": file})


def _held_out(cases: Sequence[Case], source: StudySource) -> set[str]:
    """Return the names of the held-out cases: the same on every machine for a seed."""
    usable = [case.id for case in cases if case.state == "weak"]
    count = round(source.hold_out * len(usable))
    if source.hold_out and not 0 < count < len(usable):
        raise SegmentationAIError(
            f"A hold-out of {source.hold_out:g} of {len(usable)} cases is {count}; at least one "
            "case has to be held out and one to learn from: choose another share."
        )
    return set(sorted(usable, key=lambda name: _lot(source.seed, name))[:count])


def _lot(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode()).digest()


def _write_index(
    folder: Path, facts: Facts, cases: Sequence[Case], versions: Sequence[LabelVersion]
) -> None:
    staging = folder / _STAGING
    # Also the journal that a kill may have left: SQLite would play it into the new file.
    for left in (staging, staging.with_name(f"{_STAGING}-journal")):
        left.unlink(missing_ok=True)
    connection = sqlite3.connect(staging, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("BEGIN")
        create_tables(connection)
        names = [field.name for field in fields(Facts)]
        pairs = list(zip(names, astuple(facts), strict=True))
        connection.executemany("INSERT INTO facts VALUES (?, ?)", pairs)
        rows = [(*astuple(case)[:-1], None) for case in cases]
        marks = ", ".join("?" * 10)
        connection.executemany(f"INSERT INTO cases VALUES ({marks})", rows)
        for version in versions:
            insert_version(connection, version)
            make_current(connection, version.case, version)
        connection.execute("COMMIT")
    finally:
        connection.close()
    staging.rename(folder / INDEX)
    for changed in (folder, folder.parent):
        flush_folder(changed)


def _check_source(source: StudySource) -> None:
    for name, path in (("weak labels", source.weak_labels), ("references", source.references)):
        if isinstance(path, Path) and not path.is_dir():
            raise SegmentationAIError(f"{path.name} is not a folder; give that of the {name}.")
    if not 0.0 <= source.hold_out < 1.0:
        raise SegmentationAIError(
            f"A hold-out of {source.hold_out:g} was asked for; 0 to under 1 is possible."
        )


def _check_usable(cases: Sequence[Case], source: StudySource) -> None:
    """Raise when no case can be used, or so few that the folder cannot be the one that was meant.

    Raises:
        SegmentationAIError: With the reason of the first case.
    """
    usable = sum(case.state == "weak" for case in cases)
    if usable and sum(case.state == "failed" for case in cases) <= MOST_FAILED * usable:
        return
    first = next((f"The first: {c.id}: {c.reason}" for c in cases if c.reason), "")
    wanted = f"Labels of the volumes' names are expected in {source.weak_labels.name}."
    some = f"Only {usable}" if usable else "None"
    raise SegmentationAIError(
        f"{some} of the {len(cases)} cases {'have' if usable > 1 else 'has'} labels that can be "
        f"used. {first or wanted}"
    )


def _claim(folder: Path) -> None:
    """Make the folder ours, marked as unfinished before anything is put there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (folder / INDEX).exists() or (any(folder.iterdir()) and not _is_unfinished(folder)):
            _check_free(folder)
        (folder / UNFINISHED).touch()
        (folder / LOCKS).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SegmentationAIError(
            f"The folder {folder.name} cannot be made ({error.strerror}); choose another place."
        ) from error


def _check_free(folder: Path) -> None:
    if (folder / INDEX).exists():
        raise SegmentationAIError(
            f"{folder.name} is a study already; nothing was changed: choose another folder."
        )
    if not _is_unfinished(folder):
        raise SegmentationAIError(
            f"The folder {folder.name} holds other files; nothing was changed: choose one that is "
            "new or empty."
        )


def _is_unfinished(folder: Path) -> bool:
    return (folder / UNFINISHED).is_file()


def _abandon(folder: Path) -> None:
    """Remove what was made; the mark says that all of it is ours, and goes last."""
    for name in (LABELS, LOCKS):
        shutil.rmtree(folder / name, ignore_errors=True)
    with suppress(OSError):
        (folder / _STAGING).unlink(missing_ok=True)
        (folder / UNFINISHED).unlink(missing_ok=True)
        folder.rmdir()
