"""A study on the disk: opened, checked, read. What changes it is in the files beside this one.

STUDY/study.sqlite      cases, versions, iterations, reviews
STUDY/labels/0007/...   label files of case 7, each written once
STUDY/networks/...      what each iteration trained
STUDY/refused/...       drawn by a person and not taken by the study: waits for a decision
STUDY/orphans/...       files that a kill left unknown to the index
STUDY/locks/...         held by living windows, meaningless otherwise
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ...core.errors import SegmentationAIError
from ...core.progress import IGNORE, Progress
from .held import HeldElsewhereError, held
from .index import INDEX, reading
from .label_files import LABELS, path_of, set_orphans_aside
from .records import Case, LabelVersion, Role
from .rows import CASES, FILES, VERSIONS, case_of, versions_of
from .schema import check_tables

LOCKS: Final = "locks"
NETWORKS: Final = "networks"
WRITING_SECONDS: Final = 60.0
# What the index says of itself besides `Facts`, while a run is under way.
RUN: Final = "run"


@dataclass(frozen=True)
class Facts:
    """What was said when the study was made.

    Attributes:
        id: Random, by which the study knows what is its own elsewhere.
        images: Folder of the volumes; they are read where they are and never copied.
        references: Folder of reference labels, empty without any; read for scores alone.
        base: ID of the network that each iteration starts from.
        base_sha256: Of its weights.
        labels: JSON of the label table, as in a network's card.
    """

    id: str
    images: str
    references: str
    base: str
    base_sha256: str
    labels: str


@dataclass(frozen=True)
class Study:
    """An opened study.

    Attributes:
        folder: Where it lies.
        facts: What was said when it was made.
        set_aside: Files found on opening that the index did not know; they lie in ``orphans``.
    """

    folder: Path
    facts: Facts
    set_aside: int = 0

    @property
    def index(self) -> Path:
        """Return the path of the index."""
        return self.folder / INDEX

    def cases(self) -> list[Case]:
        """Return all cases in the order of their names."""
        with reading(self.index) as connection:
            return [case_of(row) for row in connection.execute(f"{CASES} ORDER BY id")]

    def case(self, case_id: str) -> Case:
        """Return a case.

        Raises:
            SegmentationAIError: There is none of that name; the message names some there are.
        """
        with reading(self.index) as connection:
            return case_named(connection, case_id)

    def versions(self, case_id: str) -> list[LabelVersion]:
        """Return all label versions of a case, oldest first."""
        with reading(self.index) as connection:
            key = case_named(connection, case_id).key
            rows = connection.execute(f"{VERSIONS} WHERE case_key = ? ORDER BY number", (key,))
            files = connection.execute(f"{FILES} WHERE case_key = ?", (key,))
            return versions_of(rows.fetchall(), files.fetchall())

    def current_version(self, case_id: str) -> LabelVersion | None:
        """Return the current version of a case, None when it has no labels."""
        number = self.case(case_id).current
        return next((v for v in self.versions(case_id) if v.number == number), None)

    def file(self, version: LabelVersion, role: Role = "labels") -> Path | None:
        """Return the path of a version's file, its hash checked; None when it has no such file.

        Raises:
            SegmentationAIError: The file is missing or was changed.
        """
        stored = version.files.get(role)
        return None if stored is None else path_of(self.folder, stored)

    def volume_path(self, case: Case) -> Path:
        """Return where the volume of a case lies.

        Raises:
            SegmentationAIError: The index names something beyond the folder of the volumes.
        """
        return Path(self.facts.images) / plain_name(case.volume)

    @contextmanager
    def writing_alone(self, progress: Progress = IGNORE) -> Iterator[None]:
        """Keep other windows from writing files and index during the block; they wait."""
        refusal = (
            f"Another window has been writing to the study {self.folder.name} for "
            f"{WRITING_SECONDS:.0f} s; nothing was changed: try again when it is done."
        )
        with held(self.folder / LOCKS / "writing", refusal, WRITING_SECONDS, progress):
            yield

    @contextmanager
    def running_alone(self) -> Iterator[None]:
        """Keep a second run of the loop from beginning during the block."""
        refusal = (
            f"The study {self.folder.name} is being relabelled by another window; watch it with "
            "relabel status, or wait until it is done."
        )
        with held(self.folder / LOCKS / "running", refusal):
            yield

    @contextmanager
    def holding(self, case: Case) -> Iterator[None]:
        """Keep other windows from opening a case during the block.

        Raises:
            SegmentationAIError: It is open in another window.
        """
        refusal = f"The case {case.id} is open in another window; choose another case."
        with held(self.folder / LOCKS / f"case-{case.key}", refusal):
            yield


def open_study(folder: Path) -> Study:
    """Open a study, having checked its index and set aside what a kill has left.

    Args:
        folder: Of the study.

    Raises:
        SegmentationAIError: It is no study, or its index is damaged.
    """
    folder = folder.resolve()
    with reading(folder / INDEX) as connection:
        check_tables(connection, folder.name)
        facts = _facts(connection, folder.name)
    for name in (LABELS, LOCKS, NETWORKS):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    return Study(folder, facts, _swept(folder))


def case_named(connection: sqlite3.Connection, case_id: str) -> Case:
    """Return a case by its name, within a transaction.

    Raises:
        SegmentationAIError: There is none of that name; the message names some there are.
    """
    row = connection.execute(f"{CASES} WHERE id = ?", (case_id,)).fetchone()
    if row is None:
        names = connection.execute("SELECT id FROM cases ORDER BY id LIMIT 5").fetchall()
        known = ", ".join(str(name) for (name,) in names)
        raise SegmentationAIError(f"There is no case {case_id}; there are: {known}, ...")
    return case_of(row)


def _swept(folder: Path) -> int:
    """Set aside what a kill has left, unless another window is writing right now."""
    try:
        with held(folder / LOCKS / "writing", "writing"), reading(folder / INDEX) as connection:
            known = [row[0] for row in connection.execute("SELECT name FROM files")]
            return set_orphans_aside(folder, known)
    except HeldElsewhereError:
        return 0


def _facts(connection: sqlite3.Connection, name: str) -> Facts:
    found = dict(connection.execute("SELECT name, value FROM facts WHERE name <> ?", (RUN,)))
    wanted = {field.name for field in fields(Facts)}
    if set(found) != wanted:
        raise SegmentationAIError(
            f"The index of {name} says {sorted(found)} of itself and {sorted(wanted)} was "
            "expected; restore study.sqlite from a backup."
        )
    return Facts(**found)


def plain_name(name: str) -> str:
    """Return ``name`` when it names something in a folder and nothing beyond it.

    Raises:
        SegmentationAIError: It leads elsewhere.
    """
    forbidden = "/\0\\:" if os.name == "nt" else "/\0"
    if name in ("", ".", "..") or any(c in name for c in forbidden):
        raise SegmentationAIError(
            f"The index names the volume {name[:80]!a}, which leads out of its folder; restore "
            "study.sqlite from a backup."
        )
    return name


def now() -> str:
    """Return the time as the index has it: ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
