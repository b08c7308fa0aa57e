"""Where source voxels lie on a network's grid, axis by axis.

A network's grid is the source grid permuted, flipped, cropped, scaled and padded; none of these
mixes axes, so one array of coordinates per axis says everything, and labels find their way back.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import GeometryError
from .separate_slices import nearest_slices
from .volume import Box

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class AxisMap:
    """The separable map from source voxels to continuous coordinates on the network grid.

    A source voxel whose coordinate lies more than half a network voxel outside ``[0, size - 1]``
    along some axis is not covered: nothing is known about it, so it is background.

    Attributes:
        source_shape: ``(I, J, K)`` of the volume.
        network_shape: ``(X, Y, Z)`` of the network's input, padding included.
        source_axis: For each network axis the source axis it runs along.
        coordinates: For each network axis ``a`` the coordinate along it of every voxel of source
            axis ``source_axis[a]``, float64; never falling, or never rising where flipped. See
            `AxisPlan.coordinates` for the formula.
        source_box: Source voxels that are covered.
        plans: What it was made from, None where it was made otherwise.
    """

    source_shape: Shape
    network_shape: Shape
    source_axis: tuple[int, int, int]
    coordinates: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    source_box: Box
    plans: "tuple[AxisPlan, AxisPlan, AxisPlan] | None" = None


@dataclass(frozen=True)
class AxisPlan:
    """What one network axis does with its source axis.

    Attributes:
        source_axis: The source axis.
        flipped: Whether it runs the other way.
        length: Voxels of the source axis.
        start: First source voxel that the network sees.
        stop: Source voxel after the last that it sees.
        covered: First source voxel that gets a label, and the one after the last; within
            ``[start, stop)``, narrower where the network sees surroundings as well.
        scaled: Voxels after resampling ``[start, stop)``.
        offset: Network coordinate of the first resampled voxel; negative when the network's matrix
            is smaller than the volume.
        size: Voxels of the network axis.
        is_nearest: Whether source voxels take the nearest network voxel rather than lie between
            two (see `separate_slices`).
    """

    source_axis: int
    flipped: bool
    length: int
    start: int
    stop: int
    covered: tuple[int, int]
    scaled: int
    offset: int
    size: int
    is_nearest: bool = False

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Return the network coordinate of each voxel ``n`` of the source axis.

        With ``m = n - start``, or ``stop - 1 - n`` when flipped, and ``w = stop - start`` voxels
        becoming ``s = scaled`` over the same extent, voxel ``m``, whose center is ``m + 1/2``
        voxels from the edge, lies at ``(m + 1/2) * s / w - 1/2 + offset``. Within the outermost
        half network voxel it stays at the last one that holds image, so that no label is drawn
        towards the padding behind it. Voxels that get no label are moved far away on their side,
        so that none falls onto the network's grid.
        """
        n = np.arange(self.length, dtype=np.float64)
        along = self.stop - 1 - n if self.flipped else n - self.start
        width = self.stop - self.start
        within = (along + 0.5) * self.scaled / width - 0.5
        if self.is_nearest:
            seen = np.clip(along, 0, width - 1).astype(np.intp)
            within = nearest_slices(self.scaled, width)[seen].astype(np.float64)
        side = np.where(n < self.covered[0], -1, np.where(n >= self.covered[1], 1, 0))
        away = 2 * self.size + abs(self.offset)
        within = np.where(side == 0, np.clip(within, 0.0, self.scaled - 1.0), within)
        return np.asarray(
            within + self.offset + away * (-side if self.flipped else side), np.float64
        )

    @property
    def source_places(self) -> NDArray[np.float64]:
        """Return where each voxel of the network axis lies on the source axis, NaN beyond it.

        The other way round than `coordinates`: network voxel ``c`` of the ``s`` resampled ones
        lies at ``(c - offset + 1/2) * w / s - 1/2`` from the edge, and half a voxel around the
        outermost source voxels they continue.
        """
        within = np.arange(self.size, dtype=np.float64) - self.offset
        width = self.stop - self.start
        along = np.clip((within + 0.5) * width / self.scaled - 0.5, 0.0, width - 1.0)
        along[(within < 0) | (within > self.scaled - 1)] = np.nan
        return self.stop - 1 - along if self.flipped else self.start + along


def axis_map(plans: tuple[AxisPlan, AxisPlan, AxisPlan]) -> AxisMap:
    """Return the map of three axes.

    Raises:
        GeometryError: No source voxel is covered, or the source axes are not 0, 1 and 2.
    """
    order = tuple(plan.source_axis for plan in plans)
    if sorted(order) != [0, 1, 2]:
        raise GeometryError(f"Network axes run along source axes {order}; each is needed once.")
    coordinates = tuple(plan.coordinates for plan in plans)
    start, stop, shape = [0, 0, 0], [0, 0, 0], [0, 0, 0]
    for plan, along in zip(plans, coordinates, strict=True):
        covered = np.flatnonzero((along >= -0.5) & (along <= plan.size - 0.5))
        if not covered.size:
            raise GeometryError("The network's grid covers no voxel of the volume.")
        axis = plan.source_axis
        start[axis], stop[axis] = int(covered[0]), int(covered[-1]) + 1
        shape[axis] = plan.length
    box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    return AxisMap(
        source_shape=(shape[0], shape[1], shape[2]),
        network_shape=(plans[0].size, plans[1].size, plans[2].size),
        source_axis=(order[0], order[1], order[2]),
        coordinates=(coordinates[0], coordinates[1], coordinates[2]),
        source_box=box,
        plans=plans,
    )
