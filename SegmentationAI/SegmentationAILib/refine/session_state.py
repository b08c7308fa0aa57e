"""What a session holds: the mask, the prompts that count, and the steps that led there."""

from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FileFormatError, GeometryError
from ..core.mask_history import NO_MASK, PlacedMask, box_of, decoded
from ..core.prompt_voxels import voxels_of_prompt
from ..core.prompts import Prompt
from ..core.volume import Volume
from .change import Change, change_of
from .engine import Answer, Turn
from .mask_steps import MaskSteps, Step, difference_step, turn_over
from .ruling import Mode, ruled

Mask = NDArray[np.bool_]


class SessionState:
    """Mask, prompts and history of one volume; knows no engine and no file.

    Args:
        volume: Not changed.
    """

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.mask: Mask = np.zeros(volume.grid.shape, bool, order="F")
        self.steps = MaskSteps()
        self.mode: Mode = "add and remove"
        self.frozen: PlacedMask | None = None
        self.prompts: list[Prompt] = []
        self._placed: list[PlacedMask] = []
        self._base: PlacedMask | None = NO_MASK

    def turn(self, prompts: list[Prompt]) -> Turn:
        """Return what an engine is asked when these prompts are new.

        Raises:
            PromptError: One lies outside of the volume.
        """
        placed = [voxels_of_prompt(prompt, self.volume.grid) for prompt in prompts]
        mask = self.mask.view()
        mask.setflags(write=False)
        return Turn(
            volume=self.volume,
            prompts=(*self.prompts, *prompts),
            placed=(*self._placed, *placed),
            new=len(prompts),
            mask=mask,
            base=self._base_mask(),
        )

    def take(self, turn: Turn, answer: Answer) -> tuple[Step, Change]:
        """Make an engine's answer to `turn` the last step, as far as the rules let it."""
        box, turned = ruled(turn, answer, self.mode, self.frozen)
        step = difference_step(box, turned, len(self.prompts), added=turn.prompts[-turn.new :])
        return step, self.do(step, list(turn.placed))

    def set_mask(self, mask: Mask) -> tuple[Step, Change]:
        """Make a mask the present one; frozen voxels stay, earlier prompts no longer count.

        Raises:
            GeometryError: It is not on the volume's grid.
        """
        self.check_shape(mask)
        turned = self.mask ^ mask
        if self.frozen is not None:
            turned[self.frozen.box.slices] &= ~self.frozen.voxels
        box = self.volume.grid.box
        step = difference_step(box, turned, 0, removed=tuple(self.prompts), sets=True)
        return step, self.do(step)

    def copied(self, mask: Mask, prompts: int) -> "SessionState":
        """Return a state with the first prompts of this one, another mask and no history."""
        other = SessionState(self.volume)
        other.mask, other.mode, other.frozen = mask, self.mode, self.frozen
        other.prompts, other._placed = self.prompts[:prompts], self._placed[:prompts]
        other._base = self._base_mask()
        return other

    def do(self, step: Step, placed: list[PlacedMask] | None = None) -> Change:
        """Do a step and put it on top of the history."""
        change = self._turn_over(step, [*self.prompts[: step.kept], *step.added], placed)
        self.steps.add(step)
        return change

    def undo(self) -> Change:
        """Take the last step back.

        Raises:
            PromptError: There is none.
        """
        step = self.steps.last()
        change = self._turn_over(step, [*self.prompts[: step.kept], *step.removed])
        self.steps.undo()
        return change

    def redo(self) -> Change:
        """Do the step that was last taken back.

        Raises:
            PromptError: There is none.
        """
        step = self.steps.next()
        change = self._turn_over(step, [*self.prompts[: step.kept], *step.added])
        self.steps.redo()
        return change

    def freeze(self, region: Mask | None) -> None:
        """Let the voxels of a region never change; None lets all change.

        Raises:
            GeometryError: It is not on the volume's grid.
        """
        if region is None:
            self.frozen = None
            return
        self.check_shape(region)
        box = box_of(region)
        self.frozen = PlacedMask(box.start_ijk, region[box.slices].copy(order="F"))

    def check_shape(self, mask: Mask) -> None:
        """Raise unless an array is a mask on the volume's grid.

        Raises:
            GeometryError: It is not.
        """
        if mask.shape != self.mask.shape or mask.dtype != np.bool_:
            raise GeometryError(
                f"A mask of {mask.shape} {mask.dtype} was given; this volume needs "
                f"{self.mask.shape} bool: resample it onto the volume's grid."
            )

    def check_step(self, step: Step) -> None:
        """Raise unless a step that was read from a file can be done now.

        Raises:
            FileFormatError: It keeps more prompts than there are, or leaves the volume.
        """
        place, shape = step.place, self.volume.grid.shape
        is_placed = len(place) == 6 and all(type(n) is int and n >= 0 for n in place)
        if (
            not is_placed
            or any(place[n] + place[n + 3] > shape[n] for n in range(3))
            or not 0 <= step.kept <= len(self.prompts)
        ):
            raise FileFormatError("A step in the journal of a correction is damaged.")

    def set_rules(self, mode: object, frozen: PlacedMask | None) -> None:
        """Take a mode and a frozen region that were read from a file.

        Raises:
            FileFormatError: There is no such mode, or the region leaves the volume.
        """
        leaves = frozen is not None and frozen.voxels.size > 0 and (
            min(frozen.start_ijk) < 0
            or any(a > b for a, b in zip(frozen.box.stop_ijk, self.mask.shape, strict=True))
        )  # fmt: skip
        if mode not in get_args(Mode) or leaves:
            raise FileFormatError("The rules in the journal of a correction are damaged.")
        self.mode, self.frozen = cast(Mode, mode), frozen

    def _base_mask(self) -> PlacedMask:
        if self._base is None:
            self._base = self.steps.base_of(self.mask)
        return self._base

    def _turn_over(
        self, step: Step, prompts: list[Prompt], placed: list[PlacedMask] | None = None
    ) -> Change:
        """Turn a step's voxels over and let these prompts count."""
        if placed is None:
            kept = self._placed[: step.kept]
            new = prompts[len(kept) :]
            placed = [*kept, *(voxels_of_prompt(one, self.volume.grid) for one in new)]
        difference = turn_over(self.mask, step)
        self.prompts, self._placed = prompts, placed
        if step.sets:
            self._base = None
        return change_of(difference, self.mask)


def joint_change(first: Step, second: Step, mask: Mask) -> Change:
    """Return what undoing one step and doing another instead changed.

    Args:
        first: Was undone.
        second: Was done then.
        mask: As it is after both.
    """
    differences = [decoded(step.place, step.content) for step in (first, second)]
    return change_of(differences[0].changed_by(differences[1]), mask)
