"""The part of a scan that a network is adapted to: cut out of its own grid, with the way back."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.axis_map import AxisMap
from ..core.monai_input import prepare_as_monai
from ..core.pipeline import Recipe
from ..core.preprocess import Prepared, prepare
from ..core.progress import Progress
from ..core.volume import Box, Volume
from ..core.windows import Windows, plan_windows

Floats = NDArray[np.float32]
Places = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]

# Voxels of the network's grid around what has to be inside.
MARGIN = 8


@dataclass(frozen=True, eq=False)
class AdaptCrop:
    """A box of the network's grid.

    Attributes:
        array: Prepared intensities ``(C, X, Y, Z)``.
        padding: Intensity beyond it, in each channel.
        windows: Where the network looks.
        source_shape: ``(I, J, K)`` of the scan.
        source_axis: For each network axis the source axis that runs along it.
        coordinates: For each network axis where each voxel of its source axis lies in the crop.
        is_whole: Whether all of what had to be inside is.
        is_scan: Bool ``(X, Y, Z)``: where the crop is scan and not padding.
    """

    array: Floats
    padding: tuple[float, ...]
    windows: Windows
    source_shape: tuple[int, int, int]
    source_axis: tuple[int, int, int]
    coordinates: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    is_whole: bool
    _nearest: Places = field(init=False, repr=False)
    is_scan: NDArray[np.bool_] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found = [
            _nearest(along, n)
            for along, n in zip(self.coordinates, self.network_shape, strict=True)
        ]
        (x, in_x), (y, in_y), (z, in_z) = found
        object.__setattr__(self, "_nearest", (x, y, z))
        object.__setattr__(self, "is_scan", in_x[:, None, None] & in_y[:, None] & in_z)

    @property
    def network_shape(self) -> tuple[int, int, int]:
        """Voxels ``(X, Y, Z)`` of the crop."""
        x, y, z = self.array.shape[1:]
        return x, y, z

    @property
    def source_box(self) -> Box:
        """The source voxels that lie in the crop."""
        start, stop = [0, 0, 0], [0, 0, 0]
        for axis, along, n in zip(
            self.source_axis, self.coordinates, self.network_shape, strict=True
        ):
            inside = np.flatnonzero((along >= -0.5) & (along <= n - 0.5))
            start[axis], stop[axis] = int(inside[0]), int(inside[-1]) + 1
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))

    def from_source(self, voxels: NDArray[Any]) -> NDArray[Any]:
        """Return the nearest voxels of the scan, ``(X, Y, Z)``, of an array on its grid."""
        return np.ascontiguousarray(voxels.transpose(self.source_axis)[np.ix_(*self._nearest)])

    def touched(self, voxels: NDArray[np.bool_], start_ijk: tuple[int, int, int]) -> Any:
        """Return the voxels of the crop, bool ``(X, Y, Z)``, nearest to those of a mask.

        Unlike `from_source` this loses no voxel where the network's grid is the coarser one.

        Args:
            voxels: Bool ``(I, J, K)``.
            start_ijk: Source index of its first voxel.
        """
        places = np.argwhere(voxels) + np.asarray(start_ijk)
        found = np.stack(
            [
                np.rint(along[places[:, axis]])
                for axis, along in zip(self.source_axis, self.coordinates, strict=True)
            ],
            axis=1,
        ).astype(np.intp)
        inside = ((found >= 0) & (found < self.network_shape)).all(axis=1)
        touched = np.zeros(self.network_shape, bool)
        touched[tuple(found[inside].T)] = True
        return touched


def prepared_scan(volume: Volume, recipe: Recipe, progress: Progress) -> Prepared:
    """Return the whole scan as the network wants it; errors as for `core.preprocess.prepare`."""
    if recipe.rules.monai is not None:
        return prepare_as_monai(volume, recipe.rules, recipe.rules.monai, None, progress)
    return prepare(volume, recipe.rules, None, progress)


def crop_around(
    prepared: Prepared, recipe: Recipe, wanted: Box, center: Box, most_voxels: int
) -> AdaptCrop:
    """Return the crop around a box of source voxels, as large as allowed.

    Args:
        prepared: The whole scan.
        recipe: Of the network.
        wanted: What should be inside.
        center: What the crop is centered on where that is too large.
        most_voxels: Bound on the crop, unless one patch of the network is larger.
    """
    mapping = prepared.axis_map
    low, high = _on_network(mapping, wanted)
    sides = _sides(high - low + 2 * MARGIN, mapping.network_shape, recipe, most_voxels)
    middle = _on_network(mapping, center)
    start, is_whole = [], True
    for axis, n in enumerate(mapping.network_shape):
        about = (low[axis] + high[axis]) / 2
        if sides[axis] < high[axis] - low[axis]:
            about, is_whole = (middle[0][axis] + middle[1][axis]) / 2, False
        start.append(int(np.clip(round(about - sides[axis] / 2), 0, n - sides[axis])))
    cut = tuple(slice(a, a + n) for a, n in zip(start, sides, strict=True))
    array = np.ascontiguousarray(prepared.array[(slice(None), *cut)])
    x, y, z = (along - a for along, a in zip(mapping.coordinates, start, strict=True))
    shape = (sides[0], sides[1], sides[2])
    return AdaptCrop(
        array=array,
        padding=prepared.padding,
        windows=plan_windows(shape, recipe.patch_shape, recipe.overlap),
        source_shape=mapping.source_shape,
        source_axis=mapping.source_axis,
        coordinates=(x, y, z),
        is_whole=is_whole,
    )


def _on_network(mapping: AxisMap, box: Box) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and beyond-last voxel on the network's grid of a box of source voxels."""
    low, high = [], []
    for source, along, n in zip(
        mapping.source_axis, mapping.coordinates, mapping.network_shape, strict=True
    ):
        part = np.clip(along[box.start_ijk[source] : box.stop_ijk[source]], 0, n - 1)
        low.append(int(np.floor(part.min())))
        high.append(int(np.ceil(part.max())) + 1)
    return np.array(low, np.intp), np.array(high, np.intp)


def _sides(
    wanted: NDArray[np.intp], grid: tuple[int, int, int], recipe: Recipe, most_voxels: int
) -> list[int]:
    """Sides that the network takes: at least a patch, multiples where it has none, bounded."""
    if recipe.patch_shape is not None:
        least, step = recipe.patch_shape, 1
    else:
        step = recipe.rules.multiple_of
        least = (step, step, step)
    sides = [
        min(n, max(small, -(-int(side) // step) * step))
        for side, small, n in zip(wanted, least, grid, strict=True)
    ]
    while np.prod(sides) > most_voxels:
        # The longest side that can still give way.
        free = [n - step >= small for n, small in zip(sides, least, strict=True)]
        if not any(free):
            break
        longest = int(np.argmax(np.where(free, sides, 0)))
        sides[longest] -= step
    return sides


def _nearest(along: NDArray[np.float64], n: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The source index nearest to each of ``n`` network voxels of an axis, and which are scan."""
    order = np.argsort(along, kind="stable")
    rising, wanted = along[order], np.arange(n, dtype=np.float64)
    after = np.clip(np.searchsorted(rising, wanted), 0, len(rising) - 1)
    before = np.maximum(after - 1, 0)
    is_before = np.abs(rising[before] - wanted) <= np.abs(rising[after] - wanted)
    found = np.where(is_before, before, after)
    # As far apart as source voxels are, a network voxel between two of them belongs to the nearer.
    reach = max(0.5, float(np.median(np.diff(rising)))) if len(rising) > 1 else 0.5
    return np.asarray(order[found], np.intp), np.abs(rising[found] - wanted) <= reach
