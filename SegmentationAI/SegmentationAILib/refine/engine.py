"""The seam between a session and the engines that answer prompts."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.mask_history import NO_MASK, PlacedMask
from ..core.progress import Progress
from ..core.prompts import Prompt
from ..core.volume import Box, Volume

Mask = NDArray[np.bool_]
Probabilities = NDArray[np.floating[Any]]

REACHES_THE_BORDER = "The segment reaches the border of the scan; it may go on beyond it."


@dataclass(frozen=True, eq=False)
class Turn:
    """What an engine is asked: everything that it may know, and nothing that it keeps.

    An engine answers the same turn with the same voxels, whatever was asked before: undo, redo and
    a restored session rely on it. It may keep what speeds it up.

    Attributes:
        volume: The scan, `(C, I, J, K)`; may hold NaN.
        prompts: All since the mask was last set, in order; empty only for an engine that says of
            itself that it needs none (``needs_prompts`` is False).
        placed: Their voxels, one mask for each prompt (see `core.prompt_voxels`).
        new: How many of the last ones have not been answered yet; 0 only where there are none.
        mask: `(I, J, K)` as it is now; read-only.
        base: The mask as it was last set, before any of these prompts; empty when none was.
    """

    volume: Volume
    prompts: tuple[Prompt, ...]
    placed: tuple[PlacedMask, ...]
    new: int
    mask: Mask
    base: PlacedMask = NO_MASK


@dataclass(frozen=True, eq=False)
class Answer:
    """What an engine proposes.

    The session adds what a person said outright (the voxels under points and scribbles, the later
    prompt wins) and takes back what is frozen and what an engine did to voxels that are NaN.

    Attributes:
        box: Half-open, within the volume; nothing outside of it changes.
        mask: New mask inside the box, of the box's shape.
        probabilities: Of the segment inside the box, 0 to 1, for the doubts; None without.
        notes: Sentences such as `REACHES_THE_BORDER`.
    """

    box: Box
    mask: Mask
    probabilities: Probabilities | None = None
    notes: tuple[str, ...] = ()


class Engine(Protocol):
    """Answers prompts on one volume; made for that volume, with whatever it needs beside it."""

    def answer(self, turn: Turn, progress: Progress) -> Answer:
        """Return the new mask in a box around the new prompts.

        Args:
            turn: Prompts lie on the volume: that was checked.
            progress: Called at least once a step; to cancel, that call raises, and nothing has
                changed.

        Raises:
            SegmentationAIError: It cannot answer; the sentence says why.
            Cancelled: Raised by ``progress``.
        """

    def close(self) -> None:
        """Give back memory; nothing is asked afterwards."""
