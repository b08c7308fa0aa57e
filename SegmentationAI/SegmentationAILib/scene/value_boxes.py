"""The box of every label value of an array, by numpy alone and in one pass.

Only where runs of equal voxels begin and end has to be looked at in detail: 20 times fewer voxels
or more in segmentations of organs.
"""

import numpy as np

from ..core.volume import Array, Box


def boxes_of_values(layer: Array) -> dict[int, Box]:
    """Return the smallest box around each value other than 0 that occurs.

    Args:
        layer: Integers ``(I, J, K)``; Fortran order is fastest.
    """
    found: dict[int, list[list[int]]] = {}
    for k in range(layer.shape[2]):
        plane = layer[:, :, k]
        if not plane.any():
            continue
        begins, ends = _ends_of_runs(plane)
        i_begin, j = np.nonzero(begins)
        i_end, j_end = np.nonzero(ends)
        _widen(found, plane[i_begin, j], (i_begin, j), k)
        _widen(found, plane[i_end, j_end], (i_end, j_end), k)
    return {
        value: Box((low[0], low[1], low[2]), (high[0] + 1, high[1] + 1, high[2] + 1))
        for value, (low, high) in sorted(found.items())
    }


def _ends_of_runs(plane: Array) -> tuple[Array, Array]:
    """Return where runs of one value other than 0 begin and end along the first axis."""
    changes = plane[1:] != plane[:-1]
    is_label = plane != 0
    begins, ends = is_label.copy(order="K"), is_label
    begins[1:] &= changes
    ends[:-1] &= changes
    return begins, ends


def _widen(
    found: dict[int, list[list[int]]], values: Array, places: tuple[Array, Array], k: int
) -> None:
    """Widen the boxes so that they hold voxels of a plane."""
    order = np.argsort(values, kind="stable")
    kinds, starts = np.unique(values[order], return_index=True)
    lows = [np.minimum.reduceat(axis[order], starts) for axis in places]
    highs = [np.maximum.reduceat(axis[order], starts) for axis in places]
    for n, value in enumerate(kinds.tolist()):
        low = [int(lows[0][n]), int(lows[1][n]), k]
        high = [int(highs[0][n]), int(highs[1][n]), k]
        if value in found:
            low = [min(pair) for pair in zip(low, found[value][0], strict=True)]
            high = [max(pair) for pair in zip(high, found[value][1], strict=True)]
        found[value] = [low, high]
