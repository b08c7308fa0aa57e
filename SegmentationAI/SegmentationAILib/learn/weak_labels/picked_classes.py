"""One object out of classes of intensity: those asked for by number, or those under prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...core.errors import PromptError, SegmentationAIError
from .seeds import Seeds
from .weak_answer import WeakAnswer, answer_of_mask

Mask = NDArray[np.bool_]


def picked_classes(
    answer: WeakAnswer, numbers: Sequence[int], within: Mask | None = None
) -> WeakAnswer:
    """Return the classes of these numbers as one object.

    Args:
        answer: Classes as `weak_answer.answer_of_classes` gives them.
        numbers: From 1, the darkest.
        within: The mask that was classified in, None for none.

    Raises:
        SegmentationAIError: There is no such class.
    """
    count = _count(answer, within)
    bad = [number for number in numbers if not 1 <= number <= count]
    if bad or not numbers:
        raise SegmentationAIError(
            f"Class {bad[0] if bad else 'none'} was asked for; there are {count}, 1 for the "
            f"darkest to {count}."
        )
    mask = np.isin(_classes(answer, within), sorted(set(numbers)))
    kept = ",".join(str(number) for number in sorted(set(numbers)))
    return answer_of_mask(mask, {**answer.settings, "kept_classes": kept}, answer.notes)


def classes_under(answer: WeakAnswer, seeds: Seeds, within: Mask | None = None) -> list[int]:
    """Return the classes that hold more positive than negative seeds, by number from 1.

    Raises:
        PromptError: There is none.
    """
    seeds.check(answer.labels.shape)
    classes = _classes(answer, within)
    count = _count(answer, within)
    votes = np.bincount(classes[seeds.positive & ~seeds.negative], minlength=count + 1).astype(int)
    votes -= np.bincount(classes[seeds.negative], minlength=count + 1)
    found = [number for number in range(1, count + 1) if votes[number] > 0]
    if not found:
        raise PromptError(
            "No class of intensity holds more positive than negative prompts; ask for more classes "
            "or move the prompts."
        )
    return found


def _classes(answer: WeakAnswer, within: Mask | None) -> NDArray[np.integer]:
    """Return the number of each voxel's class from 1; 0 outside the mask."""
    return answer.labels + np.uint8(1) if within is None else answer.labels


def _count(answer: WeakAnswer, within: Mask | None) -> int:
    return len(answer.names) + (1 if within is None else 0)
