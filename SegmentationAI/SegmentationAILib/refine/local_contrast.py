"""The border of a mask moved to where the intensities change.

What lies in a thin band about the border is compared with the mean intensities near it, inside and
outside, and joins the side that it is more like (the local region energy of Lankton and Tannenbaum,
IEEE TIP 17(11), 2008, doi:10.1109/TIP.2008.2004611, in its uniform modeling form; as a direct
assignment within the band instead of a level set). A border between two intensities comes to lie at
their middle, however smoothed or coarse the map was from which the mask came.
"""

from typing import Final

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Voxels on either side of the border that may change sides, and over how many the means are taken.
BAND_VOXELS: Final = 2
MEAN_VOXELS: Final = 2.5
ROUNDS: Final = 2
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
    found = mask
    cross = ndi.generate_binary_structure(3, 1)
    for _ in range(ROUNDS):
        inner = ndi.binary_erosion(found, cross, iterations=BAND_VOXELS, border_value=1)
        outer = ndi.binary_dilation(found, cross, iterations=BAND_VOXELS)
        band = outer & ~inner & ~keep
        if not band.any():
            break
        found = _assigned(found, channels, noise, band)
    return found


def _assigned(mask: Mask, channels: Floats, noise: NDArray[np.float64], band: Mask) -> Mask:
    places = np.argwhere(band)
    reach = int(np.ceil(2.5 * MEAN_VOXELS)) + 1
    start = np.maximum(places.min(axis=0) - reach, 0)
    cut = tuple(
        slice(int(a), int(b)) for a, b in zip(start, places.max(axis=0) + reach + 1, strict=True)
    )
    inside = mask[cut].astype(np.float32)
    weight_in, weight_out = _mean(inside), _mean(1 - inside)
    pull = np.zeros(inside.shape, np.float32)
    contrast = np.zeros(inside.shape, np.float32)
    for channel, deviation in zip(channels, noise, strict=True):
        values = channel[cut] / np.float32(max(deviation, 1e-12))
        mean_in = _mean(values * inside) / np.maximum(weight_in, 1e-3)
        mean_out = _mean(values * (1 - inside)) / np.maximum(weight_out, 1e-3)
        pull += (values - mean_out) ** 2 - (values - mean_in) ** 2
        contrast += (mean_in - mean_out) ** 2
    sure = band[cut] & (contrast > LEAST_CONTRAST**2)
    sure &= (weight_in > 1e-3) & (weight_out > 1e-3)
    result = mask.copy()
    result[cut][sure] = pull[sure] > 0
    return result


def _mean(values: Floats) -> Floats:
    return np.asarray(ndi.gaussian_filter(values, MEAN_VOXELS, truncate=2.5), np.float32)
