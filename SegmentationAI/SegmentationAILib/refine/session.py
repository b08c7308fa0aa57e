"""A correction of one segment on one volume: prompts in; a better mask and what changed out.

Examples:
    >>> import numpy as np
    >>> from SegmentationAILib.core.volume import Volume
    >>> voxels = np.zeros((1, 40, 40, 20), np.int16)
    >>> voxels[0, 10:30, 12:28, 5:15] = 200
    >>> session = RefineSession(Volume(voxels, np.eye(4)), engine="geodesic")
    >>> change = session.add_point((20, 20, 10))
    >>> change.start_ijk, change.stop_ijk
    ((10, 12, 5), (30, 28, 15))
    >>> session.undo().removed == change.added
    True
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..core.errors import PromptError
from ..core.journal import Record
from ..core.progress import IGNORE, Progress
from ..core.prompt_voxels import voxels_of_prompt
from ..core.prompts import (
    DEFAULT_RADIUS_MM,
    Prompt,
    ScribblePrompt,
    checked_point,
)
from ..core.volume import Box, Volume
from .change import NO_CHANGE, Change
from .engine import Answer, Engine
from .engines import open_engine
from .mask_steps import Step
from .prompt_removal import step_without
from .prompt_verbs import Place, PromptVerbs
from .ruling import Mode
from .session_journal import (
    SessionJournal,
    check_same_scan,
    facts_of,
    read_session,
    record_of,
    record_of_facts,
    record_of_rules,
    record_of_step,
    replay,
)
from .session_state import SessionState, joint_change

Mask = NDArray[np.bool_]
RunMode = Literal["live", "on release", "on apply"]
DEFAULT_ENGINE: Final = "geodesic"
FORGOTTEN = "The oldest steps can no longer be undone: the history has reached its bound."


class RefineSession(PromptVerbs):
    """Corrects one segment.

    Every call either does what it says or raises and changes nothing. Prompts given before the mask
    was last set no longer count: what they said is in that mask.

    Args:
        volume: Not changed, and not to be changed while the session lasts.
        engine: ``geodesic``, ``auto``, ``adapt``, ``click`` (see `engines`), or an `Engine` that
            was made for this volume.
        network: ID of an installed network, for the engines that have one.
        structure: Which structure of the network; empty takes its only one, or the one under the
            first positive prompt.
        device: Of the network: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        journal_folder: Where the journal is kept from which `restore` goes on; None keeps none.

    Raises:
        SegmentationAIError: There is no such engine, network, structure or device.
        OSError: The journal cannot be made.
    """

    def __init__(
        self,
        volume: Volume,
        engine: str | Engine = DEFAULT_ENGINE,
        network: str = "",
        *,
        structure: str = "",
        device: str = "auto",
        journal_folder: Path | None = None,
    ) -> None:
        self.volume = volume
        self.run_mode: RunMode = "on release"
        name = engine if isinstance(engine, str) else type(engine).__name__
        self._engine: Engine = (
            open_engine(engine, volume, network, structure, device)
            if isinstance(engine, str)
            else engine
        )
        self._state = SessionState(volume)
        self._waiting: list[Prompt] = []
        self._growing: Step | None = None
        self._is_drawing = False
        self._last_answer: Answer | None = None
        known = []
        if journal_folder is not None:
            known = [record_of_facts(facts_of(volume, name, network, structure))]
        self._journal = SessionJournal(journal_folder, known)

    # What it holds

    @property
    def mask(self) -> Mask:
        """A copy of the mask, bool ``(I, J, K)`` on the volume's grid."""
        return self._state.mask.copy(order="F")

    def mask_in(self, box: Box) -> Mask:
        """Return a copy of the mask inside a half-open box."""
        return self._state.mask[box.slices].copy(order="F")

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts that count, in order."""
        return tuple(self._state.prompts)

    @property
    def waiting(self) -> tuple[Prompt, ...]:
        """Prompts that wait for `apply`."""
        return tuple(self._waiting)

    @property
    def undo_levels(self) -> int:
        """How many steps can be undone."""
        return self._state.steps.levels

    @property
    def redo_levels(self) -> int:
        """How many steps can be done again."""
        return self._state.steps.redo_levels

    @property
    def last_answer(self) -> Answer | None:
        """What the engine last proposed, with its probabilities if it has some.

        None before the first prompt and after anything that the engine did not answer.
        """
        return self._last_answer

    @property
    def journal_path(self) -> Path | None:
        """File of the journal, None without one."""
        return self._journal.path

    # Rules

    @property
    def mode(self) -> Mode:
        """``add and remove``, ``add only`` or ``remove only``."""
        return self._state.mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        if mode not in get_args(Mode):
            raise ValueError(f"{mode!r} is none of {', '.join(get_args(Mode))}")
        self._state.mode = mode
        self._journal.append(record_of_rules(mode, self._state.frozen))

    def freeze(self, region: Mask | None) -> None:
        """Let the voxels of a region never change, such as those of locked segments.

        Args:
            region: Bool ``(I, J, K)``; None lets all voxels change. To work inside a box only,
                freeze everything outside of it.

        Raises:
            GeometryError: It is not on the volume's grid.
        """
        self._state.freeze(region)
        self._journal.append(record_of_rules(self._state.mode, self._state.frozen))

    # Prompts

    def add_scribble(
        self,
        points_ras: Sequence[Place],
        radius_mm: float = DEFAULT_RADIUS_MM,
        positive: bool = True,
        progress: Progress = IGNORE,
        *,
        is_finished: bool = True,
    ) -> Change:
        """Answer a line drawn with a round brush; the errors are those of `add_point`.

        Args:
            points_ras: The line so far, RAS mm.
            radius_mm: Of the brush.
            positive: Whether the places under the brush belong to the segment.
            progress: Of the engine.
            is_finished: False while the button is still down: run live, the line is answered as it
                grows and is one step to undo; otherwise nothing happens yet.
        """
        prompt = ScribblePrompt(tuple(checked_point(p) for p in points_ras), radius_mm, positive)
        if not is_finished and self.run_mode != "live":
            voxels_of_prompt(prompt, self.volume.grid)
            return NO_CHANGE
        if self._growing is not None and self._is_drawing:
            change = self._redrawn(prompt, self._growing, progress)
        else:
            change = self.add(prompt, progress)
        self._is_drawing = not is_finished
        return change

    def add(self, prompt: Prompt, progress: Progress = IGNORE) -> Change:
        """Answer a prompt, or keep it for `apply` when that is how the session runs.

        Raises:
            PromptError: It lies outside of the volume.
            SegmentationAIError: The engine cannot answer; the sentence says why.
            Cancelled: Raised by ``progress``.
        """
        if self.run_mode == "on apply":
            voxels_of_prompt(prompt, self.volume.grid)
            self._waiting.append(prompt)
            return NO_CHANGE
        return self._answered([prompt], progress)

    def add_together(self, prompts: Sequence[Prompt], progress: Progress = IGNORE) -> Change:
        """Answer several prompts as one step, however the session runs; errors as for `add`.

        Without any prompt, neither here nor before, only an engine that can do without answers: it
        is ``adapt`` that does, by what its network is sure of alone.
        """
        if not prompts and (self.prompts or getattr(self._engine, "needs_prompts", True)):
            raise PromptError("Nothing was pointed at; give at least one prompt.")
        return self._answered(list(prompts), progress)

    def keep_network(self, network_id: str) -> str:
        """Install the network as the engine ``adapt`` last adapted it; return its ID.

        Raises:
            PromptError: The engine adapts no network, or has not yet.
            WeightsError: The ID is taken or cannot be one.
        """
        keep = getattr(self._engine, "keep", None)
        if keep is None:
            raise PromptError("Only the engine adapt makes a network that can be kept; choose it.")
        return str(keep(network_id).card.id)

    def remove_prompt(self, index: int, progress: Progress = IGNORE) -> Change:
        """Take one prompt back and answer those after it anew, all as one step.

        Args:
            index: In `prompts`.
            progress: Of the engine.

        Raises:
            PromptError: There is no such prompt.
        """
        step = step_without(self._state, index, self._engine, progress)
        return self._after(self._state.do(step), record_of_step(step))

    def apply(self, progress: Progress = IGNORE) -> Change:
        """Answer all prompts that wait, as one step; the errors are those of `add`."""
        if not self._waiting:
            return NO_CHANGE
        change = self._answered(self._waiting, progress)
        self._waiting = []
        return change

    def set_mask(self, mask: Mask) -> Change:
        """Put a mask in the place of the present one, as one step; frozen voxels stay.

        Args:
            mask: Bool ``(I, J, K)``; copied.

        Raises:
            GeometryError: It is not on the volume's grid.
        """
        step, change = self._state.set_mask(mask)
        return self._after(change, record_of_step(step))

    def undo(self) -> Change:
        """Take the last step back.

        Raises:
            PromptError: There is none.
        """
        return self._after(self._state.undo(), record_of("undo"))

    def redo(self) -> Change:
        """Do the last step that was taken back again.

        Raises:
            PromptError: There is none.
        """
        return self._after(self._state.redo(), record_of("redo"))

    def close(self) -> None:
        """End the session; its journal goes."""
        self._engine.close()
        self._journal.close()

    # After a kill

    @classmethod
    def restore(
        cls,
        path: Path,
        volume: Volume,
        engine: Engine | None = None,
        device: str = "auto",
    ) -> "RefineSession":
        """Go on with a session whose process was killed, undo and redo included.

        Args:
            path: Of a journal that nobody writes any more (see `core.journal`); it is removed once
                a new one beside it holds everything.
            volume: The same scan.
            engine: In the place of the one that the journal names.
            device: Of the network.

        Raises:
            FileFormatError: No journal of a session, or that of another scan.
            SegmentationAIError: The engine or network of the journal is not to be had any more.
        """
        facts, records, _ = read_session(path)
        check_same_scan(facts, volume)
        session = cls(volume, engine or facts.engine, facts.network,
                      structure=facts.structure, device=device)  # fmt: skip
        for record in records:
            replay(record, session._state)
        session._journal = SessionJournal(path.parent, [record_of_facts(facts), *records])
        path.unlink(missing_ok=True)
        return session

    # Inside

    def _answered(self, prompts: list[Prompt], progress: Progress) -> Change:
        turn = self._state.turn(prompts)
        answer = self._engine.answer(turn, progress)
        dropped = self._state.steps.dropped
        step, change = self._state.take(turn, answer)
        self._growing, self._last_answer = step, answer
        notes = (*answer.notes, *self._journal.append(record_of_step(step)))
        if self._state.steps.dropped and not dropped:
            notes = (*notes, FORGOTTEN)
        return replace(change, notes=notes)

    def _redrawn(self, prompt: ScribblePrompt, shorter: Step, progress: Progress) -> Change:
        """Answer a line that has grown since it was last answered, in one step with that."""
        voxels_of_prompt(prompt, self.volume.grid)
        self.undo()
        try:
            change = self._answered([prompt], progress)
        except BaseException:
            self.redo()
            self._growing = shorter
            raise
        assert self._growing is not None
        joint = joint_change(shorter, self._growing, self._state.mask)
        return replace(joint, notes=change.notes)

    def _after(self, change: Change, record: Record) -> Change:
        self._growing = self._last_answer = None
        return replace(change, notes=(*change.notes, *self._journal.append(record)))
