"""Arrays to SimpleITK and back, and a SimpleITK filter that can be cancelled.

SimpleITK takes the axes of an array in reverse. So that nothing is copied into another order, an
array ``(I, J, K)`` goes over as it lies and everything else is reversed for it: spacing and seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name its own documentation uses
from numpy.typing import NDArray

from ...core.progress import Progress

Spacing = tuple[float, float, float]


def itk_from_array(array: NDArray[Any], spacing: Spacing) -> sitk.Image:
    """Return an image of ``array`` ``(I, J, K)``, whose axes are K, J, I to SimpleITK, mm."""
    voxels = array.view(np.uint8) if array.dtype == np.bool_ else array
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing([float(s) for s in spacing[::-1]])
    return image


def array_from_itk(image: sitk.Image) -> NDArray[Any]:
    """Return the voxels ``(I, J, K)`` of an image from `itk_from_array` or a filter on it."""
    return np.asarray(sitk.GetArrayFromImage(image))


def itk_indices(mask: NDArray[np.bool_]) -> list[list[int]]:
    """Return the voxels of a mask as SimpleITK indexes them."""
    return [[int(n) for n in index[::-1]] for index in np.argwhere(mask)]


def execute(itk_filter: Any, *images: sitk.Image, progress: Progress, sentence: str) -> sitk.Image:
    """Run a filter, telling ``progress`` and ending early when that raises.

    Args:
        itk_filter: A filter of SimpleITK with its options set.
        images: What it runs on.
        progress: Told as often as the filter tells.
        sentence: What is being done.

    Raises:
        Cancelled: Raised by ``progress``; it goes on from here once the filter has stopped.
    """
    raised: list[BaseException] = []

    def tell() -> None:
        # An exception must not pass through SimpleITK's own code, which would end the process.
        try:
            progress(itk_filter.GetProgress(), sentence)
        except BaseException as error:
            raised.append(error)
            itk_filter.Abort()

    progress(0.0, sentence)
    itk_filter.AddCommand(sitk.sitkProgressEvent, tell)
    try:
        answer = itk_filter.Execute(*images)
    except RuntimeError:
        if raised:
            raise raised[0] from None
        raise
    finally:
        itk_filter.RemoveAllCommands()
    if raised:
        raise raised[0]
    return answer
