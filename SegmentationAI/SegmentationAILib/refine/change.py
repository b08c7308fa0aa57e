"""What a prompt changed, for those who show it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..core.mask_history import NO_MASK, PlacedMask
from ..core.volume import Box


def _nothing() -> NDArray[np.bool_]:
    return np.zeros((0, 0, 0), bool)


@dataclass(frozen=True)
class Change:
    """The box in which voxels changed; outside of it nothing did.

    Attributes:
        start_ijk: First voxel of the smallest half-open box around all changed voxels.
        stop_ijk: One beyond its last; equal to ``start_ijk`` when nothing changed.
        added: Voxels that became part of the segment.
        removed: Voxels that left it.
        notes: Sentences for the person, such as that the border of the scan was reached.
        turned: Which voxels of the box turned over, bool of its shape; not to be changed.
    """

    start_ijk: tuple[int, int, int]
    stop_ijk: tuple[int, int, int]
    added: int = 0
    removed: int = 0
    notes: tuple[str, ...] = ()
    turned: NDArray[np.bool_] = field(default_factory=_nothing, repr=False, compare=False)

    @property
    def box(self) -> Box:
        """The same box as a `Box`."""
        return Box(self.start_ijk, self.stop_ijk)

    @property
    def is_empty(self) -> bool:
        """Whether no voxel changed."""
        return self.box.is_empty


def change_of(difference: PlacedMask, mask: NDArray[np.bool_]) -> Change:
    """Return the change that turned voxels over.

    Args:
        difference: What was turned over.
        mask: The whole mask as it is after that.
    """
    small = difference.cropped() if difference.voxels.size else NO_MASK
    if not small.voxels.size:
        return NO_CHANGE
    added = int(np.count_nonzero(small.voxels & mask[small.box.slices]))
    removed = int(np.count_nonzero(small.voxels)) - added
    start, stop = small.box.start_ijk, small.box.stop_ijk
    return Change(start, stop, added, removed, turned=small.voxels)


NO_CHANGE = Change((0, 0, 0), (0, 0, 0))
