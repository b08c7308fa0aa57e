"""From prompts in RAS mm to the voxels of a grid, oblique and anisotropic ones too.

Only a box around a prompt is ever looked at: a click in a scan of 50 million voxels costs as much
as in a small one.
"""

import itertools
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import PromptError
from .mask_history import PlacedMask
from .prompts import BoxPrompt, LassoPrompt, PointPrompt, PointRas, Prompt, ScribblePrompt
from .volume import Box, Grid

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

# Rounding of coordinates that were computed with: a click on the very border is inside.
_ROUNDING_VOXELS: Final = 1e-6


def voxel_of_point(point_ras: PointRas, grid: Grid) -> tuple[int, int, int]:
    """Return the voxel in which a point lies.

    A voxel reaches half its width around its center, the border of the volume is inside.

    Raises:
        PromptError: The point lies outside of the volume.
    """
    ijk = grid.ijk_from_ras(np.array([point_ras], np.float64))[0]
    shape = np.array(grid.shape)
    if (ijk < -0.5 - _ROUNDING_VOXELS).any() or (ijk > shape - 0.5 + _ROUNDING_VOXELS).any():
        raise PromptError(_outside("A point", point_ras, grid))
    i, j, k = (int(n) for n in np.clip(np.floor(ijk + 0.5), 0, shape - 1))
    return i, j, k


def voxels_of_prompt(prompt: Prompt, grid: Grid) -> PlacedMask:
    """Return the voxels that a prompt names, in their smallest box.

    A point names the voxel in which it lies; a scribble those whose centers lie under the brush
    and those through which its line passes; a box and a lasso those whose centers lie inside, and
    where they are thinner than a voxel those that they cut.

    Args:
        prompt: What lies outside of the grid is left out.
        grid: Any.

    Raises:
        PromptError: Nothing of it lies on the grid.
    """
    if isinstance(prompt, PointPrompt):
        start = voxel_of_point(prompt.position_ras, grid)
        return PlacedMask(start, np.ones((1, 1, 1), bool))
    if isinstance(prompt, BoxPrompt):
        found, name, first = _box_voxels(prompt, grid), "A box", prompt.corners_ras[0]
    elif isinstance(prompt, ScribblePrompt):
        found, name, first = _scribble_voxels(prompt, grid), "A scribble", prompt.points_ras[0]
    else:
        found, name, first = _lasso_voxels(prompt, grid), "A lasso", prompt.points_ras[0]
    found = found.cropped()
    if not found.voxels.any():
        raise PromptError(_outside(name, first, grid))
    return found


def box_around(centers_ijk: Floats, reach_ijk: Floats, grid: Grid) -> Box:
    """Return the voxels within a reach of points, cut to the grid; empty when there are none.

    Args:
        centers_ijk: ``(N, 3)`` continuous voxel indices.
        reach_ijk: Voxels along each axis, ``(3,)``.
        grid: Where they lie.
    """
    low = np.clip(np.ceil(centers_ijk.min(axis=0) - reach_ijk), 0, grid.shape).astype(int)
    high = np.clip(np.floor(centers_ijk.max(axis=0) + reach_ijk) + 1, low, grid.shape).astype(int)
    return Box(_triple(low), _triple(high))


def reach_of_radius(radius_mm: float, grid: Grid) -> Floats:
    """Return how many voxels a ball of a radius reaches along each axis, ``(3,)``; not rounded."""
    inverse = np.linalg.inv(grid.affine[:3, :3])
    return np.asarray(radius_mm * np.linalg.norm(inverse, axis=1), np.float64)


def _box_voxels(prompt: BoxPrompt, grid: Grid) -> PlacedMask:
    corners = np.sort(np.array(prompt.corners_ras, np.float64), axis=0)
    # What a voxel measures along R, A and S: a box thinner than this still cuts one layer.
    extent = np.abs(grid.affine[:3, :3]).sum(axis=1)
    thin = corners[1] - corners[0] < extent
    middle = corners.mean(axis=0)
    low = np.where(thin, middle - extent / 2, corners[0])
    high = np.where(thin, middle + extent / 2, corners[1])
    vertices = np.stack(np.meshgrid(*np.stack([low, high], 1), indexing="ij"), -1).reshape(-1, 3)
    box = box_around(grid.ijk_from_ras(vertices), np.full(3, _ROUNDING_VOXELS), grid)
    if box.is_empty:
        return PlacedMask(box.start_ijk, np.zeros(box.shape, bool))
    inside = np.ones(box.shape, bool)
    for axis in range(3):
        along = _coordinate(grid, box, axis)
        slack = _ROUNDING_VOXELS * extent[axis]
        inside &= (along >= low[axis] - slack) & (along <= high[axis] + slack)
    return PlacedMask(box.start_ijk, inside)


