"""nnU-Net's rule for thick slices: each is resampled within itself, and the nearest one is taken.

Interpolating between slices that lie far apart invents tissue, so where voxels are more than three
times as long as wide their long axis is left out (Isensee et al., nnU-Net, Nature Methods 2021,
doi:10.1038/s41592-020-01008-z; its `resample_data_or_seg` with ``order_z`` 0).
"""

from collections.abc import Sequence

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from .resample import resample_into

MOST_ISOTROPIC_RATIO = 3.0
Floats = NDArray[np.float32]


def separate_axis(current: Sequence[float], wanted: Sequence[float]) -> int | None:
    """Return the axis along which voxels are not interpolated, None when all are.

    Args:
        current: Spacing in mm along each axis.
        wanted: Spacing after resampling; it decides where the current one is isotropic enough.

    Examples:
        >>> separate_axis((5.0, 1.0, 1.0), (1.0, 1.0, 1.0))
        0
        >>> separate_axis((3.0, 1.0, 1.0), (1.0, 1.0, 1.0)) is None
        True
        >>> separate_axis((5.0, 5.0, 1.0), (1.0, 1.0, 1.0)) is None
        True
    """
    for spacing in (current, wanted):
        if max(spacing) / min(spacing) > MOST_ISOTROPIC_RATIO:
            longest = [axis for axis, step in enumerate(spacing) if max(spacing) / step == 1]
            return longest[0] if len(longest) == 1 else None
    return None


def nearest_slices(length: int, size: int) -> NDArray[np.intp]:
    """Return for each of ``size`` slices over the same extent the nearest of ``length``."""
    places = length / size * (np.arange(size) + 0.5) - 0.5
    found = ndi.map_coordinates(
        np.arange(length, dtype=np.float64), places[None], order=0, mode="nearest"
    )
    return np.asarray(found, np.intp)


def resample_slices_into(target: Floats, voxels: Floats, axis: int) -> None:
    """Write ``voxels`` ``(I, J, K)`` with the shape of ``target`` into it, cubic within slices.

    Args:
        target: Any view without negative strides.
        voxels: Finite; not changed.
        axis: Along which slices follow each other.
    """
    into, source = np.moveaxis(target, axis, 0), np.moveaxis(voxels, axis, 0)
    chosen = nearest_slices(len(source), len(into))
    made = np.empty((1, *into.shape[1:]), np.float32)
    last = -1
    for number, plane in zip(chosen, into, strict=True):
        if number != last:
            # One call per slice: each is cut to its own range of intensities.
            resample_into(made, np.ascontiguousarray(source[number])[None], 3)
            last = int(number)
        plane[...] = made[0]
