"""From slabs of network logits to the source voxels that lie between their planes.

Shared by everything that is brought back to the source grid while slabs arrive: it keeps the last
plane of a slab for the cells that reach into the next one, and cuts long slabs into chunks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .patches import LogitsSlab

Floats = NDArray[np.float32]

# Sixteen planes share their arg-max work well, and stay within the cache for small networks.
CHUNK_PLANES = 16
CHUNK_BYTES = 96 * 2**20
# Coordinates this close to a network voxel are taken to be that voxel: an axis that was only
# flipped or permuted then needs no interpolation at all.
SAME_PLACE = 1e-6


class AxisMapping(Protocol):
    """Where source voxels lie on the network grid, axis by axis (see `preprocess.AxisMap`)."""

    @property
    def source_shape(self) -> tuple[int, int, int]:
        """Voxels ``(I, J, K)`` of the source grid."""

    @property
    def network_shape(self) -> tuple[int, int, int]:
        """Voxels ``(X, Y, Z)`` of the network grid."""

    @property
    def source_axis(self) -> Sequence[int]:
        """For each network axis the source axis that runs along it."""

    @property
    def coordinates(self) -> Sequence[NDArray[np.float64]]:
        """For each network axis the network coordinate of each index of its source axis."""


@dataclass(frozen=True, eq=False)
class AxisPlaces:
    """Linear interpolation along one axis, for the source indices that lie on the network grid.

    Attributes:
        covered: The source indices in question.
        lower: For each of them the network index below, ``(n,)``.
        fraction: How far it lies towards the next index, 0 to 1, float32 ``(n,)``.
        reach: 1 where two network voxels are needed, 0 where one is enough for all of them.
    """

    covered: slice
    lower: NDArray[np.intp]
    fraction: Floats
    reach: int

    def part(self, first: int, stop: int) -> "AxisPlaces":
        """Return those whose lower index is in ``[first, stop)``, counted from ``first``."""
        chosen = _span((self.lower >= first) & (self.lower < stop))
        covered = slice(self.covered.start + chosen.start, self.covered.start + chosen.stop)
        lower, fraction = self.lower[chosen] - first, self.fraction[chosen]
        return AxisPlaces(covered, lower, fraction, self.reach)

    def between(self, values: NDArray[Any], axis: int) -> NDArray[Any]:
        """Return values at the source places, linear between the network's, along ``axis``."""
        lower = values.take(self.lower, axis=axis)
        if not self.reach:
            return lower
        upper = values.take(self.lower + 1, axis=axis)
        upper -= lower
        upper *= self.fraction.reshape([-1 if a == axis else 1 for a in range(values.ndim)])
        upper += lower
        return upper


