"""Distance in mm from every cell of a box to the nearest of some cells."""

from collections.abc import Sequence
from typing import Final

import edt
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = NDArray[np.int64]

# A distance transform of 170,000 cells takes as long as measuring from so many places one by one.
_MOST_PLACES: Final = 60


def distances_to(places: Places, shape: Sequence[int], spacing: Sequence[float]) -> Floats:
    """Return the distances, `(I, J, K)`, in mm.

    Args:
        places: Where the cells are, `(N, 3)`, at least one.
        shape: Of the box, in cells.
        spacing: mm from cell to cell along each axis.
    """
    if len(places) > _MOST_PLACES:
        others = np.ones(tuple(shape), bool)
        others[tuple(places.T)] = False
        return np.asarray(edt.edt(others, tuple(spacing)), np.float32)
    squares = [
        (((np.arange(n) - at[:, None]) * mm) ** 2).astype(np.float32)
        for n, at, mm in zip(shape, places.T, spacing, strict=True)
    ]
    least = np.full(tuple(shape), np.inf, np.float32)
    one = np.empty_like(least)
    for i, j, k in zip(*squares, strict=True):
        np.add((i[:, None] + j)[:, :, None], k, out=one)
        np.minimum(least, one, out=least)
    return np.asarray(np.sqrt(least), np.float32)
