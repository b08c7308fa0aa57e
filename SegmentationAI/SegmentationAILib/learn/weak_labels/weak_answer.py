"""What a method for weak labels gives back: labels, their names, and what they were made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError

Labels = NDArray[np.unsignedinteger[Any]]
MOST_CLASSES: Final = 16
Setting = str | int | float | bool


@dataclass(frozen=True, eq=False)
class WeakAnswer:
    """Weak labels of one volume.

    Attributes:
        labels: ``(I, J, K)`` unsigned integers, 0 is background.
        names: Of the label values 1, 2, ...
        settings: Every option as it was used, with what was measured in the volume for it.
        notes: Sentences for the person.
    """

    labels: Labels
    names: tuple[str, ...]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def answer_of_mask(
    mask: NDArray[np.bool_],
    settings: Mapping[str, Setting],
    notes: tuple[str, ...] = (),
) -> WeakAnswer:
    """Return a mask as the one label ``object``; an empty one is said."""
    if not mask.any():
        notes = (*notes, "Nothing was found; move the prompts or change the options.")
    return WeakAnswer(mask.astype(np.uint8), ("object",), settings, notes)


def answer_of_classes(
    classes: NDArray[np.integer[Any]],
    count: int,
    within: NDArray[np.bool_] | None,
    settings: Mapping[str, Setting],
    notes: tuple[str, ...] = (),
) -> WeakAnswer:
    """Return classes of intensity as labels.

    Without a mask the darkest class is background and the others are labels 1, 2, ...; within a
    mask all classes are labels, and what lies outside it is background.

    Args:
        classes: ``(I, J, K)``, 0 for the darkest class to ``count - 1`` for the brightest.
        count: Number of classes.
        within: Voxels that were classified, None for all.
        settings: See `WeakAnswer`.
        notes: See `WeakAnswer`.
    """
    first = 2 if within is None else 1
    names = tuple(f"class {number} of {count}" for number in range(first, count + 1))
    labels = classes.astype(np.uint8)
    if within is not None:
        labels = np.where(within, labels + np.uint8(1), np.uint8(0))
    return WeakAnswer(labels, names, settings, notes)


def check_class_count(classes: int) -> None:
    """Raise unless a number of classes of intensity makes sense.

    Raises:
        SegmentationAIError: It is not 2 to 16.
    """
    if not 2 <= classes <= MOST_CLASSES:
        raise SegmentationAIError(
            f"{classes} classes were asked for; 2 to {MOST_CLASSES} can be told apart."
        )
