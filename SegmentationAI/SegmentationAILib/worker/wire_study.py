"""What is asked of a study and what it answers, as frames: facts, a scan, labels.

A study lies in a folder of the computer that runs the worker; its files are read and written there
alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_args

import numpy as np

from ..core.errors import GeometryError
from ..core.labelmap import Labelmap
from ..core.volume import Volume
from .frame import Array, Frame
from .protocol import WorkerError
from .wire_volumes import (
    FIRST,
    frame_of_labelmap,
    frame_of_volumes,
    labelmap_of_frame,
    volumes_of_frame,
)

StudyAction = Literal[
    "list", "read", "history", "spend", "leave", "correct", "accept", "skip", "reopen",
    "take up", "put off", "rollback", "export",
    "open review", "next pair", "answer", "close review", "report", "run", "rank", "bases", "make",
]  # fmt: skip
ACTIONS: Final[tuple[str, ...]] = get_args(StudyAction)
# These train or run networks; all others answer while they do.
LONG_ACTIONS: Final = ("run", "rank")
# These need no study that is there.
FREE_ACTIONS: Final = ("bases", "make")
# Two for each of eight versions of a case.
MOST_LABELMAPS: Final = 16


@dataclass(frozen=True, eq=False)
class StudyAsked:
    """One thing that is asked of a study.

    Attributes:
        action: See `study_work` for what each takes and answers.
        folder: Of the study, absolute; empty for ``bases``.
        values: Plain values by name.
        labels: Of ``correct`` and ``accept``, on the grid of the case's scan.
    """

    action: StudyAction
    folder: str
    values: Mapping[str, Any] = field(default_factory=dict)
    labels: Labelmap | None = None


@dataclass(frozen=True, eq=False)
class StudyAnswer:
    """What became of it.

    Attributes:
        facts: Plain values by name.
        volume: A scan, None unless one was asked for.
        labelmaps: On the grid of the scan, by name.
    """

    facts: Mapping[str, Any]
    volume: Volume | None = None
    labelmaps: Mapping[str, Labelmap] = field(default_factory=dict)


def frame_of_study_asked(asked: StudyAsked) -> Frame:
    """Return the frame that carries what is asked."""
    header = {"action": asked.action, "study": asked.folder, "values": dict(asked.values)}
    labelmaps = {} if asked.labels is None else {"labels": asked.labels}
    return _with_labelmaps(header, {}, labelmaps)


def study_asked_of_frame(frame: Frame) -> StudyAsked:
    """Return what a frame asks.

    Raises:
        WorkerError: It asks nothing that a study can do.
    """
    header = frame.header
    action, folder, values = (header.get(name) for name in ("action", "study", "values"))
    if action not in ACTIONS or not isinstance(folder, str) or not isinstance(values, dict):
        raise WorkerError(f"A study can {', '.join(ACTIONS)}; {ascii(action)[:40]} came.")
    return StudyAsked(action, folder, values, _labelmaps(frame).get("labels"))


def frame_of_study_answer(answer: StudyAnswer) -> Frame:
    """Return the frame that carries an answer."""
    header: dict[str, Any] = {"facts": dict(answer.facts)}
    arrays: dict[str, Array] = {}
    if answer.volume is not None:
        carried = frame_of_volumes({}, answer.volume, {})
        header["volumes"], arrays = carried.header["volumes"], dict(carried.arrays)
    return _with_labelmaps(header, arrays, answer.labelmaps)


def study_answer_of_frame(frame: Frame) -> StudyAnswer:
    """Return the answer that a frame carries; its arrays are copies, the frame's bytes can go.

    Raises:
        WorkerError: It carries none.
    """
    facts = frame.header.get("facts")
    if not isinstance(facts, dict):
        raise WorkerError("The worker's answer of a study is not understood.")
    volume = None
    try:
        if FIRST in frame.arrays:
            places = {"volumes": frame.header.get("volumes")}
            volume, _ = volumes_of_frame(Frame(places, {FIRST: frame.arrays[FIRST]}))
            volume = replace(volume, voxels=np.array(volume.voxels))
        labelmaps = {
            name: replace(one, layers=tuple(np.array(layer) for layer in one.layers))
            for name, one in _labelmaps(frame).items()
        }
    except GeometryError as error:
        raise WorkerError("The worker's answer of a study is not understood.") from error
    return StudyAnswer(facts, volume, labelmaps)


def _with_labelmaps(
    header: Mapping[str, Any], arrays: Mapping[str, Array], labelmaps: Mapping[str, Labelmap]
) -> Frame:
    everything, tables = dict(arrays), {}
    for name, labelmap in labelmaps.items():
        carried = frame_of_labelmap({}, labelmap)
        tables[name] = carried.header
        everything |= {f"{name} {key}": array for key, array in carried.arrays.items()}
    return Frame({**header, "labelmaps": tables}, everything)


def _labelmaps(frame: Frame) -> dict[str, Labelmap]:
    tables = frame.header.get("labelmaps", {})
    if not isinstance(tables, dict) or len(tables) > MOST_LABELMAPS:
        raise WorkerError("The labels that came with a study are not understood.")
    found = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise WorkerError("The labels that came with a study are not understood.")
        start = f"{name} "
        arrays = {
            key.removeprefix(start): array
            for key, array in frame.arrays.items()
            if key.startswith(start)
        }
        found[name] = labelmap_of_frame(Frame(table, arrays))
    return found
