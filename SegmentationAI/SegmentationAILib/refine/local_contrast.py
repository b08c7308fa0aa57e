"""The border of a mask moved to where the intensities change.

What lies in a thin band about the border is compared with the mean intensities near it, inside and
outside, and joins the side that it is more like (the local region energy of Lankton and Tannenbaum,
IEEE TIP 17(11), 2008, doi:10.1109/TIP.2008.2004611, in its uniform modeling form; as a direct
assignment within the band instead of a level set). A border between two intensities comes to lie at
their middle, however smoothed or coarse the map was from which the mask came.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..core.mask_history import box_of
from .smoothing import TRUNCATE, smoothed

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Voxels on either side of the border that may change sides, and over how many the means are taken.
BAND_VOXELS: Final = 2
MEAN_VOXELS: Final = 2.5
ROUNDS: Final = 2
# Below this share of a side, nothing of it is near.
_LEAST_WEIGHT: Final = 1e-3
# Two sides that differ by less than this much of their noise are one tissue: the border stays.
LEAST_CONTRAST: Final = 2.0


def on_contrast(mask: Mask, channels: Floats, noise: NDArray[np.float64], keep: Mask) -> Mask:
    """Return the mask with its border where the local contrast says.

    Args:
        mask: `(I, J, K)`; not changed.
        channels: `(C, I, J, K)`, finite.
        noise: Standard deviation of each channel.
        keep: Voxels that stay as they are.
    """
    band = _band(mask) & ~keep
    if not band.any():
        return mask
    cut = _around(band)
    found, keep = mask.copy(), keep[cut]
    near = _Near(channels[(slice(None), *cut)], noise)
    part, band = found[cut], band[cut]
    for _ in range(ROUNDS):
        near.assign(part, band)
        band = _band(part) & ~keep
    return found


class _Near:
    """Intensities in units of their noise, compared with those near them on either side."""

    def __init__(self, channels: Floats, noise: NDArray[np.float64]) -> None:
        self._values = []
        for channel, deviation in zip(channels, noise, strict=True):
            values = channel / np.float32(max(deviation, 1e-12))
            # Sums of one side are taken as differences: small numbers lose less.
            values -= np.float32(values.mean(dtype=np.float64))
            self._values.append((values, smoothed(values, MEAN_VOXELS)))

    def assign(self, mask: Mask, band: Mask) -> None:
        """Let voxels of the band join the side that they are more like; ``mask`` is changed."""
        inside = mask.astype(np.float32)
        weight_in = smoothed(inside, MEAN_VOXELS)[band]
        weight_out = 1 - weight_in
        pull = np.zeros(weight_in.shape, np.float32)
        contrast = np.zeros(weight_in.shape, np.float32)
        for values, means in self._values:
            sums = smoothed(values * inside, MEAN_VOXELS)[band]
            mean_in = sums / np.maximum(weight_in, _LEAST_WEIGHT)
            mean_out = (means[band] - sums) / np.maximum(weight_out, _LEAST_WEIGHT)
            here = values[band]
            pull += (here - mean_out) ** 2 - (here - mean_in) ** 2
            contrast += (mean_in - mean_out) ** 2
        sure = contrast > LEAST_CONTRAST**2
        sure &= (weight_in > _LEAST_WEIGHT) & (weight_out > _LEAST_WEIGHT)
        mask[band] = np.where(sure, pull > 0, mask[band])


def _band(mask: Mask) -> Mask:
    """The voxels from which the border is not far, on both sides of it."""
    return _grown(mask) & _grown(~mask)


def _grown(mask: Mask) -> Mask:
    """A mask and what is at most `BAND_VOXELS` steps along the axes away from it."""
    found = mask
    for _ in range(BAND_VOXELS):
        before, found = found, found.copy()
        for axis in range(3):
            to, source = np.moveaxis(found, axis, 0), np.moveaxis(before, axis, 0)
            to[1:] |= source[:-1]
            to[:-1] |= source[1:]
    return found


def _around(band: Mask) -> tuple[slice, slice, slice]:
    """A box in which the means near the band, and near where it may move to, are as outside."""
    reach = int(TRUNCATE * MEAN_VOXELS + 0.5) + 1 + ROUNDS * 2 * BAND_VOXELS
    box = box_of(band)
    i, j, k = (
        slice(max(0, start - reach), stop + reach)
        for start, stop in zip(box.start_ijk, box.stop_ijk, strict=True)
    )
    return i, j, k
