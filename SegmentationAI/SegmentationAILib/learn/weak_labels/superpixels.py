"""Superpixels: small compact pieces of one brightness, to cluster or to pick by prompts.

R. Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", IEEE
Transactions on Pattern Analysis and Machine Intelligence 34(11):2274-2282, 2012,
doi:10.1109/TPAMI.2012.120; SimpleITK's filter, which takes the spacing into account.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk  # noqa: N813 - the name its own documentation uses
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError
from ...core.progress import IGNORE, Progress
from .itk_grid import Spacing, array_from_itk, execute, itk_from_array
from .readable_intensities import Mask, readable_intensities
from .seeds import Seeds

# Weight of distance against intensity, after intensities are scaled to a deviation of 10: at one
# superpixel's size, distance counts as half a deviation.
COMPACTNESS: Final = 5.0
DEVIATION: Final = 10.0


def superpixels(
    voxels: NDArray[Any], spacing: Spacing, size_mm: float, progress: Progress = IGNORE
) -> NDArray[np.intp]:
    """Return the number of each voxel's superpixel ``(I, J, K)``, 0 and up, none left out.

    Args:
        voxels: ``(I, J, K)``, any real dtype; not changed.
        spacing: Of the voxels, mm.
        size_mm: Wanted edge of a superpixel; two voxels at least along each axis longer than one.
        progress: Told as ITK tells.

    Raises:
        SegmentationAIError: The size is not positive, or all intensities are the same.
        Cancelled: Raised by ``progress``.
    """
    if not 0.0 < size_mm <= 1000.0:
        raise SegmentationAIError(
            f"Superpixels of {size_mm:g} mm were asked for; above 0 to 1000 mm is expected."
        )
    intensities = readable_intensities(voxels)
    scaled = intensities * np.float32(DEVIATION / float(intensities.std(dtype=np.float64)))
    cells = [
        int(np.clip(round(size_mm / side), min(2, count), count))
        for side, count in zip(spacing, voxels.shape, strict=True)
    ]
    slic = sitk.SLICImageFilter()
    slic.SetSuperGridSize(cells[::-1])
    slic.SetSpatialProximityWeight(COMPACTNESS)
    slic.SetEnforceConnectivity(True)
    answer = execute(
        slic, itk_from_array(scaled, spacing), progress=progress, sentence="Making superpixels"
    )
    numbers = np.unique(array_from_itk(answer), return_inverse=True)[1]
    return np.asarray(numbers.reshape(voxels.shape), np.intp)


def superpixel_means(voxels: NDArray[Any], numbers: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the volume with every voxel at its superpixel's mean, ``(I, J, K)``."""
    sizes = np.bincount(numbers.ravel())
    sums = np.bincount(numbers.ravel(), weights=voxels.ravel())
    return np.asarray((sums / sizes)[numbers], np.float32)


def picked_superpixels(numbers: NDArray[np.intp], seeds: Seeds) -> Mask:
    """Return the superpixels in which more voxels are positive than negative, ``(I, J, K)``.

    Raises:
        PromptError: There is no positive seed.
    """
    seeds.check(numbers.shape)
    votes = ndi.sum_labels(
        (seeds.positive & ~seeds.negative).astype(np.int8) - seeds.negative.astype(np.int8),
        numbers,
        np.arange(numbers.max() + 1),
    )
    return np.asarray((votes > 0)[numbers], np.bool_)
