"""Labels on a network's grid: what a network is told to answer, made from labels on the volume's.

The rule is that of `restore`: every class is interpolated linearly by itself and the highest wins,
which is also what nnU-Net does to labels before training (Isensee et al., nnU-Net, Nature Methods
2021, doi:10.1038/s41592-020-01008-z; its ``resize_segmentation`` of order 1).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .axis_map import AxisMap, AxisPlan
from .boundary import mixed_cells
from .errors import GeometryError
from .separate_slices import nearest_slices
from .slab_walk import SAME_PLACE

Labels = NDArray[np.unsignedinteger[Any]]
# Voxels between labels that are looked at together: their corners stay within the cache.
GROUP = 1 << 16
# Shares that differ by less are equal to within rounding; the lowest label takes them.
TIE = 1e-6


def network_labels(
    layer: Labels, mapping: AxisMap, beyond: int, slice_axis: int | None = None
) -> Labels:
    """Return labels ``(X, Y, Z)`` at the voxels of a network's grid.

    Where the grids coincide the labels are copied. Elsewhere each voxel gets the label that has
    most of the eight source voxels around it, each weighted as in linear interpolation; of equal
    ones the lowest.

    Args:
        layer: ``(I, J, K)`` unsigned, on the volume's grid; not changed.
        mapping: As `preprocess.prepare` gives it for that volume.
        beyond: Value of network voxels that lie beyond the volume.
        slice_axis: Network axis along which the nearest source slice is taken, None for none.

    Raises:
        GeometryError: ``layer`` lies on another grid.
        ValueError: The map was not made from axis plans.
    """
    if mapping.plans is None:
        raise ValueError("labels follow the plans of a map, and this one has none")
    if layer.shape != mapping.source_shape:
        raise GeometryError(
            f"Labels of {layer.shape} voxels were found for a volume of {mapping.source_shape}; "
            "both have to lie on the same grid: resample the labels onto the volume."
        )
    places = [
        _source_places(plan, is_nearest=axis == slice_axis)
        for axis, plan in enumerate(mapping.plans)
    ]
    known = [~np.isnan(place) for place in places]
    inside = np.ix_(*(np.flatnonzero(one) for one in known))
    view = layer.transpose(mapping.source_axis)
    found = _between(view, [place[one] for place, one in zip(places, known, strict=True)])
    if all(one.all() for one in known):
        return found
    labels = np.full(mapping.network_shape, beyond, layer.dtype)
    labels[inside] = found
    return labels


def _source_places(plan: AxisPlan, *, is_nearest: bool) -> NDArray[np.float64]:
    places = plan.source_places
    if not is_nearest:
        return places
    known = ~np.isnan(places)
    width = plan.stop - plan.start
    within = np.flatnonzero(known) - plan.offset
    chosen = nearest_slices(width, plan.scaled)[within].astype(np.float64)
    places[known] = plan.stop - 1 - chosen if plan.flipped else plan.start + chosen
    return places


def _between(view: Labels, places: Sequence[NDArray[np.float64]]) -> Labels:
    """Return labels at continuous places of each axis of ``view``."""
    lower, fractions, reach = [], [], []
    for place, length in zip(places, view.shape, strict=True):
        nearest = np.rint(place)
        if np.abs(place - nearest).max(initial=0.0) <= SAME_PLACE:
            lower.append(nearest.astype(np.intp))
            fractions.append(np.zeros(len(place), np.float32))
            reach.append(0)
        else:
            low = np.minimum(np.floor(place).astype(np.intp), length - 2)
            lower.append(low)
            fractions.append((place - low).astype(np.float32))
            reach.append(1)
    labels = _taken(view, lower)
    if any(reach):
        mixed = _taken(mixed_cells(view, reach), lower)
        voxels = np.flatnonzero(mixed)
        flat = labels.reshape(-1)
        for first in range(0, len(voxels), GROUP):
            group = voxels[first : first + GROUP]
            where = np.unravel_index(group, labels.shape)
            flat[group] = _strongest(view, where, lower, fractions, reach)
    return labels


def _taken(array: NDArray[Any], lower: Sequence[NDArray[np.intp]]) -> NDArray[Any]:
    """Return the values at the lower corner of every voxel, C-contiguous."""
    a, b, c = lower
    return np.ascontiguousarray(array.take(a, axis=0).take(b, axis=1).take(c, axis=2))


def _strongest(
    view: Labels,
    where: tuple[NDArray[np.intp], ...],
    lower: Sequence[NDArray[np.intp]],
    fractions: Sequence[NDArray[np.float32]],
    reach: Sequence[int],
) -> Labels:
    """Return for some voxels the label whose corners weigh most."""
    corners = [tuple(low[at] for low, at in zip(lower, where, strict=True))]
    weights = [np.ones(len(where[0]), np.float32)]
    for axis in range(3):
        if reach[axis]:
            share = fractions[axis][where[axis]]
            corners += [
                tuple(index + (number == axis) for number, index in enumerate(corner))
                for corner in corners
            ]
            weights = [w * (1 - share) for w in weights] + [w * share for w in weights]
    values = np.stack([view[corner] for corner in corners], axis=1)
    table = np.stack(weights, axis=1)
    best = np.zeros(len(values), np.float32)
    winner = values[:, 0].copy()
    for number in range(values.shape[1]):
        label = values[:, number]
        # What this corner's label weighs in all; the same sum for all corners that share it.
        total = np.where(values == label[:, None], table, 0).sum(axis=1, dtype=np.float32)
        wins = (total > best + TIE) | ((total > best - TIE) & (label < winner))
        best = np.where(wins, np.maximum(total, best), best)
        winner = np.where(wins, label, winner)
    return winner
