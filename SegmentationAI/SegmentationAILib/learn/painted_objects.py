"""Intensities for labels of any kind: a contrast that no scanner has, or nearly one.

After Billot et al., SynthSeg, Medical Image Analysis 86, 2023, doi:10.1016/j.media.2023.102789: a
random mean per class, then texture, partial volume, bias field and noise. Beyond that, what makes
pointing hard: neighbors of the same intensity, objects of several parts, and weak contrasts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .deform import Array, smooth_field

Labels = NDArray[np.uint8]
Blur = NDArray[np.float64]


def painted_objects(
    rng: np.random.Generator, objects: Labels, regions: Labels, blur_voxels: Blur
) -> Array:
    """Return intensities `(X, Y, Z)` of objects before tissues, about 0 to 1.

    Args:
        rng: source of every random choice.
        objects: 0 where none is; 1 and more, each an object.
        regions: tissue behind them.
        blur_voxels: largest standard deviation of the blur along each axis.
    """
    behind = rng.uniform(0.0, 1.0, 8)
    if rng.random() < 0.5:
        # Tissues that are nearly one.
        behind = behind[0] + rng.normal(0.0, 0.1, 8)
    main = rng.uniform(0.0, 1.0)
    least = rng.choice([0.06, 0.15, 0.3])
    while np.abs(main - behind[0]) < least:
        main = rng.uniform(0.0, 1.0)
    means = np.where(rng.random(256) < 0.6, main + rng.normal(0.0, 0.02, 256), rng.random(256))
    drawn = np.where(objects > 0, means[objects], behind[regions]).astype(np.float32)
    if rng.random() < 0.3:
        _add_parts(rng, drawn, objects)
    return scanned(rng, drawn, blur_voxels)


def painted_mixture(
    rng: np.random.Generator,
    labels: Labels,
    means: NDArray[np.float32],
    deviations: NDArray[np.float32],
    blur_voxels: Blur,
) -> Array:
    """Return intensities `(X, Y, Z)` of labels that are painted with a Gaussian mixture.

    Args:
        rng: source of every random choice.
        labels: classes of the mixture.
        means: per class.
        deviations: per class.
        blur_voxels: largest standard deviation of the blur along each axis.
    """
    grain = rng.standard_normal(labels.shape, dtype=np.float32)
    return scanned(rng, means[labels] + deviations[labels] * grain, blur_voxels)


def scanned(rng: np.random.Generator, drawn: Array, blur_voxels: Blur) -> Array:
    """Return intensities with texture, partial volume, bias field and noise, each of some size."""
    shape = drawn.shape
    spread = float(drawn.std()) + 0.02
    if rng.random() < 0.5:
        knots = int(rng.integers(8, 20))
        drawn = drawn + np.float32(spread * rng.uniform(0.0, 0.35)) * smooth_field(
            rng, shape, (knots,) * 3
        )
    drawn = gaussian_filter(drawn, (blur_voxels * rng.uniform(0.3, 1.0)).tolist())
    if rng.random() < 0.5:
        field = smooth_field(rng, shape, (3, 3, 3))
        drawn = drawn * np.exp(np.float32(rng.uniform(0.0, 0.25)) * field)
    level = spread * rng.choice([0.02, rng.uniform(0.0, 0.3), rng.uniform(0.1, 0.6)])
    noise = rng.standard_normal(shape, dtype=np.float32)
    if rng.random() < 0.4:
        # Reconstructed noise is never independent from voxel to voxel.
        noise = gaussian_filter(noise, rng.uniform(0.4, 1.0))
        noise /= noise.std() + 1e-6
    return np.asarray(drawn + np.float32(level) * noise, dtype=np.float32)


def _add_parts(rng: np.random.Generator, drawn: Array, objects: Labels) -> None:
    """Let objects have a core, a rim or islands of another intensity."""
    field = smooth_field(rng, drawn.shape, (int(rng.integers(5, 14)),) * 3)
    part = (objects > 0) & (field > rng.uniform(0.0, 1.0))
    drawn[part] += np.float32(rng.normal(0.0, 0.3))
