"""How far two versions of a case agree: Dice by label and change of volume, in one pass."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import GeometryError

Integers = NDArray[np.integer[Any]]


def dice_by_label(
    first: Integers, second: Integers, values: Sequence[int]
) -> dict[int, float | None]:
    """Return Dice 0 to 1 for each label value; None for one that neither has.

    Args:
        first: ``(I, J, K)`` label values.
        second: The same grid.
        values: Labels to compare, background (0) not among them.

    Raises:
        GeometryError: The shapes differ.
    """
    if first.shape != second.shape:
        raise GeometryError(
            f"Labels of {first.shape} and {second.shape} voxels cannot be compared; both have to "
            "lie on one grid."
        )
    sizes = [voxels_by_label(one, values) for one in (first, second)]
    common = voxels_by_label(first[np.equal(first, second)], values)
    return {
        value: 2 * common[value] / total if (total := sizes[0][value] + sizes[1][value]) else None
        for value in values
    }


def mean_dice(first: Integers, second: Integers, values: Sequence[int]) -> float | None:
    """Return the mean of `dice_by_label` over the labels that occur, None where none does."""
    found = [d for d in dice_by_label(first, second, values).values() if d is not None]
    return sum(found) / len(found) if found else None


def volume_change(first: Integers, second: Integers, values: Sequence[int]) -> float | None:
    """Return the mean relative change of the labels' volumes from ``first`` to ``second``.

    Args:
        first: ``(I, J, K)`` label values, the earlier ones.
        second: The later ones.
        values: Labels to compare; one that ``first`` lacks does not count.

    Returns:
        Mean of the size of (later - earlier) / earlier, None where no label counts.
    """
    before, after = voxels_by_label(first, values), voxels_by_label(second, values)
    changes = [abs(after[v] - before[v]) / before[v] for v in values if before[v]]
    return sum(changes) / len(changes) if changes else None


def voxels_by_label(labels: Integers, values: Sequence[int]) -> dict[int, int]:
    """Return how many voxels each label value has."""
    counts = np.bincount(labels.ravel(), minlength=max(values, default=0) + 1)
    return {value: int(counts[value]) for value in values}
