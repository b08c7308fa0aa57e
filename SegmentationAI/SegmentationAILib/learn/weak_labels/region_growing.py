"""Region growing: all that hangs together with the seeds and is about as bright as they are.

The confidence-connected rule as ITK documents it (`itk::ConfidenceConnectedImageFilter`): mean and
standard deviation about the seeds give a range, the connected voxels in that range give the next
mean and deviation, and so on. Our own, because ITK's knows no voxels that it must not pass: here
negative seeds are walls, and voxels may also touch at edges and corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError
from ...core.progress import IGNORE, Progress
from .readable_intensities import Floats, Mask, readable_intensities
from .seeds import Seeds
from .weak_answer import WeakAnswer, answer_of_mask


@dataclass(frozen=True)
class RegionGrowingOptions:
    """How a region grows.

    Attributes:
        multiplier: Half the width of the range, in standard deviations of the region so far.
        iterations: How often the range is measured anew.
        radius: Of the cube about each seed that the first range comes from, voxels.
        connectivity: Voxels that share a face (6), an edge (18) or a corner (26) touch.
        low: Lowest intensity of the region; with ``high``, a fixed range in place of the measured.
        high: Highest intensity of the region.
    """

    multiplier: float = 2.5
    iterations: int = 4
    radius: int = 1
    connectivity: Literal[6, 18, 26] = 6
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if not (0.0 < self.multiplier <= 100.0 and 0 <= self.iterations <= 100):
            raise SegmentationAIError(
                f"A multiplier of {self.multiplier:g} and {self.iterations} iterations were asked "
                "for; above 0 to 100, and 0 to 100, are expected."
            )
        if not 0 <= self.radius <= 50:
            raise SegmentationAIError(f"A radius of {self.radius} voxels; 0 to 50 is expected.")
        if self.connectivity not in (6, 18, 26):
            raise ValueError(f"connectivity {self.connectivity} is not 6, 18 or 26")
        if (self.low is None) != (self.high is None) or (
            self.low is not None and self.high is not None and not self.low <= self.high
        ):
            raise SegmentationAIError(
                f"A range from {self.low} to {self.high} was given; two intensities, the lower one "
                "first, are expected."
            )


def region_growing(
    voxels: NDArray[Any],
    seeds: Seeds,
    options: RegionGrowingOptions | None = None,
    progress: Progress = IGNORE,
) -> WeakAnswer:
    """Return the region that hangs together with the positive seeds.

    Args:
        voxels: ``(I, J, K)``, any real dtype; not changed.
        seeds: On the same grid; negative ones are not passed.
        options: None for 2.5 standard deviations, measured four times.
        progress: Told per iteration.

    Raises:
        PromptError: There is no positive seed.
        SegmentationAIError: All intensities are the same.
        Cancelled: Raised by ``progress``.
    """
    chosen = options or RegionGrowingOptions()
    intensities = readable_intensities(voxels)
    seeds.check(intensities.shape)
    positive, wall = seeds.positive & ~seeds.negative, seeds.negative
    progress(0.0, "Measuring about the seeds")
    low, high = _first_range(intensities, positive, chosen)
    region = _connected(intensities, positive, wall, (low, high), chosen.connectivity)
    rounds = chosen.iterations if chosen.low is None else 0
    for number in range(rounds):
        progress((number + 1) / (rounds + 1), f"Growing, round {number + 1} of {rounds}")
        low, high = _range_of(intensities[region], chosen.multiplier)
        low = min(low, float(intensities[positive].min()))
        high = max(high, float(intensities[positive].max()))
        grown = _connected(intensities, positive, wall, (low, high), chosen.connectivity)
        if np.array_equal(grown, region):
            break
        region = grown
    settings = {
        "multiplier": chosen.multiplier,
        "iterations": chosen.iterations,
        "radius": chosen.radius,
        "connectivity": chosen.connectivity,
        "low": low,
        "high": high,
    }
    return answer_of_mask(region, settings)


def _first_range(
    intensities: Floats, positive: Mask, options: RegionGrowingOptions
) -> tuple[float, float]:
    """Return the given range, or that of the cubes about the seeds; it holds every seed."""
    if options.low is not None and options.high is not None:
        return options.low, options.high
    side = 2 * options.radius + 1
    near = ndi.maximum_filter(positive, side)
    low, high = _range_of(intensities[near], options.multiplier)
    own = intensities[positive]
    return min(low, float(own.min())), max(high, float(own.max()))


def _range_of(values: Floats, multiplier: float) -> tuple[float, float]:
    doubles = values.astype(np.float64)
    half = multiplier * float(doubles.std(ddof=1 if len(doubles) > 1 else 0))
    return float(doubles.mean()) - half, float(doubles.mean()) + half


def _connected(
    intensities: Floats,
    positive: Mask,
    wall: Mask,
    limits: tuple[float, float],
    connectivity: int,
) -> Mask:
    """Return the voxels within the limits from which a path of such voxels leads to a seed."""
    inside = (intensities >= limits[0]) & (intensities <= limits[1]) & ~wall
    structure = ndi.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[connectivity])
    numbers, count = ndi.label(inside, structure)
    reached = np.zeros(count + 1, np.bool_)
    reached[numbers[positive]] = True
    reached[0] = False
    return np.asarray(reached[numbers], np.bool_)
