"""Adding label versions to a study: the file first, then the index, then nobody changes either."""

import getpass
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ...core.errors import SegmentationAIError
from ...core.files import read_labelmap, write_labelmap, write_volume
from ...core.labelmap import Labelmap, Provenance
from ...core.progress import IGNORE, Progress
from ...core.volume import Volume
from .index import writing
from .label_files import store_file
from .label_table import labels_from_text
from .records import BY_A_PERSON, STATE_OF_ORIGIN, Case, LabelVersion, Making, Role, StoredFile
from .study import Study, case_named, now

LONGEST_NAME: Final = 200


class CaseChangedError(SegmentationAIError):
    """The labels of a case are others than those that were seen."""


@dataclass(frozen=True)
class NewVersion:
    """A label version before it is stored.

    Attributes:
        labelmap: On the grid of the case's volume.
        making: How it came to be.
        beside: Further files: ``touched`` a labelmap, ``doubt`` and ``votes`` volumes.
        is_current: Whether it takes the place of the current version; predictions of an iteration
            that is not complete do not.
    """

    labelmap: Labelmap
    making: Making
    beside: Mapping[Role, Labelmap | Volume] = field(default_factory=dict)
    is_current: bool = True


def add_version(
    study: Study,
    case_id: str,
    new: NewVersion,
    based_on: int | None,
    progress: Progress = IGNORE,
) -> LabelVersion:
    """Store a version; when this returns it is on the disk for good.

    Args:
        study: Open.
        case_id: Name of the case.
        new: The version.
        based_on: Number of the version it was made from, None where there was none; to become
            current, it has to follow the current one.
        progress: Told while another window writes.

    Raises:
        CaseChangedError: The case has changed since ``based_on``; nothing was changed.
        SegmentationAIError: It is accepted and a prediction would take its place, or the disk
            refuses; nothing was changed.
    """
    with study.writing_alone(progress):
        case = study.case(case_id)
        _check_fits(study, case, new, based_on)
        number = 1 + max((v.number for v in study.versions(case_id)), default=0)
        made_at = now()
        files: dict[Role, StoredFile] = {}
        files["labels"] = stored_labels(study.folder, case, number, new, made_at)
        for role, content in new.beside.items():
            files[role] = _store(study.folder, case, number, role, content)
        version = LabelVersion(case.key, number, based_on, new.making, made_at, files)
        with writing(study.index) as connection:
            # Again, now that nobody else can write: a state may have changed with the file on its
            # way.
            _check_fits(study, case_named(connection, case_id), new, based_on)
            insert_version(connection, version)
            if new.is_current:
                make_current(connection, case.key, version)
            add_seconds(connection, case.key, new.making.seconds)
    return version


def read_version(study: Study, version: LabelVersion) -> Labelmap:
    """Return the labels of a version, named and colored as the study has it.

    What persons gave may have no names of its own, or other colors: one structure of an export must
    not become two by that.

    Raises:
        SegmentationAIError: The file is missing, changed or damaged.
    """
    path = study.file(version)
    if path is None:
        raise SegmentationAIError(f"Version {version.number} has no label file; restore the study.")
    found = read_labelmap(path)
    table = {label.value: label for label in labels_from_text(study.facts.labels)}
    rows = [(label, table.get(label.value, label)) for label in found.labels]
    return found.with_names([replace(a, name=b.name, color=b.color) for a, b in rows])


def stored_labels(
    folder: Path, case: Case, number: int, new: NewVersion, made_at: str
) -> StoredFile:
    """Write the labels of a version, each row signed with how it came to be.

    Args:
        folder: Of the study.
        case: Whose labels they are.
        number: Of the version.
        new: The version.
        made_at: ISO 8601 in UTC.
    """
    return _store(folder, case, number, "labels", _signed(new, made_at))


def insert_version(connection: sqlite3.Connection, version: LabelVersion) -> None:
    """Enter a version whose files are on the disk."""
    making = version.making
    connection.execute(
        "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (version.case, version.number, version.parent, making.origin, making.who[:LONGEST_NAME],
         making.seconds, making.network, making.weights_sha256, making.iteration,
         version.made_at),
    )  # fmt: skip
    for role, file in version.files.items():
        connection.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?)",
            (version.case, version.number, role, file.name, file.sha256),
        )


def make_current(connection: sqlite3.Connection, case: int, version: LabelVersion) -> None:
    """Make a version the current one of its case, and the case's state that of its origin."""
    connection.execute(
        "UPDATE cases SET current = ?, state = ?, reason = '' WHERE key = ?",
        (version.number, STATE_OF_ORIGIN[version.making.origin], case),
    )


def add_seconds(connection: sqlite3.Connection, case: int, seconds: float) -> None:
    """Add to the time that persons have spent on a case."""
    connection.execute(
        "UPDATE cases SET seconds_spent = seconds_spent + ? WHERE key = ?", (seconds, case)
    )


def this_person() -> str:
    """Return the name under which this person works on this computer, empty when unknown."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _check_fits(study: Study, case: Case, new: NewVersion, based_on: int | None) -> None:
    """Check that a version may become current; one that does not become so always may."""
    if not new.is_current:
        return
    if case.state == "accepted" and new.making.origin not in BY_A_PERSON:
        raise SegmentationAIError(f"The case {case.id} is accepted; no prediction replaces it.")
    if case.state == "accepted" and new.making.origin != "accepted":
        raise SegmentationAIError(
            f"The case {case.id} is accepted; reopen it before it is corrected."
        )
    if case.current == based_on:
        return
    newer = study.current_version(case.id)
    what = "no labels" if newer is None else f"version {newer.number} ({newer.making.origin}"
    if newer is not None:
        who = f" by {newer.making.who}" if newer.making.who else ""
        what += f"{who}, {newer.made_at})"
    seen = "no labels" if based_on is None else f"version {based_on}"
    raise CaseChangedError(
        f"The case {case.id} was changed by another window: it had {seen} when it was opened and "
        f"has {what} now. Nothing was stored; open it again."
    )


def _signed(new: NewVersion, made_at: str) -> Labelmap:
    making = new.making
    signature = Provenance(
        making.origin, making.network, making.weights_sha256, making.iteration, made_at
    )
    rows = [replace(row, provenance=signature) for row in new.labelmap.labels]
    return new.labelmap.with_names(rows)


def _store(
    folder: Path, case: Case, number: int, role: Role, content: Labelmap | Volume
) -> StoredFile:
    def write(path: Path) -> None:
        if isinstance(content, Labelmap):
            write_labelmap(content, path)
        else:
            write_volume(content, path)

    return store_file(folder, case.key, number, role, write)
