"""Masks that are nearly right: what a person finds before correcting it."""

from __future__ import annotations

import edt
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from .deform import Array, smooth_field

Mask = NDArray[np.bool_]


def wrong_mask(rng: np.random.Generator, target: Mask) -> Mask:
    """Return the target with its border moved in and out, smoothly; `(X, Y, Z)`.

    Where the displacement is large a lobe is missing or a leak has formed.
    """
    depth = depths(target)
    deepest = float(depth.max())
    knots = int(rng.integers(4, 10))
    height = rng.uniform(0.15, 0.7) * min(max(deepest, 1.5), 7.0)
    shift = rng.normal(0.0, 0.3) * height
    moved = depth + np.float32(height) * smooth_field(rng, target.shape, (knots,) * 3)
    return np.asarray(moved + np.float32(shift) > 0)


def coarse_look(rng: np.random.Generator, target: Mask) -> Array:
    """Return probabilities 0 to 1 as a look at fewer, larger voxels gives them; `(X, Y, Z)`."""
    times = rng.choice([2, 3, 4])
    side = target.shape[0] // times
    depth = depths(target)
    small = zoom(depth, side / target.shape[0], order=1)
    small = small + np.float32(rng.uniform(0.0, 0.5) * times) * smooth_field(
        rng, small.shape, (min(8, side),) * 3
    )
    back = zoom(small, target.shape[0] / side, order=1)
    sharp = np.float32(rng.uniform(0.5, 3.0) / times)
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(sharp * back, -20.0, 20.0))), np.float32)


def depths(mask: Mask) -> Array:
    """Return distances from the border, voxels: positive inside, negative outside."""
    inside = edt.edt(np.ascontiguousarray(mask), parallel=1)
    outside = edt.edt(np.ascontiguousarray(~mask), parallel=1)
    return np.asarray(np.clip(inside - outside, -100.0, 100.0), dtype=np.float32)
