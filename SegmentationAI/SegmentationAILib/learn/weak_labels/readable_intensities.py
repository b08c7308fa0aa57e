"""What every method for weak labels works on: finite float32 intensities that differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def readable_intensities(voxels: NDArray[Any]) -> Floats:
    """Return one channel as float32, with what is not finite at the lowest intensity.

    Args:
        voxels: ``(I, J, K)``, any real dtype; not changed.

    Raises:
        SegmentationAIError: No two voxels differ, so that there is nothing to tell apart.
    """
    with np.errstate(over="ignore"):  # an intensity beyond float32 is infinite, and seen below
        intensities = np.array(voxels, np.float32)
    finite = np.isfinite(intensities)
    known = intensities if finite.all() else intensities[finite]
    if known.size == 0 or known.min() == known.max():
        found = f"are all {known.flat[0]:g}" if known.size else "are not finite"
        raise SegmentationAIError(
            f"The voxels of this volume {found}; intensities that differ are needed to tell "
            "structures apart."
        )
    intensities[~finite] = known.min()
    return intensities


def region_of(within: Mask | None, shape: tuple[int, ...]) -> Mask:
    """Return the voxels to label: the mask, or all for None.

    Raises:
        SegmentationAIError: The mask is empty.
        ValueError: It has another shape.
    """
    if within is None:
        return np.ones(shape, np.bool_)
    if within.shape != shape:
        raise ValueError(f"a mask of shape {within.shape} was given for voxels of {shape}")
    if not within.any():
        raise SegmentationAIError(
            "The mask to label within is empty; draw it first, or leave it out."
        )
    return within
