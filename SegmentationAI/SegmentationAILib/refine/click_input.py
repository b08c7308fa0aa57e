"""What the click network sees: a patch, what was answered before, and prompts, as seven channels.

A structure can be of any modality, so intensities come in two forms: the patch's own range, and the
difference from what was pointed at, which opens the window of a CT at the right place.
"""

from __future__ import annotations

from dataclasses import dataclass

import edt
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

CHANNELS = 7
# A prompt is seen this many voxels around it, fading with the distance.
REACH_VOXELS = 4.0
# Intensities are cut at this many times their scale.
LIMIT = 3.0
# Statistics come from every second voxel along each axis: the same to two digits, at an eighth.
# Along an axis with fewer planes inside of the scan they come from every one: a scan of one slice
# lies in one plane of the patch, which every second one passes over.
LEAST_PLANES = 8


@dataclass(frozen=True, eq=False)
class PatchPrompts:
    """Prompts on the grid of a patch, each mask `(X, Y, Z)`.

    Attributes:
        positive: voxels that belong to the object.
        negative: voxels that do not.
        region: where the object lies, roughly (a box or a lasso); None without one.
    """

    positive: Mask
    negative: Mask
    region: Mask | None = None


def click_input(
    intensities: Array,
    outside: Mask,
    previous: Array | None,
    prompts: PatchPrompts,
    seed: float | None = None,
) -> Array:
    """Return the channels `(7, X, Y, Z)`, float32, all about -1 to 1 and 0 where nothing is known.

    Args:
        intensities: `(X, Y, Z)` as scanned, finite.
        outside: where the scan does not reach; intensities there are ignored.
        previous: probabilities 0 to 1 of the object before, `(X, Y, Z)`; None when there were none.
        prompts: on the same grid.
        seed: intensity of what was pointed at; by default `seed_intensity` of these prompts, and
            without a positive prompt the second channel is 0.
    """
    channels = np.zeros((CHANNELS, *intensities.shape), np.float32)
    if seed is None:
        seed = seed_intensity(intensities, prompts.positive, outside)
    thin = _thinned(outside)
    some = intensities[thin][~outside[thin]]
    if some.size:
        low, middle, high = np.percentile(some, (1.0, 50.0, 99.0))
        scale = max((high - low) / 2.0, 1e-6)
        channels[0] = np.clip((intensities - middle) / scale, -LIMIT, LIMIT)
        if seed is not None:
            channels[1] = from_seed(intensities, some, seed, scale)
        channels[:2, outside] = 0.0
    if previous is not None:
        channels[2] = 2.0 * previous - 1.0
    channels[3] = closeness(prompts.positive)
    channels[4] = closeness(prompts.negative)
    if prompts.region is not None:
        channels[5] = prompts.region
    channels[6] = outside
    return channels


def seed_intensity(intensities: Array, positive: Mask, outside: Mask | None = None) -> float | None:
    """Return the median intensity of positive voxels and their neighbors; None without any.

    Args:
        intensities: `(X, Y, Z)`.
        positive: inside of the scan.
        outside: where the scan does not reach, which is no neighbor; None for nowhere.
    """
    places = np.argwhere(positive)
    if len(places) == 0:
        return None
    values = []
    # A long scribble says the same as some of its voxels.
    for i, j, k in places[:: max(1, len(places) // 16)]:
        around = tuple(slice(max(c - 1, 0), c + 2) for c in (i, j, k))
        near = intensities[around]
        values.append(np.median(near if outside is None else near[~outside[around]]))
    return float(np.median(values))


def _thinned(outside: Mask) -> tuple[slice, slice, slice]:
    """Return which voxels statistics come from."""
    i, j, k = (
        np.count_nonzero(~outside.all(axis=tuple(other for other in range(3) if other != axis)))
        for axis in range(3)
    )
    x, y, z = (slice(None, None, 2 if planes >= LEAST_PLANES else 1) for planes in (i, j, k))
    return x, y, z


def from_seed(intensities: Array, some: Array, seed: float, scale: float) -> Array:
    """Return the difference from the seed, in units of a typical difference, -1 to 1.

    Args:
        intensities: of the patch, any shape.
        some: a sample of those inside the scan.
        seed: what was pointed at.
        scale: half the range of the patch, more than 0.
    """
    typical = float(np.median(np.abs(some - np.float32(seed))))
    # A patch that is nearly all of one intensity must not blow its noise up.
    unit = max(typical, 0.02 * scale)
    units = (intensities - np.float32(seed)) / np.float32(unit)
    return np.asarray(np.clip(units, -LIMIT, LIMIT) / LIMIT, np.float32)


def closeness(mask: Mask) -> Array:
    """Return 1 at the voxels of a mask, falling to 0 at `REACH_VOXELS` from them, `(X, Y, Z)`."""
    near = np.zeros(mask.shape, np.float32)
    places = np.nonzero(mask)
    if len(places[0]) == 0:
        return near
    reach = int(REACH_VOXELS)
    box = tuple(
        slice(max(int(axis.min()) - reach, 0), int(axis.max()) + reach + 1) for axis in places
    )
    # Far from the mask edt gives its distance inside the box, which is what is wanted.
    distance = edt.edt(np.ascontiguousarray(~mask[box]), parallel=1)
    near[box] = np.maximum(0.0, 1.0 - distance / REACH_VOXELS)
    return near
