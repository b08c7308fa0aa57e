"""What a training gives up when memory runs out: first the size of patches, then their number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ..core.errors import MemoryBudgetError
from .plan import TrainingPlan


def with_smaller_steps(plan: TrainingPlan, divisors: Sequence[int]) -> tuple[TrainingPlan, str]:
    """Return a plan that needs less memory per step, and the sentence that says what changed.

    The longest side of the patch is halved while it stays at least twice its divisor; then the
    batch is halved.

    Args:
        plan: That ran out of memory.
        divisors: Of the network's patches, see `TrainableNetwork`.

    Raises:
        MemoryBudgetError: A single smallest patch is too much.
    """
    sides = list(plan.patch_size)
    halves = {
        axis: math.ceil(sides[axis] / 2 / divisor) * divisor
        for axis, divisor in enumerate(divisors)
    }
    can = [axis for axis, half in halves.items() if 2 * divisors[axis] <= half < sides[axis]]
    if can:
        axis = max(can, key=lambda one: sides[one])
        before = _times(sides)
        sides[axis] = halves[axis]
        smaller = replace(plan, patch_size=(sides[0], sides[1], sides[2]))
        return smaller, f"Memory ran out: patches of {_times(sides)} voxels instead of {before}."
    if plan.batch_size > 1:
        half = plan.batch_size // 2
        count = "1 patch" if half == 1 else f"{half} patches"
        sentence = f"Memory ran out: {count} a step instead of {plan.batch_size}."
        return replace(plan, batch_size=half), sentence
    raise MemoryBudgetError(
        f"The memory does not hold this network on one patch of {_times(sides)} voxels; close "
        "other programs, or choose a smaller network."
    )


def _times(sides: Sequence[int]) -> str:
    return " x ".join(str(side) for side in sides)
