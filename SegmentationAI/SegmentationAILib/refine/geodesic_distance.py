"""Geodesic distances on a grid: how far a place is along the cheapest way, not as the crow flies.

Raster sweeps over whole planes, forth and back along each axis (Criminisi, Sharp and Blake, GeoS:
Geodesic Image Segmentation, ECCV 2008, doi:10.1007/978-3-540-88682-2_9; planes as in Weber et al.,
ACM TOG 27(4), 2008, doi:10.1145/1409625.1409626). Planes instead of voxels, as numpy then works on
thousands of voxels a call: 64 x 64 x 64 voxels with two maps in about 0.1 s on one core, where a
heap in Python would need minutes. Where we depart from them: ways go to 18 neighbors, several maps
are swept together, and a map may start anywhere with any cost.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.progress import IGNORE, Progress

Floats = NDArray[np.float32]

# Steps within a plane that go with the step to the next plane: straight on, and the four edges.
_OFFSETS: Final = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
# A way that turns back on itself n times needs n rounds; two reach all of a blob, and of a spiral
# all but its inner turns.
ROUNDS: Final = 2


def geodesic_distances(
    start: Floats,
    cost_per_mm: Floats,
    values: Floats,
    spacing: Sequence[float],
    rounds: int = ROUNDS,
    progress: Progress = IGNORE,
) -> Floats:
    """Return the cost of the cheapest way to each voxel.

    A step between neighbors costs its length in mm times the mean of their costs per mm, plus how
    much ``values`` change over it.

    Args:
        start: `(M, I, J, K)`, for each of M maps what it costs to begin at a voxel; inf where none
            begins. Not changed.
        cost_per_mm: `(M, I, J, K)`, 0 or more.
        values: `(I, J, K)`, shared by the maps.
        spacing: mm along each axis.
        rounds: How many times all six sweeps are done, at most; it ends when nothing changes.
        progress: Called once a sweep.

    Raises:
        Cancelled: Raised by ``progress``.
    """
    found = np.array(start, np.float32, order="C")
    axes = [axis for axis in range(3) if found.shape[1 + axis] > 1]
    sweeps = [_Sweep(found, cost_per_mm, values, spacing, axis) for axis in axes]
    for number in range(rounds):
        before = found.copy()
        for axis, sweep in enumerate(sweeps):
            progress((3 * number + axis) / (3 * rounds), "Measuring distances")
            sweep.run()
        if np.array_equal(before, found):
            break
    return found


class _Sweep:
    """Forth and back along one axis.

    Rows are one place longer than the grid and lie end to end, so that every step to a neighboring
    plane is one shift of one long array: three times as fast as shifts of two-dimensional ones. The
    place at the end of a row costs infinitely much, so nothing goes through it.
    """

    def __init__(
        self, found: Floats, cost: Floats, values: Floats, spacing: Sequence[float], axis: int
    ) -> None:
        # Planes first, then maps, so that one plane of all maps is one array.
        self._found = np.moveaxis(found, 1 + axis, 0)
        cost = np.ascontiguousarray(np.moveaxis(cost, 1 + axis, 0))
        values = np.ascontiguousarray(np.moveaxis(values, axis, 0))
        beside = [spacing[other] for other in range(3) if other != axis]
        self._steps = []
        for da, db in _OFFSETS:
            length = np.sqrt(spacing[axis] ** 2 + (da * beside[0]) ** 2 + (db * beside[1]) ** 2)
            to, source = _shifted(da, db)
            step = cost[1:, :, *to] + cost[:-1, :, *source]
            step *= np.float32(length / 2)
            step += np.abs(values[1:, *to] - values[:-1, *source])[:, None]
            padded = _padded(cost[1:])
            padded[..., : cost.shape[3]][:, :, *to] = step
            flat = padded.reshape(*padded.shape[:2], -1)
            offset = da * padded.shape[3] + db
            self._steps.append((*_both(offset), flat))

    def run(self) -> None:
        planes = _padded(self._found)
        rows = self._found.shape[3]
        planes[..., :rows] = self._found
        flat = planes.reshape(*planes.shape[:2], -1)
        for number in range(1, len(flat)):
            for to, source, step in self._steps:
                _lower(flat[number][:, to], flat[number - 1][:, source], step[number - 1][:, to])
        for number in range(len(flat) - 1, 0, -1):
            for to, source, step in self._steps:
                _lower(flat[number - 1][:, source], flat[number][:, to], step[number - 1][:, to])
        self._found[:] = planes[..., :rows]


def _padded(like: Floats) -> Floats:
    """Return infinities with rows one longer than those of an array of four axes."""
    return np.full((*like.shape[:3], like.shape[3] + 1), np.inf, np.float32)


def _lower(to: NDArray[Any], source: NDArray[Any], step: NDArray[Any]) -> None:
    np.minimum(to, source + step, out=to)


def _shifted(da: int, db: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Index of all places that have a neighbor at ``(-da, -db)``, and of those neighbors."""
    (to_a, source_a), (to_b, source_b) = _both(da), _both(db)
    return (to_a, to_b), (source_a, source_b)


def _both(offset: int) -> tuple[slice, slice]:
    """Index along one axis of all places that have one at ``-offset``, and of those."""
    return (
        slice(max(offset, 0), None if offset >= 0 else offset),
        slice(max(-offset, 0), None if offset <= 0 else -offset),
    )
