"""Resampling: to another number of voxels over the same extent, and onto any grid in space.

`resample_to_shape` gives what nnU-Net's default resampling gives (Isensee et al., "nnU-Net: a
self-configuring method for deep learning-based biomedical image segmentation", Nature Methods
18:203, 2021, doi:10.1038/s41592-020-01008-z), namely ``skimage.transform.resize(order,
mode="edge", anti_aliasing=False)``, which is ``scipy.ndimage.zoom`` in float64 and a clip; how is
told in `cubic`.
"""

from typing import Literal

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk  # noqa: N813 - the name its own documentation uses
import torch
from numpy.typing import NDArray

from .cubic import Planes, cubic_into
from .errors import GeometryError
from .volume import Array, Grid, Volume

Order = Literal[0, 1, 3]
Floats = NDArray[np.float32]


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
    if order == 3:
        cubic_into(target, voxels.shape, lambda start, stop: _for_torch(voxels[start:stop]))
        return
    linear = torch.nn.functional.interpolate(
        torch.from_numpy(_for_torch(voxels))[None, None],
        size=shape,
        mode="trilinear",
        align_corners=False,
    )
    target[...] = linear[0, 0].numpy()


def resample_planes_into(
    target: Floats, shape: tuple[int, int, int], planes: Planes, order: Order
) -> None:
    """Resample a volume whose planes are made when they are asked for; see `resample_into`.

    Args:
        target: Any view without negative strides.
        shape: ``(I, J, K)`` of the volume.
        planes: Returns its planes ``[start, stop)``, finite; each is asked for once, in order. The
            cubic order holds a few of them at a time, the others all.
        order: 0, 1 or 3.
    """
    if order == 3 and shape != target.shape:
        cubic_into(target, shape, planes)
    else:
        resample_into(target, planes(0, shape[0]), order)


def _for_torch(voxels: Floats) -> Floats:
    """Return the array itself, or a copy where torch would share a read-only one with a warning."""
    return np.require(voxels, requirements=["C", "W"])


def _nearest_indices(length: int, size: int) -> NDArray[np.intp]:
    indices = ndi.zoom(
        np.arange(length, dtype=np.float64), size / length, order=0, mode="nearest", grid_mode=True
    )
    return np.asarray(indices, np.intp)
