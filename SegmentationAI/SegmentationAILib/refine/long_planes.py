"""Planes of a grid that lie in memory as long rows: a step to a neighboring plane is one shift.

Numpy works along one long row three times as fast as along many short ones. The rows of a plane lie
end to end with one place between them, and there is room at both ends; whatever is there is such
that nothing passes through it. Shifts by even distances are one view, with strides, so that one
call looks at several neighbors.
"""

from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# The neighbors of a place in the next plane, in two groups whose places lie evenly apart: straight
# on and in the rows before and behind; in the columns before and behind.
GROUPS: Final = (slice(0, 3), slice(3, 5))
NEIGHBORS: Final = 5


class LongPlanes:
    """A stack of planes for several maps, and for each map perhaps several values a place.

    Args:
        shape: Planes, maps, rows, columns.
        fill: What lies between the rows and at the ends; inf lets no way through.
        values: How many values each place has.

    Attributes:
        places: `(planes, maps, values, places)`, the places of a plane and what lies between them.
    """

    def __init__(self, shape: tuple[int, int, int, int], fill: float, values: int = 1) -> None:
        planes, maps, rows, columns = shape
        self._row = columns + 1
        self._guard, self._length = self._row + 1, rows * self._row
        self._shape = shape
        whole = 2 * self._guard + self._length
        self._all = np.empty((planes, maps, values, whole), np.float32)
        self._all[..., : self._guard] = self._all[..., -self._guard :] = fill
        self.places = self._all[..., self._guard : -self._guard]
        self.places[..., columns :: self._row] = fill

    @classmethod
    def of(cls, cells: NDArray[Any], fill: float) -> "LongPlanes":
        """Return the planes of an array `(planes, maps, rows, columns)`."""
        made = cls((cells.shape[0], cells.shape[1], cells.shape[2], cells.shape[3]), fill)
        made.cells[...] = cells
        return made

    @property
    def cells(self) -> Floats:
        """The places of the grid, `(planes, maps, rows, columns)`; a view."""
        size = self._all.itemsize
        strides = (*self.places.strides[:2], self._row * size, size)
        return as_strided(self.places, self._shape, strides)

    def neighbors(self) -> tuple[Floats, Floats]:
        """Return for each place the values of its neighbors, one view for each of `GROUPS`.

        They are `(planes, maps, neighbors, places)`: of the plane of that number, seen from the
        same place of a plane beside it.
        """
        return self._group(self._all[:, :, 0], 3, self._row), self._group(self._all[:, :, 0], 2, 2)

    def seen_back(self) -> tuple[Floats, Floats]:
        """Return what `NEIGHBORS` values of each place say of its neighbors, seen from there.

        Where value n of a place is of the way from its neighbor n to it, entry m of what comes back
        is of the way to a place from its neighbor m in the next plane.
        """
        size, whole = self._all.itemsize, self._all.strides[2]
        first, second = (self._all[:, :, group.stop - 1] for group in GROUPS)
        return (
            self._group(first, 3, self._row, self._row * size - whole),
            self._group(second, 2, 2, 2 * size - whole),
        )

    def _group(self, planes: Floats, count: int, by: int, stride: int | None = None) -> Floats:
        """A view of places that lie ``by`` apart, the middle of them straight on."""
        size = self._all.itemsize
        first = planes[..., self._guard - by * (count - 1) // 2 :]
        shape = (*planes.shape[:2], count, self._length)
        strides = (*planes.strides[:2], by * size if stride is None else stride, size)
        return as_strided(first, shape, strides)
