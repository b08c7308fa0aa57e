"""Where to look first: the slices of a result whose labels are least certain."""

from dataclasses import dataclass

import numpy as np

from .labelmap import Labelmap
from .volume import Volume, check_same_grid

# Less than this, a chance of 1 in 75 to be another label, is no doubt: over a whole slice of
# background it would add up to more than the border of a segment.
LEAST_ENTROPY = 0.1


@dataclass(frozen=True)
class DoubtfulSlice:
    """One slice of a volume, and how much of it is in doubt.

    Attributes:
        axis: Axis of the volume across which the slice lies, 0, 1 or 2.
        index: Of the slice along that axis.
        center_ras: Its most doubtful place, RAS mm.
        doubtful_mm2: Area that is undecided: entropy, 0 to 1, summed over the voxels in doubt.
        segment_mm2: Area of all segments together.
    """

    axis: int
    index: int
    center_ras: tuple[float, float, float]
    doubtful_mm2: float
    segment_mm2: float

    @property
    def doubt(self) -> float:
        """Doubtful area against doubtful and segmented area together, 0 (certain) to 1."""
        return self.doubtful_mm2 / (self.doubtful_mm2 + self.segment_mm2)


def doubtful_slices(
    uncertainty: Volume, labelmap: Labelmap, count: int = 10, least_mm2: float = 10.0
) -> tuple[DoubtfulSlice, ...]:
    """Return the least certain slices, the largest doubtful area first.

    Slices lie across the axis with the largest spacing, which is how the scan was read (the last
    one among equals).

    Args:
        uncertainty: Entropy 0 to 1, one channel.
        labelmap: On the same grid.
        count: How many at most.
        least_mm2: Slices with less doubtful area than this are left out.

    Raises:
        GeometryError: The grids differ.
    """
    check_same_grid(uncertainty.grid, labelmap.grid, ("uncertainty", "labels"))
    spacing = np.asarray(uncertainty.spacing)
    axis = int(2 - np.argmax(spacing[::-1].round(3)))
    others = tuple(a for a in range(3) if a != axis)
    area = float(np.prod(spacing[list(others)]))
    entropy = uncertainty.voxels[0]
    entropy = np.where(entropy < LEAST_ENTROPY, 0, entropy)
    doubtful = area * entropy.sum(axis=others, dtype=np.float64)
    covered = np.logical_or.reduce([layer != 0 for layer in labelmap.layers])
    segmented = area * covered.sum(axis=others, dtype=np.float64)
    found = [
        DoubtfulSlice(
            axis,
            int(index),
            _peak_ras(uncertainty, axis, int(index)),
            float(doubtful[index]),
            float(segmented[index]),
        )
        for index in np.flatnonzero((doubtful > 0) & (doubtful >= least_mm2))
    ]
    return tuple(sorted(found, key=lambda one: -one.doubtful_mm2)[:count])


def _peak_ras(uncertainty: Volume, axis: int, index: int) -> tuple[float, float, float]:
    plane = np.take(uncertainty.voxels[0], index, axis=axis)
    ijk = list(np.unravel_index(int(plane.argmax()), plane.shape))
    ijk.insert(axis, np.intp(index))
    r, a, s = uncertainty.grid.ras_from_ijk(np.array([ijk], np.float64))[0]
    return float(r), float(a), float(s)
