"""A segment layer of Slicer on the grid of a volume: placed voxel for voxel, or resampled.

Slicer crops layers, keeps several geometries in one segmentation, and moves them by transforms.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import GeometryError
from ..core.volume import SAME_GRID_TOLERANCE_VOXELS, Array, Box, Grid


@dataclass(frozen=True, eq=False)
class PlacedLayer:
    """The part of a layer that lies on a grid.

    Attributes:
        voxels: ``box.shape``, a view wherever no resampling was needed.
        box: Where they lie on the grid.
        voxels_outside: Number of voxels other than 0 that lie outside the grid.
    """

    voxels: Array
    box: Box
    voxels_outside: int


def placed_layer(voxels: Array, layer: Grid, grid: Grid, name: str, resample: bool) -> PlacedLayer:
    """Return ``voxels`` ``(I, J, K)`` of ``layer`` on ``grid``.

    Args:
        voxels: Label values, any integer dtype; not changed.
        layer: Their grid; any offset, flip or permutation of ``grid`` is placed without loss.
        grid: Where they shall lie.
        name: Names the layer to the person when it is refused.
        resample: Whether another geometry is resampled (nearest neighbor) instead of refused.

    Raises:
        GeometryError: The voxel centers do not coincide and ``resample`` is False.
    """
    grid_from_layer = np.linalg.solve(grid.affine, layer.affine).astype(np.float64)
    steps = np.rint(grid_from_layer)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in layer.shape], [1])).reshape(4, -1)
    apart = float(np.abs((grid_from_layer - steps) @ corners)[:3].max())
    is_lattice = (np.abs(steps[:3, :3]).sum(0) == 1).all() and (
        np.abs(steps[:3, :3]).sum(1) == 1
    ).all()
    if is_lattice and apart <= SAME_GRID_TOLERANCE_VOXELS:
        return _shifted(voxels, steps, grid)
    if not resample:
        raise GeometryError(
            f"The voxels of {name} ({_numbers(layer.spacing)} mm) do not coincide with those of "
            f"the volume ({_numbers(grid.spacing)} mm); set the volume as the segmentation's "
            "source geometry in Slicer, or ask for resampling."
        )
    return _resampled(voxels, grid_from_layer, grid)


def _shifted(voxels: Array, steps: NDArray[np.float64], grid: Grid) -> PlacedLayer:
    """Place a layer whose indices map to the grid's by a permutation, flips and an offset."""
    axes = np.abs(steps[:3, :3]).argmax(1)
    signs = steps[np.arange(3), axes].astype(int)
    turned = voxels.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
    extent = np.array(turned.shape)
    first = steps[:3, 3].astype(int) - np.where(signs < 0, extent - 1, 0)
    start = np.clip(first, 0, grid.shape)
    stop = np.clip(first + extent, start, grid.shape)
    inside = turned[tuple(slice(a, b) for a, b in zip(start - first, stop - first, strict=True))]
    outside = 0
    if inside.size < turned.size:
        outside = int(np.count_nonzero(turned) - np.count_nonzero(inside))
    return PlacedLayer(inside, _box(start, stop), outside)


def _resampled(voxels: Array, grid_from_layer: NDArray[np.float64], grid: Grid) -> PlacedLayer:
    """Take the nearest voxel of the layer for each voxel of the grid, slice by slice."""
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in voxels.shape], [1])).reshape(4, -1)
    reach = (grid_from_layer @ corners)[:3]
    start = np.clip(np.floor(reach.min(1)), 0, grid.shape).astype(int)
    stop = np.clip(np.ceil(reach.max(1)) + 1, start, grid.shape).astype(int)
    box = _box(start, stop)
    placed = np.zeros(box.shape, voxels.dtype, order="F")
    layer_from_grid = np.linalg.inv(grid_from_layer)
    i, j = np.indices(box.shape[:2]).reshape(2, -1)
    for k in range(box.shape[2]):
        points = np.stack([i + start[0], j + start[1], np.full(i.shape, k + start[2])])
        nearest = np.rint(layer_from_grid[:3, :3] @ points + layer_from_grid[:3, 3:]).astype(int)
        hits = ((nearest >= 0) & (nearest < np.array(voxels.shape)[:, None])).all(0)
        placed[i[hits], j[hits], k] = voxels[tuple(nearest[:, hits])]
    return PlacedLayer(placed, box, 0)


def _box(start: NDArray[np.integer], stop: NDArray[np.integer]) -> Box:
    """Return the box between two corners."""
    a, b = start.tolist(), stop.tolist()
    return Box((a[0], a[1], a[2]), (b[0], b[1], b[2]))


def _numbers(values: tuple[float, float, float]) -> str:
    return " x ".join(f"{value:.3g}" for value in values)
