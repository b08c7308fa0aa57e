"""What becomes of an engine's proposal: what a person said holds, what is frozen stays."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..core.mask_history import PlacedMask, meets, union
from ..core.prompts import PointPrompt, ScribblePrompt
from ..core.volume import Box, Volume
from .engine import Answer, Turn

Mask = NDArray[np.bool_]
Mode = Literal["add and remove", "add only", "remove only"]


def ruled(turn: Turn, answer: Answer, mode: Mode, frozen: PlacedMask | None) -> tuple[Box, Mask]:
    """Return a box and which of its voxels turn over.

    In this order: the proposal; voxels that are NaN keep what they were, as no engine can know
    them; the voxels under points and scribbles become what was said of them, the later prompt wins;
    in add-only mode nothing leaves, in remove-only mode nothing comes; what is frozen keeps what it
    was.

    Args:
        turn: What was asked.
        answer: What the engine proposed; not changed.
        mode: Of the session.
        frozen: Voxels that may not change, on the volume's grid; None for none.
    """
    box = answer.box
    for prompt, placed in zip(turn.prompts[-turn.new :], turn.placed[-turn.new :], strict=True):
        if isinstance(prompt, PointPrompt | ScribblePrompt):
            box = union(box, placed.box)
    old = turn.mask[box.slices]
    # The order of the mask: else a large box is turned over in memory twice, 50 ms.
    new = old.copy(order="K")
    if not answer.box.is_empty:
        new[_within(answer.box, box)] = answer.mask
    unknown = _unknown(turn.volume, box)
    if unknown is not None:
        np.copyto(new, old, where=unknown)
    _say(turn, box, new)
    if mode == "add only":
        new |= old
    elif mode == "remove only":
        new &= old
    if frozen is not None:
        np.copyto(new, old, where=frozen.within(box))
    return box, new ^ old


def _say(turn: Turn, box: Box, new: Mask) -> None:
    for prompt, placed in zip(turn.prompts, turn.placed, strict=True):
        if not isinstance(prompt, PointPrompt | ScribblePrompt) or not meets(placed.box, box):
            continue
        start = np.maximum(placed.start_ijk, box.start_ijk)
        stop = np.minimum(placed.box.stop_ijk, box.stop_ijk)
        common = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        said = placed.voxels[_within(common, placed.box)]
        new[_within(common, box)][said] = prompt.positive


def _unknown(volume: Volume, box: Box) -> Mask | None:
    """Where a channel is NaN inside a box; None for volumes that cannot hold NaN."""
    if volume.voxels.dtype.kind != "f":
        return None
    return np.asarray(np.isnan(volume.voxels[(slice(None), *box.slices)]).any(axis=0))


def _within(box: Box, whole: Box) -> tuple[slice, slice, slice]:
    i, j, k = (
        slice(int(a - s), int(b - s))
        for a, b, s in zip(box.start_ijk, box.stop_ijk, whole.start_ijk, strict=True)
    )
    return i, j, k
