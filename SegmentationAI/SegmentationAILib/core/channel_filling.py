"""One channel of a volume onto a network's grid: cut out, turned, normalized, resampled, placed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .axis_map import AxisPlan, Shape
from .cubic import READ_PLANES, Planes
from .intensity import Scaling
from .resample import resample_planes_into
from .separate_slices import resample_slices_into
from .volume import Array

Plans = tuple[AxisPlan, AxisPlan, AxisPlan]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Resampling:
    """How voxels are resampled: by which order, and along which network axis not at all."""

    order: Literal[1, 3]
    separate_axis: int | None = None


def fill_channel(
    target: Floats,
    channel: Array,
    plans: Plans,
    scaling: Scaling,
    resampling: Resampling,
    outside: NDArray[np.bool_] | None = None,
) -> None:
    """Write one channel to its place on the network's grid.

    Args:
        target: ``(X, Y, Z)``, overwritten.
        channel: ``(I, J, K)`` of the volume, any real dtype; not changed.
        plans: What each network axis does with its source axis.
        scaling: Of intensities; it comes before resampling.
        resampling: How.
        outside: Source voxels that are 0 after scaling, None for none.
    """
    source = _along_network_axes(channel, plans)
    zero = None if outside is None else _along_network_axes(outside, plans)
    inside, used = [], []
    for plan in plans:
        # The part of the resampled voxels that lies on the grid, and where it lies.
        first, last = max(0, -plan.offset), min(plan.scaled, plan.size - plan.offset)
        used.append(slice(first, last))
        inside.append(slice(first + plan.offset, last + plan.offset))
    place, part = (inside[0], inside[1], inside[2]), (used[0], used[1], used[2])
    if target[place].shape != target.shape:
        target[...] = scaling.scaled_background
    scaled = (plans[0].scaled, plans[1].scaled, plans[2].scaled)

    def normalize(planes: slice, into: Floats, box: tuple[slice, ...] = (slice(None),) * 3) -> None:
        scaling.apply(source[box][planes], into)
        if zero is not None:
            into[zero[box][planes]] = 0

    if source.shape == scaled:
        # In parts, so that what is held beside them stays small.
        for start in range(0, len(target[place]), READ_PLANES):
            planes = slice(start, start + READ_PLANES)
            normalize(planes, target[place][planes], part)
        return

    def normalized(start: int, stop: int) -> Floats:
        planes = np.empty((stop - start, *source.shape[1:]), np.float32)
        normalize(slice(start, stop), planes)
        return planes

    if target[place].shape == scaled:
        _resample(target[place], source.shape, normalized, resampling)
        return
    resampled = np.empty(scaled, np.float32)
    _resample(resampled, source.shape, normalized, resampling)
    target[place] = resampled[part]


def _resample(target: Floats, shape: Shape, planes: Planes, resampling: Resampling) -> None:
    if resampling.separate_axis is None:
        resample_planes_into(target, shape, planes, resampling.order)
    else:
        resample_slices_into(target, planes(0, shape[0]), resampling.separate_axis)


def _along_network_axes(channel: Array, plans: Sequence[AxisPlan]) -> NDArray[Any]:
    """Return a view ``(x, y, z)`` of the voxels that the network sees."""
    by_source = {plan.source_axis: slice(plan.start, plan.stop) for plan in plans}
    view = channel[by_source[0], by_source[1], by_source[2]]
    view = view.transpose([plan.source_axis for plan in plans])
    x, y, z = (slice(None, None, -1 if plan.flipped else 1) for plan in plans)
    return view[x, y, z]
