"""The journal of a session: what is needed to go on after the program was killed.

It holds the prompts and the differences that they made, never the scan itself: of the scan it keeps
the geometry and a checksum, so that a session is restored onto the same scan or not at all. Every
record is on the disk before the answer is shown.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from ..core.errors import FileFormatError, PromptError
from ..core.journal import Journal, Record, read_journal
from ..core.mask_history import PlacedMask, decoded, encoded
from ..core.prompt_file import prompt_from_row, row_of_prompt
from ..core.volume import Volume
from .mask_steps import Step
from .session_state import SessionState

FORMAT: Final = 1
SESSION, STEP, UNDO, REDO, RULES = "session", "step", "undo", "redo", "rules"


@dataclass(frozen=True)
class SessionFacts:
    """What a session was opened with.

    Attributes:
        engine: Its name.
        network: ID of the network, empty without one.
        structure: Name of the network's structure, empty when a click decides.
        shape: Of the scan, ``(C, I, J, K)``.
        affine: Of the scan, 16 numbers row by row.
        checksum: CRC-32 of its voxels.
    """

    engine: str
    network: str
    structure: str
    shape: tuple[int, ...]
    affine: tuple[float, ...]
    checksum: int


def facts_of(volume: Volume, engine: str, network: str, structure: str) -> SessionFacts:
    """Return the facts of a new session."""
    affine = tuple(float(number) for number in volume.affine.ravel())
    shape = tuple(int(n) for n in volume.voxels.shape)
    return SessionFacts(engine, network, structure, shape, affine, _checksum(volume))


def check_same_scan(facts: SessionFacts, volume: Volume) -> None:
    """Raise unless ``volume`` is the scan of the session.

    Raises:
        FileFormatError: It is another.
    """
    is_same = facts.shape == volume.voxels.shape and np.allclose(
        facts.affine, volume.affine.ravel(), rtol=0, atol=1e-6
    )
    if not is_same or facts.checksum != _checksum(volume):
        raise FileFormatError(
            "The journal belongs to another scan than the one that is open: open the scan that was "
            "being corrected, or discard the journal."
        )


def record_of(kind: Literal["undo", "redo"]) -> Record:
    """Return the record of an undo or a redo."""
    return Record(kind)


def record_of_facts(facts: SessionFacts) -> Record:
    """Return the first record of a journal."""
    return Record(SESSION, {"format": FORMAT, **vars(facts)})


def record_of_step(step: Step) -> Record:
    """Return the record of a step that was done."""
    facts = {
        "place": step.place,
        "kept": step.kept,
        "sets": step.sets,
        "removed": [row_of_prompt(prompt) for prompt in step.removed],
        "added": [row_of_prompt(prompt) for prompt in step.added],
    }
    return Record(STEP, facts, step.content)


def record_of_rules(mode: str, frozen: PlacedMask | None) -> Record:
    """Return the record of a mode and a frozen region that hold from now on."""
    if frozen is None:
        return Record(RULES, {"mode": mode, "place": None})
    place, content = encoded(frozen)
    return Record(RULES, {"mode": mode, "place": place}, content)


def step_of_record(record: Record) -> Step:
    """Return the step that `record_of_step` wrote.

    Raises:
        FileFormatError: The record is none.
    """
    facts = record.facts
    try:
        removed = tuple(prompt_from_row(row) for row in facts["removed"])
        added = tuple(prompt_from_row(row) for row in facts["added"])
        place, kept, sets = list(facts["place"]), int(facts["kept"]), bool(facts["sets"])
    except (KeyError, TypeError, ValueError, PromptError) as error:
        raise FileFormatError("A step in the journal of a session is damaged.") from error
    return Step(place, record.payload, kept, removed, added, sets)


def rules_of_record(record: Record) -> tuple[Any, PlacedMask | None]:
    """Return the mode and the frozen region of `record_of_rules`.

    Raises:
        FileFormatError: The record is none.
    """
    place = record.facts.get("place")
    frozen = None if place is None else decoded(list(place), record.payload)
    return record.facts.get("mode"), frozen


def read_session(path: Path) -> tuple[SessionFacts, list[Record], tuple[str, ...]]:
    """Return what a session was opened with, the records after that, and notes.

    Raises:
        FileFormatError: The file is no journal of a session.
    """
    records, notes = read_journal(path)
    if not records or records[0].kind != SESSION or records[0].facts.get("format") != FORMAT:
        raise FileFormatError(
            f"'{path.name}' is not the journal of a correction by this version; it was left alone."
        )
    try:
        given = {**records[0].facts}
        del given["format"]
        given["shape"] = tuple(int(n) for n in given["shape"])
        given["affine"] = tuple(float(n) for n in given["affine"])
        facts = SessionFacts(**given)
    except (KeyError, TypeError, ValueError) as error:
        raise FileFormatError(f"The first record of '{path.name}' is damaged.") from error
    return facts, records[1:], notes


def replay(record: Record, state: SessionState) -> None:
    """Do to a state what a record says was done.

    Raises:
        FileFormatError: The record is damaged, or does not follow those before it.
    """
    if record.kind == STEP:
        step = step_of_record(record)
        state.check_step(step)
        state.do(step)
    elif record.kind == UNDO:
        state.undo()
    elif record.kind == REDO:
        state.redo()
    elif record.kind == RULES:
        state.set_rules(*rules_of_record(record))


class SessionJournal:
    """Writes what happens; a full disk is said once and ends the journal, never the session.

    Args:
        folder: Made for the owner alone; None keeps no journal.
        records: What is known already.

    Raises:
        OSError: The folder or the file cannot be made.
    """

    def __init__(self, folder: Path | None, records: list[Record]) -> None:
        self._journal = None if folder is None else Journal(folder)
        if self._journal is not None:
            self._journal.append(records)

    @property
    def path(self) -> Path | None:
        """The file, None without one."""
        return None if self._journal is None else self._journal.path

    def append(self, record: Record) -> tuple[str, ...]:
        """Write a record; return a note when that was not possible."""
        if self._journal is None:
            return ()
        try:
            self._journal.append([record])
        except OSError as error:
            # What is in the file stays restorable; a gap behind it would not be.
            self._journal.close(delete=False)
            self._journal = None
            reason = error.strerror or "the disk is gone"
            return (f"The journal could not be written ({reason}): save your work.",)
        return ()

    def close(self) -> None:
        """End it and remove its file: nothing is left to be restored."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def _checksum(volume: Volume) -> int:
    checksum = 0
    for part in _parts(volume):
        checksum = zlib.crc32(part, checksum)
    return checksum


def _parts(volume: Volume) -> Iterator[bytes]:
    """The voxels plane by plane in one order, whatever the array's order in memory is."""
    for channel in volume.voxels:
        for k in range(channel.shape[2]):
            yield np.ascontiguousarray(channel[:, :, k]).tobytes()
