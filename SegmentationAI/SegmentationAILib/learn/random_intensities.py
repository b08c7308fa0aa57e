"""Random changes of a patch's intensities: noise, blur, brightness, contrast, resolution, gamma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

Patch = NDArray[np.float32]


@dataclass(frozen=True)
class RandomIntensities:
    """Probabilities of each change, in nnU-Net's order and ranges.

    Isensee et al., Nature Methods 2021, doi:10.1038/s41592-020-01008-z, supplementary note 4.
    Intensities are taken to be normalized: mean near 0 and deviation near 1.

    Attributes:
        noise: Of Gaussian noise, variance up to 0.1.
        blur: Of a Gaussian blur, sigma 0.5 to 1 voxel.
        brightness: Of a factor 0.75 to 1.25.
        contrast: Of a stretch about the mean by 0.75 to 1.25, cut to the range there was.
        coarseness: Of a lower resolution, down to half.
        inverted_gamma: Of a gamma on the inverted patch.
        gamma: Of a gamma 0.7 to 1.5; mean and deviation stay.
    """

    noise: float = 0.1
    blur: float = 0.2
    brightness: float = 0.15
    contrast: float = 0.15
    coarseness: float = 0.25
    inverted_gamma: float = 0.1
    gamma: float = 0.3

    def apply(self, rng: np.random.Generator, patch: Patch) -> Patch:
        """Return a changed copy of a patch `(C, ...)`; each channel draws for itself."""
        return np.stack([self._channel(rng, channel) for channel in patch])

    def _channel(self, rng: np.random.Generator, channel: Patch) -> Patch:
        if rng.random() < self.noise:
            deviation = np.float32(np.sqrt(rng.uniform(0, 0.1)))
            channel = channel + deviation * rng.standard_normal(channel.shape, np.float32)
        if rng.random() < self.blur:
            channel = _blurred(channel, float(rng.uniform(0.5, 1.0)))
        if rng.random() < self.brightness:
            channel = channel * np.float32(rng.uniform(0.75, 1.25))
        if rng.random() < self.contrast:
            channel = _stretched(channel, np.float32(rng.uniform(0.75, 1.25)))
        if rng.random() < self.coarseness:
            channel = _coarser(channel, float(rng.uniform(0.5, 1.0)))
        if rng.random() < self.inverted_gamma:
            channel = -_with_gamma(-channel, float(rng.uniform(0.7, 1.5)))
        if rng.random() < self.gamma:
            channel = _with_gamma(channel, float(rng.uniform(0.7, 1.5)))
        return channel


def _blurred(channel: Patch, sigma: float) -> Patch:
    # A plane that is one voxel thick is not blurred along that axis.
    sigmas = [sigma if side > 1 else 0.0 for side in channel.shape]
    return np.asarray(ndi.gaussian_filter(channel, sigmas, truncate=3.0), np.float32)


def _stretched(channel: Patch, factor: np.float32) -> Patch:
    mean = channel.mean(dtype=np.float64).astype(np.float32)
    stretched = (channel - mean) * factor + mean
    return np.asarray(np.clip(stretched, channel.min(), channel.max()), np.float32)


def _coarser(channel: Patch, zoom: float) -> Patch:
    """Return every voxel as its nearest on a coarser grid, interpolated back linearly."""
    for axis, side in enumerate(channel.shape):
        kept = max(1, round(side * zoom))
        if kept == side:
            continue
        taken = np.clip(np.round((np.arange(kept) + 0.5) * side / kept - 0.5), 0, side - 1)
        coarse = np.take(channel, taken.astype(np.intp), axis)
        place = np.clip((np.arange(side) + 0.5) * kept / side - 0.5, 0, kept - 1)
        low = np.minimum(place.astype(np.intp), max(kept - 2, 0))
        part = (place - low).astype(np.float32)
        shape = [1] * channel.ndim
        shape[axis] = side
        part = part.reshape(shape)
        high = np.take(coarse, np.minimum(low + 1, kept - 1), axis)
        channel = (1 - part) * np.take(coarse, low, axis) + part * high
    return channel


def _with_gamma(channel: Patch, gamma: float) -> Patch:
    low, high = channel.min(), channel.max()
    if not high > low:
        return channel
    mean, deviation = channel.mean(dtype=np.float64), channel.std(dtype=np.float64)
    bent = ((channel - low) / (high - low)) ** np.float32(gamma)
    bent_deviation = bent.std(dtype=np.float64)
    if bent_deviation == 0:
        return channel
    scaled = (bent - bent.mean(dtype=np.float64)) / bent_deviation * deviation + mean
    return np.asarray(scaled, np.float32)