def _scribble_voxels(prompt: ScribblePrompt, grid: Grid) -> PlacedMask:
    points = np.array(prompt.points_ras, np.float64)
    reach = reach_of_radius(prompt.radius_mm, grid)
    ijk = grid.ijk_from_ras(points)
    whole = box_around(ijk, np.maximum(reach, 0.5 + _ROUNDING_VOXELS), grid)
    inside = np.zeros(whole.shape, bool)
    for first, second in _legs(points, grid):
        box = box_around(grid.ijk_from_ras(np.stack([first, second])), reach, grid)
        if not box.is_empty:
            near = _squared_distance(grid, box, first, second) <= prompt.radius_mm**2
            inside[_within(box, whole)] |= near
    # A brush thinner than the voxels touches no center; the voxels on its line are meant.
    on_line = np.floor(_dense_line(ijk) + 0.5).astype(np.int64) - np.array(whole.start_ijk)
    kept = on_line[((on_line >= 0) & (on_line < np.array(whole.shape))).all(axis=1)]
    inside[tuple(kept.T)] = True
    return PlacedMask(whole.start_ijk, inside)


def _lasso_voxels(prompt: LassoPrompt, grid: Grid) -> PlacedMask:
    points = np.array(prompt.points_ras, np.float64)
    center = points.mean(axis=0)
    plane = np.linalg.svd(points - center, full_matrices=True)[2]
    # Half of what a voxel measures across the plane: the plane cuts one layer, no more.
    half = np.abs(plane[2] @ grid.affine[:3, :3]).max() / 2
    flat = center + (points - center) @ plane[:2].T @ plane[:2]
    reach = reach_of_radius(float(half), grid) + _ROUNDING_VOXELS
    box = box_around(grid.ijk_from_ras(flat), reach, grid)
    if box.is_empty:
        return PlacedMask(box.start_ijk, np.zeros(box.shape, bool))
    ijk = np.indices(box.shape).reshape(3, -1).T + np.array(box.start_ijk)
    offsets = (grid.ras_from_ijk(ijk) - center) @ plane.T
    # Half-open: a plane midway between two layers takes one of them, not both.
    slack = _ROUNDING_VOXELS * half
    near = np.flatnonzero((offsets[:, 2] > -half + slack) & (offsets[:, 2] <= half + slack))
    inside = np.zeros(len(ijk), bool)
    inside[near] = _in_polygon(offsets[near, :2], (points - center) @ plane[:2].T)
    return PlacedMask(box.start_ijk, inside.reshape(box.shape))


def _in_polygon(places: Floats, corners: Floats) -> Mask:
    """Return which places ``(N, 2)`` lie inside a closed polygon, by the even-odd rule."""
    inside = np.zeros(len(places), bool)
    x, y = places[:, 0], places[:, 1]
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 <= y) != (y1 <= y)
        inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _legs(points: Floats, grid: Grid) -> Iterator[tuple[Floats, Floats]]:
    """Yield the parts of a line; points closer than a quarter of a voxel are passed over."""
    least = min(grid.spacing) / 4
    last = points[0]
    if len(points) == 1:
        yield last, last
    for number, point in enumerate(points[1:], start=2):
        if number == len(points) or np.linalg.norm(point - last) >= least:
            yield last, point
            last = point


def _dense_line(ijk: Floats) -> Floats:
    """Return points along a line of voxel indices, at most half a voxel apart."""
    parts = [ijk[:1]]
    for first, second in itertools.pairwise(ijk):
        # A line that leaves the scan by kilometers must not fill the memory with points.
        steps = int(min(np.ceil(np.abs(second - first).max() * 2), 1 << 16))
        fractions = np.arange(1, steps + 1)[:, None] / max(steps, 1)
        parts.append(first + fractions * (second - first))
    return np.concatenate(parts)


def _squared_distance(grid: Grid, box: Box, first: Floats, second: Floats) -> NDArray[Any]:
    """Squared mm from each voxel center of a box to a straight line between two points."""
    axis = second - first
    length = float(axis @ axis)
    offsets = [_coordinate(grid, box, n) - first[n] for n in range(3)]
    if length > 0:
        along = sum(offset * step for offset, step in zip(offsets, axis, strict=True)) / length
        along = np.clip(along, 0, 1)
        offsets = [offset - along * step for offset, step in zip(offsets, axis, strict=True)]
    return np.asarray(sum(offset**2 for offset in offsets))


def _coordinate(grid: Grid, box: Box, axis_ras: int) -> Floats:
    """R, A or S in mm of each voxel center of a box."""
    steps = [
        grid.affine[axis_ras, n] * np.arange(box.start_ijk[n], box.stop_ijk[n], dtype=np.float64)
        for n in range(3)
    ]
    return np.asarray(
        steps[0][:, None, None]
        + steps[1][None, :, None]
        + steps[2][None, None, :]
        + grid.affine[axis_ras, 3]
    )


def _within(box: Box, whole: Box) -> tuple[slice, slice, slice]:
    i, j, k = (
        slice(a - s, b - s)
        for a, b, s in zip(box.start_ijk, box.stop_ijk, whole.start_ijk, strict=True)
    )
    return i, j, k


def _triple(numbers: NDArray[Any]) -> tuple[int, int, int]:
    return int(numbers[0]), int(numbers[1]), int(numbers[2])


def _outside(name: str, point_ras: PointRas, grid: Grid) -> str:
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in grid.shape])).reshape(3, -1).T
    ras = grid.ras_from_ijk(corners)
    spans = ", ".join(
        f"{axis} {low:.1f} to {high:.1f}"
        for axis, low, high in zip("RAS", ras.min(axis=0), ras.max(axis=0), strict=True)
    )
    at = ", ".join(f"{number:.1f}" for number in point_ras)
    return f"{name} at ({at}) lies outside of the volume, which spans {spans} mm; place it inside."
