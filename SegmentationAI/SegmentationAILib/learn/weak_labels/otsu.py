"""Otsu's thresholds: classes of intensity with the largest variance between them.

N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems,
Man, and Cybernetics 9(1):62-66, 1979, doi:10.1109/TSMC.1979.4310076; several thresholds after
P.-S. Liao, T.-S. Chen, P.-C. Chung, "A fast algorithm for multilevel thresholding", Journal of
Information Science and Engineering 17(5):713-727, 2001. SimpleITK's filter does the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name its own documentation uses
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError
from ...core.progress import IGNORE, Progress
from .itk_grid import execute, itk_from_array
from .readable_intensities import Mask, readable_intensities, region_of
from .weak_answer import WeakAnswer, answer_of_classes, check_class_count

# All combinations of bins are tried, so that more thresholds want fewer bins.
BINS: Final = {1: 1024, 2: 512, 3: 128}
MOST_THRESHOLDS: Final = 3


@dataclass(frozen=True)
class OtsuOptions:
    """How a volume is cut into classes.

    Attributes:
        classes: 2 to 4.
    """

    classes: int = 2


def otsu(
    voxels: NDArray[Any],
    options: OtsuOptions | None = None,
    within: Mask | None = None,
    progress: Progress = IGNORE,
) -> WeakAnswer:
    """Return the classes of intensity between Otsu's thresholds.

    Args:
        voxels: ``(I, J, K)``, any real dtype; not changed.
        options: None for two classes.
        within: Voxels to look at, None for all.
        progress: Told at each step.

    Raises:
        SegmentationAIError: All intensities are the same, or the number of classes is not 2 to 4.
        Cancelled: Raised by ``progress``.
    """
    chosen = options or OtsuOptions()
    check_class_count(chosen.classes)
    if chosen.classes - 1 > MOST_THRESHOLDS:
        raise SegmentationAIError(
            f"{chosen.classes} classes were asked for; Otsu's search is quick enough for 2 to "
            f"{MOST_THRESHOLDS + 1}, and kmeans takes more."
        )
    intensities = readable_intensities(voxels)
    region = region_of(within, intensities.shape)
    known = readable_intensities(intensities[region])
    thresholds = _thresholds(known, chosen.classes - 1, progress)
    classes = np.searchsorted(np.asarray(thresholds), intensities, side="left")
    progress(1.0, "Thresholds applied")
    settings = {
        "classes": chosen.classes,
        **{f"threshold_{number}": value for number, value in enumerate(thresholds, start=1)},
    }
    return answer_of_classes(classes, chosen.classes, within, settings)


def _thresholds(known: NDArray[np.float32], count: int, progress: Progress) -> list[float]:
    """Return rising thresholds; an intensity of exactly a threshold belongs below it."""
    search = sitk.OtsuMultipleThresholdsImageFilter()
    search.SetNumberOfThresholds(count)
    search.SetNumberOfHistogramBins(BINS[count])
    image = itk_from_array(known.reshape(1, 1, -1), (1.0, 1.0, 1.0))
    execute(search, image, progress=progress, sentence="Searching thresholds")
    return [float(value) for value in search.GetThresholds()]
