"""Masks and their changes as small bytes: what a journal keeps of voxels.

A mask is stored as its own box of bits, a change as the bits that differ; zlib does the rest.
"""

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import FileFormatError
from .volume import Box

# Level 1: twice as large as level 6 at most, and eight times as fast, while a person waits.
_LEVEL: Final = 1
LARGEST_MASK_VOXELS: Final = 1 << 33

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PlacedMask:
    """A mask on an endless lattice: outside of its array there is nothing.

    Attributes:
        start_ijk: Lattice index of its first voxel; may be negative.
        voxels: Bool ``(I, J, K)``, any extent, also empty.
    """

    start_ijk: tuple[int, int, int]
    voxels: Mask

    def within(self, box: Box) -> Mask:
        """Return a copy of the part in ``box``, False where the array does not reach."""
        out = np.zeros(box.shape, bool, order="F")
        self.put_into(out, box, True)
        return out

    def put_into(self, out: NDArray[Any], box: Box, value: Any) -> None:
        """Put ``value`` into ``out``, an array of ``box``, where the mask is; the rest stays."""
        start = np.maximum(box.start_ijk, self.start_ijk)
        stop = np.minimum(box.stop_ijk, np.add(self.start_ijk, self.voxels.shape))
        if (start < stop).all():
            here = self.voxels[_slices(start - self.start_ijk, stop - self.start_ijk)]
            out[_slices(start - box.start_ijk, stop - box.start_ijk)][here] = value

    def cropped(self) -> "PlacedMask":
        """Return the smallest mask with the same voxels."""
        box = box_of(self.voxels)
        start = tuple(int(a + b) for a, b in zip(self.start_ijk, box.start_ijk, strict=True))
        return PlacedMask((start[0], start[1], start[2]), self.voxels[box.slices])

    def changed_by(self, difference: "PlacedMask") -> "PlacedMask":
        """Return the mask with every voxel of ``difference`` turned over."""
        if self.voxels.size == 0:
            return difference
        box = union(self.box, difference.box)
        return PlacedMask(box.start_ijk, self.within(box) ^ difference.within(box))

    @cached_property
    def box(self) -> Box:
        """The box of the array; kept, as hundreds of prompts are looked through for each answer."""
        i, j, k = (int(a + n) for a, n in zip(self.start_ijk, self.voxels.shape, strict=True))
        return Box(self.start_ijk, (i, j, k))


NO_MASK: Final = PlacedMask((0, 0, 0), np.zeros((0, 0, 0), bool))


def encoded(mask: PlacedMask) -> tuple[list[int], bytes]:
    """Return ``[i0, j0, k0, I, J, K]`` and the bits of a mask, compressed."""
    small = mask.cropped()
    bits = np.packbits(small.voxels.ravel(order="F"))
    return [*small.start_ijk, *small.voxels.shape], zlib.compress(bits.tobytes(), _LEVEL)


def decoded(place: list[int], content: bytes) -> PlacedMask:
    """Return the mask of `encoded`.

    Raises:
        FileFormatError: The numbers and the bytes do not belong together.
    """
    if len(place) != 6 or not all(isinstance(n, int) for n in place) or min(place[3:]) < 0:
        raise FileFormatError(f"A mask of the journal lies at {place}; six integers were expected.")
    i, j, k = place[3:]
    voxels = i * j * k
    if voxels > LARGEST_MASK_VOXELS:
        raise FileFormatError(f"A mask of the journal has {voxels} voxels; that is no scan's.")
    bytes_expected = (voxels + 7) // 8
    # One byte more than expected, so that a longer stream is noticed without being unpacked.
    bits = zlib.decompressobj().decompress(content, bytes_expected + 1)
    if len(bits) != bytes_expected:
        raise FileFormatError("A mask of the journal has another number of voxels than it says.")
    flat: NDArray[Any] = np.unpackbits(np.frombuffer(bits, np.uint8), count=voxels)
    return PlacedMask(
        (place[0], place[1], place[2]), flat.astype(bool).reshape((i, j, k), order="F")
    )


def box_of(voxels: Mask) -> Box:
    """Return the smallest box of all True voxels, of no voxel when there is none."""
    # The first axis is the contiguous one: it goes first, and what is left is small.
    columns: Mask = np.any(voxels, axis=0)
    spans = [np.flatnonzero(np.any(columns, axis=axis)) for axis in (1, 0)]
    if not len(spans[0]):
        return Box((0, 0, 0), (0, 0, 0))
    (j0, j1), (k0, k1) = ((int(span[0]), int(span[-1]) + 1) for span in spans)
    rows = np.flatnonzero(np.any(voxels[:, j0:j1, k0:k1], axis=(1, 2)))
    return Box((int(rows[0]), j0, k0), (int(rows[-1]) + 1, j1, k1))


def union(first: Box, second: Box) -> Box:
    """Return the smallest box that holds both; an empty one takes no room."""
    if first.is_empty or second.is_empty:
        return second if first.is_empty else first
    start = [int(n) for n in np.minimum(first.start_ijk, second.start_ijk)]
    stop = [int(n) for n in np.maximum(first.stop_ijk, second.stop_ijk)]
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def meets(first: Box, second: Box) -> bool:
    """Return whether two boxes have a voxel in common."""
    return all(
        a < d and c < b
        for a, b, c, d in zip(
            first.start_ijk, first.stop_ijk, second.start_ijk, second.stop_ijk, strict=True
        )
    )


def _slices(start: NDArray[Any], stop: NDArray[Any]) -> tuple[slice, slice, slice]:
    i, j, k = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return i, j, k
