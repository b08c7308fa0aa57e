"""What a data set looks like as a whole: spacings, sizes, intensities, sizes of its structures.

The facts from which nnU-Net makes its plans (Isensee et al., nnU-Net, Nature Methods 2021,
doi:10.1038/s41592-020-01008-z, supplementary note 2).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.errors import SegmentationAIError
from .case_facts import CaseFacts

# Index of each direction in RAS.
AXIS_OF: Final = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ChannelIntensities:
    """Intensities of labeled voxels of one channel, over all cases.

    Attributes:
        mean: Their mean.
        std: Their standard deviation.
        low: Their 0.5th percentile.
        high: Their 99.5th percentile.
    """

    mean: float
    std: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """A data set as a whole; rows are cases, columns the axes R, A and S.

    Attributes:
        orientation: Axis code that most cases have.
        spacings_mm: ``(n, 3)``.
        extents_mm: ``(n, 3)``, of the whole volumes.
        nonzero_extents_mm: ``(n, 3)``, of the boxes that hold all that is not 0.
        intensities: Of each channel.
        label_ml: Median volume of each label value in the cases that have it.
        patients: How many.
    """

    orientation: str
    spacings_mm: Floats
    extents_mm: Floats
    nonzero_extents_mm: Floats
    intensities: tuple[ChannelIntensities, ...]
    label_ml: dict[int, float]
    patients: int

    @property
    def cases(self) -> int:
        """How many cases."""
        return len(self.spacings_mm)

    @property
    def nonzero_share(self) -> float:
        """Median share of a volume, 0 to 1, that the box of what is not 0 takes."""
        shares = (self.nonzero_extents_mm / self.extents_mm).prod(axis=1)
        return float(np.median(shares))

    def to_json(self) -> dict[str, Any]:
        """Return the medians, ready for JSON."""
        return {
            "cases": self.cases,
            "patients": self.patients,
            "orientation": self.orientation,
            "median_spacing_ras_mm": np.median(self.spacings_mm, axis=0).round(4).tolist(),
            "median_extent_ras_mm": np.median(self.extents_mm, axis=0).round(2).tolist(),
            "nonzero_share": round(self.nonzero_share, 4),
            "intensities": [vars(one) for one in self.intensities],
            "median_label_ml": {str(v): round(ml, 4) for v, ml in self.label_ml.items()},
        }


def fingerprint_of(facts: Sequence[CaseFacts]) -> Fingerprint:
    """Return the fingerprint of cases.

    Args:
        facts: As the checks collect them; those of the cases that are trained on.

    Raises:
        SegmentationAIError: There is no case, or no labeled voxel in any.
    """
    samples = [one.samples for one in facts if one.samples.size]
    if not samples:
        raise SegmentationAIError(
            f"{len(facts)} case(s) without a labeled voxel were found; at least one is needed to "
            "plan a training: draw labels first."
        )
    orders = [[AXIS_OF[letter] for letter in one.orientation] for one in facts]
    spacings = _in_ras([one.spacing_mm for one in facts], orders)
    sizes = _in_ras([one.shape for one in facts], orders)
    nonzero = _in_ras([one.nonzero_shape for one in facts], orders)
    # Of equally frequent codes the first in the alphabet, on every machine.
    codes = Counter(one.orientation for one in facts)
    return Fingerprint(
        orientation=min(codes, key=lambda code: (-codes[code], code)),
        spacings_mm=spacings,
        extents_mm=sizes * spacings,
        nonzero_extents_mm=nonzero * spacings,
        intensities=tuple(_intensities(np.concatenate(samples, axis=1))),
        label_ml=_label_ml(facts),
        patients=len({one.patient for one in facts}),
    )


def _in_ras(rows: Sequence[Sequence[float]], orders: Sequence[Sequence[int]]) -> Floats:
    """Return what is given along each case's own axes along R, A and S."""
    turned = np.empty((len(rows), 3))
    for row, order, target in zip(rows, orders, turned, strict=True):
        target[list(order)] = row
    return turned


def _intensities(samples: NDArray[np.float32]) -> list[ChannelIntensities]:
    found = []
    for channel in samples.astype(np.float64):
        low, high = np.percentile(channel, (0.5, 99.5))
        numbers = (channel.mean(), channel.std(), low, high)
        found.append(ChannelIntensities(*(round(float(number), 4) for number in numbers)))
    return found


def _label_ml(facts: Sequence[CaseFacts]) -> dict[int, float]:
    values = sorted({value for one in facts for value in one.label_voxels})
    return {
        value: float(
            np.median(
                [
                    one.label_voxels[value] * one.voxel_ml
                    for one in facts
                    if value in one.label_voxels
                ]
            )
        )
        for value in values
    }
