"""The box of the body: where a scan is more than air."""

from typing import Any

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from .histogram import Histogram
from .volume import Box

# HU between air and fat: everything of a patient but lung and gas lies above.
AIR_LIMIT_HU = -500.0
# Specks of the table and of noise are smaller than this share of the largest piece.
SMALLEST_PIECE = 0.05
MARGIN_MM = 10.0
# A body is found as well on every third voxel as on all of them.
SAMPLES_PER_AXIS = 128


def body_box(channel: NDArray[Any], found: Histogram, spacing: tuple[float, float, float]) -> Box:
    """Return the box of the body in ``channel`` ``(I, J, K)``, with a margin of 10 mm.

    Args:
        channel: Intensities; in a CT air is told by its HU, elsewhere by Otsu's threshold.
        found: Its histogram.
        spacing: Of the voxels, mm.
    """
    steps = [max(1, -(-n // SAMPLES_PER_AXIS)) for n in channel.shape]
    sample = channel[:: steps[0], :: steps[1], :: steps[2]]
    threshold = AIR_LIMIT_HU if found.low < AIR_LIMIT_HU else otsu_threshold(found)
    above = (sample > threshold) & (sample < found.replaced_above)
    pieces, number = ndi.label(above)
    if not number:
        return Box((0, 0, 0), (channel.shape[0], channel.shape[1], channel.shape[2]))
    sizes = np.bincount(pieces.ravel())[1:]
    kept = [
        one
        for one, size in zip(ndi.find_objects(pieces), sizes, strict=True)
        if size >= SMALLEST_PIECE * sizes.max()
    ]
    start, stop = [], []
    for axis, (step, n) in enumerate(zip(steps, channel.shape, strict=True)):
        # One sample more on both sides, since the body may end between two of them.
        margin = int(np.ceil(MARGIN_MM / spacing[axis])) + step - 1
        start.append(max(0, min(one[axis].start for one in kept) * step - margin))
        stop.append(min(n, (max(one[axis].stop for one in kept) - 1) * step + 1 + margin))
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def otsu_threshold(found: Histogram) -> float:
    """Return the intensity that splits the voxels into the two most uniform classes.

    Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems,
    Man, and Cybernetics 9(1):62, 1979, doi:10.1109/TSMC.1979.4310076.
    """
    values = found.low + np.arange(len(found.counts)) * found.width
    share = np.cumsum(found.counts) / found.voxels
    moment = np.cumsum(found.counts * values) / found.voxels
    split = share * (1 - share)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.where(split > 0, (moment[-1] * share - moment) ** 2 / split, 0.0)
    return float(values[int(between.argmax())])
