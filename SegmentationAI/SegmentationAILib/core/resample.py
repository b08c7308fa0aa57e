"""Resampling: to another number of voxels over the same extent, and onto any grid in space.

`resample_to_shape` gives what nnU-Net's default resampling gives (Isensee et al., "nnU-Net: a
self-configuring method for deep learning-based biomedical image segmentation", Nature Methods
18:203, 2021, doi:10.1038/s41592-020-01008-z), namely ``skimage.transform.resize(order,
mode="edge", anti_aliasing=False)``, which is ``scipy.ndimage.zoom`` in float64 and a clip. A
B-spline interpolation is linear in the voxels and separable, so here each axis is one matrix, with
the prefilter (Unser, "Splines: a perfect fit for signal and image processing", IEEE Signal
Processing Magazine 16(6):22, 1999, doi:10.1109/79.799930) folded in, and the volume is multiplied
by three matrices.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk  # noqa: N813 - the name its own documentation uses
import torch
from numpy.typing import NDArray

from .errors import GeometryError
from .volume import Array, Grid, Volume

Order = Literal[0, 1, 3]
Floats = NDArray[np.float32]

# A cubic prefilter decays by 0.268 per voxel: below this weight it is under float32's rounding.
# Kept, the tail would reach the denormal numbers, on which processors multiply 15 times slower
# (measured: 7 instead of 113 GFLOP/s).
NEGLIGIBLE_WEIGHT = 1e-8
# Rows of a matrix that are multiplied at once. Fewer rows skip more zeros, but each product is a
# call; measured on 512 -> 256, 256 -> 205 and 128 -> 192: 32 is the fastest of 32, 64 and 128.
BLOCK_ROWS = 32
# Voxels between two products that are held at once.
CHUNK_VOXELS = 2**21


def resample_to_shape(channels: Floats, shape: tuple[int, int, int], order: Order = 3) -> Floats:
    """Return ``channels`` with ``shape`` voxels over the same extent in space.

    Output voxel ``n`` of ``N`` lies at input index ``(n + 0.5) * M / N - 0.5`` of ``M``; beyond the
    outermost voxel centres the edge continues. There is no smoothing before shrinking.

    Args:
        channels: ``(C, I, J, K)`` float32, finite; not changed. Nothing but float32 is taken.
        shape: Voxels wanted along each axis.
        order: 0 nearest, 1 linear (torch places samples in single precision: 1e-4 of a voxel over
            a thousand), 3 cubic B-spline clipped to each channel's own range.

    Returns:
        ``(C, *shape)`` float32; never shares memory with ``channels``.

    Raises:
        ValueError: ``channels`` is not four-dimensional float32, or ``order`` is another.
        GeometryError: An axis is empty.
    """
    if channels.ndim != 4 or channels.dtype != np.float32:
        raise ValueError(f"(C, I, J, K) float32 is needed, got {channels.shape} {channels.dtype}")
    if order not in (0, 1, 3):
        raise ValueError(f"order {order} is not 0, 1 or 3")
    if min(*shape, *channels.shape) < 1:
        raise GeometryError(f"{channels.shape[1:]} voxels cannot become {tuple(shape)}: empty axis")
    resampled = np.empty((len(channels), *shape), np.float32)
    for source, target in zip(channels, resampled, strict=True):
        resample_into(target, source, order)
    return resampled


def resample_to_grid(
    volume: Volume, grid: Grid, order: Order = 1, fill: float | None = None
) -> Volume:
    """Return ``volume`` at the voxel centers of ``grid``, by position in RAS millimeters.

    Any grid will do: rotated, flipped, sheared, of other spacing. A source voxel reaches half a
    voxel around its center; beyond the outermost centers the edge continues for that half.
    There is no smoothing before shrinking.

    Args:
        volume: Any number of channels; not changed. Voxels that are no number count as ``fill``.
        grid: Where values are wanted.
        order: 0 nearest (the dtype stays), 1 linear, 3 cubic B-spline clipped to the channel's
            range (both give float32).
        fill: Value outside of ``volume``; None takes its smallest finite value.

    Returns:
        A volume on ``grid``, with the notes of ``volume``.

    Raises:
        ValueError: ``order`` is not 0, 1 or 3.
        GeometryError: No voxel of ``volume`` is a finite number.
    """
    if order not in _INTERPOLATORS:
        raise ValueError(f"order {order} is not 0, 1 or 3")
    dtype = volume.voxels.dtype if order == 0 else np.dtype(np.float32)
    finite = np.isfinite(volume.voxels)
    if not finite.any():
        raise GeometryError("No voxel of this volume is a number; export the scan again.")
    outside = float(volume.voxels[finite].min()) if fill is None else fill
    index_from_index = np.asarray(np.linalg.solve(volume.affine, grid.affine), np.float64)
    resampled = np.empty((volume.channels, *grid.shape), dtype)
    for target, source, is_number in zip(resampled, volume.voxels, finite, strict=True):
        clean = source if is_number.all() else np.where(is_number, source, outside)
        target[...] = _placed(
            clean.astype(dtype, copy=False), index_from_index, grid, order, outside
        )
    notes = volume.notes
    if not finite.all():
        notes = (*notes, f"{np.size(finite) - np.count_nonzero(finite)} voxels were no number.")
    return Volume(resampled, grid.affine, notes)


_INTERPOLATORS = {0: sitk.sitkNearestNeighbor, 1: sitk.sitkLinear, 3: sitk.sitkBSpline3}
# ITK's B-spline refuses axes of fewer voxels than it has coefficients.
_SHORTEST_CUBIC_AXIS = 4


def _placed(
    voxels: Array, index_from_index: NDArray[np.float64], grid: Grid, order: Order, fill: float
) -> Array:
    """Return one channel ``(I, J, K)`` at the voxels of ``grid``, working in voxel indices."""
    lowest, highest = voxels.min(), voxels.max()
    inside = None
    matrix, shift = index_from_index[:3, :3], index_from_index[:3, 3].copy()
    if order == 3 and min(voxels.shape) < _SHORTEST_CUBIC_AXIS:
        # The edge continues, which keeps the values between the centers; what lies outside is
        # told by the nearest voxel instead, since the padding would count as inside.
        inside = _placed(np.ones(voxels.shape, np.uint8), index_from_index, grid, 0, 0.0)
        voxels = np.pad(voxels, _SHORTEST_CUBIC_AXIS, mode="edge")
        shift += _SHORTEST_CUBIC_AXIS
    is_bool = voxels.dtype == np.bool_
    # SimpleITK takes (I, J, K) for an array of axes z, y, x: everything is reversed for it, and
    # its own origin, spacing and direction stay those of plain indices.
    moving = sitk.GetImageFromArray(voxels.view(np.uint8) if is_bool else voxels)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[::-1, ::-1].ravel().tolist())
    transform.SetTranslation(shift[::-1].tolist())
    resample = sitk.ResampleImageFilter()
    resample.SetSize(grid.shape[::-1])
    resample.SetTransform(transform)
    resample.SetInterpolator(_INTERPOLATORS[order])
    resample.SetDefaultPixelValue(fill)
    placed: Array = sitk.GetArrayFromImage(resample.Execute(moving))
    if order == 3:
        placed = np.clip(placed, min(lowest, fill), max(highest, fill))
    if inside is not None:
        placed = np.where(inside, placed, np.float32(fill))
    return placed.view(np.bool_) if is_bool else placed


def resample_into(target: Floats, voxels: Floats, order: Order) -> None:
    """Write ``voxels`` ``(I, J, K)`` with the shape of ``target`` into it; see above.

    Args:
        target: Any view without negative strides.
        voxels: Finite; not changed.
        order: 0, 1 or 3.
    """
    shape = target.shape
    if voxels.shape == shape:
        target[...] = voxels
        return
    if order == 0:
        target[...] = voxels[np.ix_(*map(_nearest_indices, voxels.shape, shape))]
        return
    # torch would share a read-only array with a warning; a copy is made only then.
    tensor = torch.from_numpy(np.require(voxels, requirements=["C", "W"]))
    if order == 1:
        linear = torch.nn.functional.interpolate(
            tensor[None, None], size=shape, mode="trilinear", align_corners=False
        )
        target[...] = linear[0, 0].numpy()
        return
    _cubic_into(torch.from_numpy(target), tensor)


def _cubic_into(target: torch.Tensor, source: torch.Tensor) -> None:
    """Write the three products into ``target``: the first axis whole, the others in chunks.

    The chunks keep what lies between two products within the processor's cache; touching fresh
    memory costs as much as the products themselves.
    """
    lowest, highest = torch.aminmax(source)
    planes = len(target)
    if planes != len(source):
        whole = source.new_empty((planes, *source.shape[1:]))
        for rows, columns, weights in _cubic_blocks(len(source), planes):
            torch.mm(weights, source[columns].flatten(1), out=whole[rows].flatten(1))
        source = whole
    step = max(1, CHUNK_VOXELS // max(source[0].numel(), target[0].numel()))
    for start in range(0, planes, step):
        part = _along_last(source[start : start + step], target.shape[2])
        part = _along_middle(part, target.shape[1])
        torch.clamp(part, lowest, highest, out=target[start : start + step])


def _along_last(part: torch.Tensor, size: int) -> torch.Tensor:
    if part.shape[2] == size:
        return part
    rows_in = part.reshape(-1, part.shape[2])
    result = part.new_empty((len(rows_in), size))
    for rows, columns, weights in _cubic_blocks(part.shape[2], size):
        torch.mm(rows_in[:, columns], weights.T, out=result[:, rows])
    return result.view(part.shape[0], part.shape[1], size)


def _along_middle(part: torch.Tensor, size: int) -> torch.Tensor:
    if part.shape[1] == size:
        return part
    blocks = _cubic_blocks(part.shape[1], size)
    return torch.cat([weights @ part[:, columns] for _, columns, weights in blocks], dim=1)


@lru_cache(maxsize=32)
def _cubic_blocks(length: int, size: int) -> tuple[tuple[slice, slice, torch.Tensor], ...]:
    """Return the matrix ``(size, length)`` as blocks: rows, the columns that count, weights."""
    matrix = cubic_matrix(length, size)
    matrix[np.abs(matrix) < NEGLIGIBLE_WEIGHT] = 0
    blocks = []
    for start in range(0, size, BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, size))
        used = np.flatnonzero(matrix[rows].any(axis=0))
        columns = slice(int(used[0]), int(used[-1]) + 1)
        weights = np.ascontiguousarray(matrix[rows, columns], dtype=np.float32)
        blocks.append((rows, columns, torch.from_numpy(weights)))
    return tuple(blocks)


def cubic_matrix(length: int, size: int) -> NDArray[np.float64]:
    """Return the ``(size, length)`` matrix that resamples one axis; its rows sum to 1.

    Column ``m`` is what the interpolation makes of an impulse at voxel ``m``.
    """
    matrix: NDArray[np.float64] = ndi.zoom(
        np.eye(length), (size / length, 1), order=3, mode="nearest", grid_mode=True
    )
    return matrix


def _nearest_indices(length: int, size: int) -> NDArray[np.intp]:
    indices = ndi.zoom(
        np.arange(length, dtype=np.float64), size / length, order=0, mode="nearest", grid_mode=True
    )
    return np.asarray(indices, np.intp)
