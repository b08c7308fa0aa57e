"""What a training asks of the worker and what it answers, as frames.

Cases go over once, when they are collected; curves come back with the progress of the training, the
picture of the sample when it is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import numpy as np

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

TrainAction = Literal[
    "collect", "plan", "start", "pause", "go on", "stop", "sample", "picture", "keep", "roll back",
    "discard",
]  # fmt: skip
TRAIN_ACTIONS: Final[tuple[str, ...]] = get_args(TrainAction)
# One after the other: they read scans or compute for long. The others answer meanwhile.
LONG_ACTIONS: Final = ("collect", "plan", "start")
PICTURE: Final = "picture"
MOST_COLLECTED: Final = 10_000


@dataclass(frozen=True, eq=False)
class CollectedScan:
    """A case of a scene.

    Attributes:
        id: Becomes the name of its files.
        volume: The scan.
        labelmap: On its grid.
    """

    id: str
    volume: Volume
    labelmap: Labelmap


@dataclass(frozen=True, eq=False)
class TrainAsked:
    """One thing that is asked of a training.

    Attributes:
        action: ``collect`` brings the cases of a scene; ``plan`` and ``start`` say all of what is
            to be trained; the others name a training.
        name: Of the training; becomes the ID of the network.
        values: See `train_work`.
        cases: Of ``collect`` alone; their voxels must stay as they are until the call is over.
    """

    action: TrainAction
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    cases: tuple[CollectedScan, ...] = ()


@dataclass(frozen=True, eq=False)
class TrainAnswer:
    """What became of it.

    Attributes:
        facts: See `train_work`.
        picture: A PNG file, empty for none.
    """

    facts: Mapping[str, Any]
    picture: bytes = b""


def frame_of_training(asked: TrainAsked) -> Frame:
    """Return the frame that carries what is asked."""
    rows, arrays = [], dict[str, Array]()
    for number, case in enumerate(asked.cases):
        parts = (frame_of_volumes({}, case.volume, {}), frame_of_labelmap({}, case.labelmap))
        rows.append({"id": case.id, "scan": parts[0].header, "labels": parts[1].header})
        for part in parts:
            arrays |= {f"case {number} {name}": array for name, array in part.arrays.items()}
    header = {"action": asked.action, "name": asked.name, "values": dict(asked.values)}
    return Frame({**header, "cases": rows} if rows else header, arrays)


def scans_of_frame(frame: Frame) -> tuple[CollectedScan, ...]:
    """Return the cases that a frame brings; their arrays are views of its bytes.

    Raises:
        WorkerError: It brings none, or arrays that make none.
        GeometryError: A volume is placed where no scan is.
    """
    rows = frame.header.get("cases")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_COLLECTED:
        raise WorkerError("No cases came to learn from; choose a scan with a segmentation.")
    return tuple(_scan(frame, number, row) for number, row in enumerate(rows))


def frame_of_train_answer(answer: TrainAnswer) -> Frame:
    """Return the frame that carries an answer."""
    picture = np.frombuffer(answer.picture, np.uint8)
    return Frame({"facts": dict(answer.facts)}, {PICTURE: picture} if picture.size else {})


def train_answer_of_frame(frame: Frame) -> TrainAnswer:
    """Return the answer that a frame carries.

    Raises:
        WorkerError: It carries none.
    """
    facts, picture = frame.header.get("facts"), frame.arrays.get(PICTURE)
    if not isinstance(facts, dict):
        raise WorkerError("The worker's answer to a training is not understood.")
    return TrainAnswer(facts, b"" if picture is None else picture.tobytes())


def _scan(frame: Frame, number: int, row: Any) -> CollectedScan:
    prefix = f"case {number} "
    own = {k.removeprefix(prefix): a for k, a in frame.arrays.items() if k.startswith(prefix)}
    volume = {name: array for name, array in own.items() if name == FIRST}
    layers = {name: array for name, array in own.items() if name != FIRST}
    try:
        name, scan, labels = str(row["id"]), dict(row["scan"]), dict(row["labels"])
    except (KeyError, TypeError, ValueError) as error:
        raise WorkerError("A case came that is neither scan nor labels.") from error
    first, _ = volumes_of_frame(Frame(scan, volume))
    return CollectedScan(name, first, labelmap_of_frame(Frame(labels, layers)))
