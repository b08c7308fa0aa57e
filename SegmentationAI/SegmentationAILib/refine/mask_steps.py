"""Undo and redo of a mask and its prompts: small differences, not copies, within a bounded memory.

A step is the voxels that it turned over, as compressed bits in their own box, and what it did to
the list of prompts. A click costs a few kilobytes; turning a step over twice gives back the very
bytes.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..core.errors import PromptError
from ..core.mask_history import PlacedMask, box_of, decoded, encoded
from ..core.prompts import Prompt
from ..core.volume import Box

Mask = NDArray[np.bool_]

MOST_STEPS: Final = 1000
MOST_BYTES: Final = 128 << 20
# A step's own objects and its prompt, beside its bits.
_STEP_BYTES: Final = 1024
_POINT_BYTES: Final = 128


@dataclass(frozen=True, eq=False)
class Step:
    """One change of a session.

    Attributes:
        place: Box of the difference, as `mask_history.encoded` gives it.
        content: The voxels turned over, compressed.
        kept: How many of the prompts stayed as they were.
        removed: Prompts after those before the step.
        added: Prompts after those after the step.
        sets: Whether it set the mask: earlier prompts no longer count.
    """

    place: list[int]
    content: bytes
    kept: int
    removed: tuple[Prompt, ...] = ()
    added: tuple[Prompt, ...] = ()
    sets: bool = False

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        points = sum(len(getattr(p, "points_ras", ((),) * 2)) for p in self.added + self.removed)
        return _STEP_BYTES + len(self.content) + _POINT_BYTES * points


@dataclass
class MaskSteps:
    """The steps that can be undone, and those that can be done again.

    Attributes:
        most_steps: Beyond it the oldest step is dropped.
        most_bytes: The same of all steps together; one step always stays.
        dropped: How many were.
    """

    most_steps: int = MOST_STEPS
    most_bytes: int = MOST_BYTES
    dropped: int = 0
    _done: list[Step] = field(default_factory=list)
    _undone: list[Step] = field(default_factory=list)
    _bytes: int = 0

    @property
    def levels(self) -> int:
        """How many steps can be undone."""
        return len(self._done)

    @property
    def redo_levels(self) -> int:
        """How many steps can be done again."""
        return len(self._undone)

    @property
    def size_bytes(self) -> int:
        """About how much memory all steps take."""
        return self._bytes

    def add(self, step: Step) -> None:
        """Put a step on top; what was undone before cannot be done again."""
        self._bytes += step.size_bytes - sum(one.size_bytes for one in self._undone)
        self._undone.clear()
        self._done.append(step)
        while len(self._done) > 1 and (
            len(self._done) > self.most_steps or self._bytes > self.most_bytes
        ):
            self._bytes -= self._done.pop(0).size_bytes
            self.dropped += 1

    def since_set(self) -> list[Step]:
        """Return the steps since the mask was last set, oldest first."""
        since = 0
        while since < len(self._done) and not self._done[-1 - since].sets:
            since += 1
        return self._done[len(self._done) - since :]

    def base_of(self, mask: Mask) -> PlacedMask:
        """Return the mask as it was last set, before all prompts since.

        Args:
            mask: As it is now; not changed.
        """
        base = mask.copy(order="F")
        for step in self.since_set():
            turn_over(base, step)
        return _small(base)

    def last(self) -> Step:
        """Return the step that would be undone.

        Raises:
            PromptError: There is none.
        """
        if not self._done:
            beyond = " any more: older steps were dropped" if self.dropped else ""
            raise PromptError(f"There is no step to undo{beyond}.")
        return self._done[-1]

    def next(self) -> Step:
        """Return the step that would be done again.

        Raises:
            PromptError: There is none.
        """
        if not self._undone:
            raise PromptError("There is no step to do again.")
        return self._undone[-1]

    def undo(self) -> None:
        """Move the last step to those that can be done again."""
        self.last()
        self._undone.append(self._done.pop())

    def redo(self) -> None:
        """Move it back."""
        self.next()
        self._done.append(self._undone.pop())


def difference_step(
    box: Box,
    turned: Mask,
    kept: int,
    removed: tuple[Prompt, ...] = (),
    added: tuple[Prompt, ...] = (),
    *,
    sets: bool = False,
) -> Step:
    """Return the step that turns over the voxels ``turned`` of ``box``."""
    place, content = encoded(PlacedMask(box.start_ijk, turned))
    return Step(place, content, kept, removed, added, sets)


def turn_over(mask: Mask, step: Step) -> PlacedMask:
    """Turn the voxels of a step over in ``mask``, which is changed, and return which they are."""
    difference = decoded(step.place, step.content)
    if difference.voxels.size:
        view = mask[difference.box.slices]
        np.logical_xor(view, difference.voxels, out=view)
    return difference


def _small(mask: Mask) -> PlacedMask:
    box = box_of(mask)
    return PlacedMask(box.start_ijk, mask[box.slices].copy(order="F"))
