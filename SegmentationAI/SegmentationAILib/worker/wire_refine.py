"""What a correction asks of the worker and what it answers, as frames: differences alone travel.

Masks travel as bits, in Fortran order. The scan goes over once, when a correction is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..core.errors import PromptError
from ..core.prompt_file import prompt_from_row, row_of_prompt
from ..core.prompts import Prompt
from ..core.volume import Box, Volume
from .frame import Array, Frame
from .protocol import WorkerError
from .wire_volumes import FIRST, frame_of_volumes

Mask = NDArray[np.bool_]
RefineAction = Literal[
    "open", "prompt", "apply", "remove", "undo", "redo", "rules", "doubt", "keep", "close"
]
ACTIONS: Final[tuple[str, ...]] = get_args(RefineAction)
START: Final = "start"
FROZEN: Final = "frozen"
CHANGED: Final = "changed"
MOST_NOTES: Final = 100


@dataclass(frozen=True, eq=False)
class RefineAsked:
    """One thing that is asked of a correction.

    Attributes:
        action: ``open`` brings the scan and the mask to start from; all others name a session.
        session: What ``open`` answered.
        values: ``engine``, ``network``, ``structure``, ``device`` of ``open``; ``prompt`` (a row of
            `core.prompt_file`) and ``is_finished`` of ``prompt``; ``index`` of ``remove``;
            ``mode`` and ``run_mode`` of ``rules`` and ``open``; ``looked_at`` of ``doubt``; ``id``
            of ``keep``, which installs the network that the correction has adapted.
        volume: The scan; of ``open`` alone.
        masks: `START` and `FROZEN`, bool ``(I, J, K)``; a frozen one of no voxel frees all.
    """

    action: RefineAction
    session: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    volume: Volume | None = None
    masks: Mapping[str, Mask] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RefineAnswer:
    """What became of it.

    Attributes:
        session: Which correction.
        box: Half-open; nothing outside of it changed.
        mask: The mask inside the box now, None when the box is empty.
        prompts: Those that count, in order.
        waiting: Prompts that wait for ``apply``.
        undo_levels: Steps that can be undone.
        redo_levels: Steps that can be done again.
        notes: Sentences for the person.
        facts: Of ``doubt`` and ``keep``: see `refine_work`.
    """

    session: str
    box: Box
    mask: Mask | None
    prompts: tuple[Prompt, ...]
    waiting: tuple[Prompt, ...]
    undo_levels: int
    redo_levels: int
    notes: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


def frame_of_asked(asked: RefineAsked) -> Frame:
    """Return the frame that carries what is asked."""
    header = {"action": asked.action, "session": asked.session, "values": dict(asked.values)}
    header["masks"] = {name: list(mask.shape) for name, mask in asked.masks.items()}
    bits = {name: packed(mask) for name, mask in asked.masks.items() if mask.size}
    if asked.volume is None:
        return Frame(header, bits)
    frame = frame_of_volumes(header, asked.volume, {})
    return Frame(frame.header, {**frame.arrays, **bits})


def volume_frame(frame: Frame) -> Frame:
    """Return the part of a frame of ``open`` that `volumes_of_frame` reads."""
    arrays = {name: array for name, array in frame.arrays.items() if name == FIRST}
    return Frame(frame.header, arrays)


def mask_of_frame(frame: Frame, name: str, shape: tuple[int, ...]) -> Mask | None:
    """Return a mask that a frame brings for a grid; None when it brings none of that name.

    Raises:
        WorkerError: It is not on that grid.
    """
    shapes = frame.header.get("masks")
    if not isinstance(shapes, dict) or name not in shapes:
        return None
    if shapes[name] == [0, 0, 0]:
        return np.zeros((0, 0, 0), bool)
    if shapes[name] != list(shape):
        raise WorkerError("A correction brings a mask that is not on the grid of its scan.")
    return unpacked(frame.arrays.get(name), shape)


def frame_of_answer(answer: RefineAnswer) -> Frame:
    """Return the frame that carries an answer."""
    header = {
        "session": answer.session,
        "box": [list(answer.box.start_ijk), list(answer.box.stop_ijk)],
        "prompts": [row_of_prompt(prompt) for prompt in answer.prompts],
        "waiting": [row_of_prompt(prompt) for prompt in answer.waiting],
        "undo": answer.undo_levels,
        "redo": answer.redo_levels,
        "notes": list(answer.notes),
        "facts": dict(answer.facts),
    }
    arrays = {} if answer.mask is None else {CHANGED: packed(answer.mask)}
    return Frame(header, arrays)


def answer_of_frame(frame: Frame) -> RefineAnswer:
    """Return the answer that a frame carries.

    Raises:
        WorkerError: It carries none.
    """
    header = frame.header
    try:
        start, stop = (tuple(corner) for corner in header["box"])
        box = Box(start, stop)
        is_valid = all(len(c) == 3 and all(type(n) is int for n in c) for c in (start, stop))
        prompts, waiting = (
            tuple(prompt_from_row(row) for row in header[name]) for name in ("prompts", "waiting")
        )
        notes = tuple(str(note) for note in header["notes"][:MOST_NOTES])
        answer = RefineAnswer(
            str(header["session"]), box, None, prompts, waiting, int(header["undo"]),
            int(header["redo"]), notes, dict(header["facts"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, PromptError) as error:
        raise WorkerError("The worker's answer to a correction is not understood.") from error
    if not is_valid:
        raise WorkerError("The worker's answer to a correction is not understood.")
    if box.is_empty:
        return answer
    mask = unpacked(frame.arrays.get(CHANGED), box.shape)
    return RefineAnswer(
        answer.session, box, mask, prompts, waiting, answer.undo_levels, answer.redo_levels, notes,
        answer.facts,
    )  # fmt: skip


def packed(mask: Mask) -> Array:
    """Return a mask as bits, in Fortran order."""
    return np.packbits(mask.ravel(order="F"))


def unpacked(bits: Array | None, shape: tuple[int, ...]) -> Mask:
    """Return the mask of `packed`.

    Raises:
        WorkerError: There are not as many bits as voxels.
    """
    voxels = int(np.prod(shape, dtype=np.int64))
    if bits is None or bits.dtype != np.uint8 or bits.shape != ((voxels + 7) // 8,):
        raise WorkerError("A mask came over the line with another number of voxels than it says.")
    mask: Mask = np.unpackbits(bits, count=voxels).view(bool).reshape(shape, order="F")
    return mask