def axis_places(coordinates: NDArray[np.float64], network_voxels: int) -> AxisPlaces:
    """Return where the source indices of one axis lie on an axis of ``network_voxels``.

    Indices within half a voxel of the grid take the border's value; those beyond are left out.
    """
    covered = _span(
        (coordinates >= -0.5 - SAME_PLACE) & (coordinates <= network_voxels - 0.5 + SAME_PLACE)
    )
    place = np.clip(coordinates[covered], 0, network_voxels - 1)
    if np.abs(place - np.rint(place)).max(initial=0.0) <= SAME_PLACE:
        lower = np.rint(place).astype(np.intp)
        return AxisPlaces(covered, lower, np.zeros(len(lower), np.float32), 0)
    lower = np.minimum(np.floor(place).astype(np.intp), network_voxels - 2)
    return AxisPlaces(covered, lower, (place - lower).astype(np.float32), 1)


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some network planes, and the source voxels that lie within them.

    Axes are those of the network, but the slab axis comes first.

    Attributes:
        logits: ``(K, A, B, C)`` float32.
        places: For each axis where the source voxels lie, counted from the chunk's first plane.
    """

    logits: Floats
    places: tuple[AxisPlaces, AxisPlaces, AxisPlaces]


class SlabWalk:
    """Cuts slabs, as they come in order, into chunks whose source voxels can be computed.

    Raises:
        ValueError: A slab does not follow the one before, or is not on the network grid.
    """

    def __init__(self, mapping: AxisMapping) -> None:
        self._shape = mapping.network_shape
        self._source_axis = tuple(mapping.source_axis)
        self._places = [
            axis_places(np.asarray(c, np.float64), n)
            for c, n in zip(mapping.coordinates, self._shape, strict=True)
        ]
        self._axis = -1
        self._next = 0
        self._last_plane: NDArray[Any] | None = None

    def chunks(self, slab: LogitsSlab) -> Iterator[Chunk]:
        """Yield the chunks that this slab completes."""
        self._check(slab)
        planes = np.moveaxis(slab.logits, slab.axis + 1, 1)
        if self._last_plane is not None:
            seam = np.stack([self._last_plane, planes[:, 0]], axis=1)
            yield from self._chunk(seam, slab.start - 1)
        reach = self._places[slab.axis].reach
        plane_bytes = 4 * planes[:, 0].size
        step = int(np.clip(CHUNK_BYTES // plane_bytes - reach, 1, CHUNK_PLANES))
        for first in range(0, planes.shape[1] - reach, step):
            yield from self._chunk(planes[:, first : first + step + reach], slab.start + first)
        self._next = slab.stop
        if reach and slab.stop < self._shape[slab.axis]:
            self._last_plane = planes[:, -1].copy()

    def source_view(self, array: NDArray[Any], chunk: Chunk) -> NDArray[Any]:
        """Return the part of a source array ``(I, J, K)`` that a chunk fills, its axes in order."""
        order = _slab_first(self._axis)
        view = array.transpose([self._source_axis[axis] for axis in order])
        part: NDArray[Any] = view[tuple(places.covered for places in chunk.places)]
        return part

    def check_finished(self) -> None:
        """Raise `ValueError` unless every plane has come by."""
        if self._axis < 0 or self._next != self._shape[self._axis]:
            raise ValueError(f"slabs ended at plane {self._next} of a grid of {self._shape}")

    def _chunk(self, planes: NDArray[Any], first: int) -> Iterator[Chunk]:
        a, b, c = (self._places[axis] for axis in _slab_first(self._axis))
        along = a.part(first, first + planes.shape[1] - a.reach)
        if len(along.lower) and len(b.lower) and len(c.lower):
            yield Chunk(_contiguous(planes), (along, b, c))

    def _check(self, slab: LogitsSlab) -> None:
        if self._axis < 0:
            self._axis = slab.axis
        shape = list(self._shape)
        shape[self._axis] = slab.stop - slab.start
        if slab.axis != self._axis or slab.start != self._next or slab.stop <= slab.start:
            raise ValueError(f"slab of planes {slab.start} to {slab.stop} after {self._next}")
        if list(slab.logits.shape[1:]) != shape:
            raise ValueError(f"slab of {slab.logits.shape[1:]} on a grid of {self._shape}")


def _slab_first(axis: int) -> tuple[int, int, int]:
    """The three axes, the slab axis first, the others in order."""
    b, c = (a for a in range(3) if a != axis)
    return axis, b, c


def _contiguous(planes: NDArray[Any]) -> Floats:
    """Float32 whose planes are contiguous; copied only where they are not."""
    channel = planes[0]
    if channel.strides[0] < channel.strides[2]:
        return _transposed(planes)
    if planes.dtype == np.float32 and channel.flags.c_contiguous:
        return planes
    return np.ascontiguousarray(planes, np.float32)


def _transposed(planes: NDArray[Any]) -> Floats:
    """Copy ``(K, n, B, C)`` whose first spatial axis runs fastest in memory.

    torch transposes matrices in tiles: 0.13 s for 30 x 128^3, where numpy takes 0.75 s.
    """
    import torch

    copied = np.empty(planes.shape, np.float32)
    for channel, target in zip(planes, copied, strict=True):
        columns = np.ascontiguousarray(np.moveaxis(channel, 0, 2), np.float32)
        rows = torch.from_numpy(columns.reshape(-1, len(channel)))
        torch.from_numpy(target.reshape(len(channel), -1)).copy_(rows.t())
    return copied


def _span(mask: NDArray[np.bool_]) -> slice:
    """The slice from the first to behind the last True; coordinates are monotonic."""
    found = np.flatnonzero(mask)
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)
