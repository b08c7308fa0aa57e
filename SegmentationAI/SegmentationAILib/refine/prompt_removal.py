"""Taking back a prompt that is not the last: those after it are answered anew without it."""

from ..core.errors import PromptError
from ..core.progress import Progress
from .engine import Engine
from .mask_steps import Step, difference_step, turn_over
from .session_state import SessionState


def step_without(state: SessionState, index: int, engine: Engine, progress: Progress) -> Step:
    """Return the step that makes a mask what it had been without one prompt.

    The rules that hold now are those under which the later prompts are answered.

    Args:
        state: Not changed.
        index: Of the prompt.
        engine: Asked once for each prompt that has to be answered anew.
        progress: Told before each.

    Raises:
        PromptError: There is no such prompt.
    """
    if not 0 <= index < len(state.prompts):
        raise PromptError(f"There is no prompt {index + 1}; there are {len(state.prompts)}.")
    scratch, first = _before(state, index)
    again = [one for n, one in enumerate(state.prompts) if n >= first and n != index]
    for number, prompt in enumerate(again):
        part = progress.part(number / len(again), (number + 1) / len(again))
        part(0.0, f"Prompt {number + 1} of {len(again)}")
        turn = scratch.turn([prompt])
        scratch.take(turn, engine.answer(turn, part))
    turned = scratch.mask ^ state.mask
    removed, added = state.prompts[index:], state.prompts[index + 1 :]
    box = state.volume.grid.box
    return difference_step(box, turned, index, tuple(removed), tuple(added))


def _before(state: SessionState, index: int) -> tuple[SessionState, int]:
    """Return a copy as it was before a prompt, or earlier, and how many prompts counted then.

    Raises:
        PromptError: The history does not reach back that far.
    """
    mask, kept, counted = state.mask.copy(order="F"), len(state.prompts), len(state.prompts)
    for step in reversed(state.steps.since_set()):
        if kept <= index and counted == kept:
            break
        turn_over(mask, step)
        # Before a step that took a prompt back, others counted than those that are left of today's.
        counted = step.kept + len(step.removed)
        kept = min(kept, step.kept)
    if kept > index or counted != kept:
        raise PromptError(
            f"Prompt {index + 1} is older than the history, which has reached its bound; correct "
            "its effect by a new prompt."
        )
    return state.copied(mask, kept), kept
