"""A volume as MONAI's own transforms prepare it, and the map back to its voxels.

MONAI interpolates linearly on a grid of its own (see `monai_grid`) and goes on with the edge beyond
the outermost centers (Cardoso et al., MONAI, 2022, arXiv:2211.02701). None of it mixes axes, so
everything is done one axis after another.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .axis_map import AxisMap, Shape
from .errors import GeometryError, SegmentationAIError
from .intensity import IntensityRule
from .monai_grid import SAME_SPACING, ResampledGrid, resampled_grid
from .monai_rules import MonaiRules, Squash
from .orientation import oriented_axes
from .preprocess import InputRules, Prepared, check_channels
from .progress import IGNORE, Progress
from .volume import Box, Volume

Floats = NDArray[np.float32]

FAR = 1e9


@dataclass(frozen=True)
class _Axis:
    """One network axis: its source axis, whether it is turned around, and its length there."""

    source: int
    is_flipped: bool
    voxels: int


Axes = tuple[_Axis, _Axis, _Axis]
Crop = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


def prepare_as_monai(
    volume: Volume,
    rules: InputRules,
    monai: MonaiRules,
    box: Box | None = None,
    progress: Progress = IGNORE,
) -> Prepared:
    """Return ``volume`` as MONAI's transforms would hand it to the network.

    Args:
        volume: With as many channels as the rules have; not changed.
        rules: Orientation, spacing, intensities and channels; of the rest nothing is used.
        monai: Order and habits.
        box: Only these source voxels get labels, the network sees all; None for all.
        progress: Told once per channel.

    Raises:
        GeometryError: Another number of channels.
        SegmentationAIError: Nothing is above 0 where the foreground is cropped to.
        Cancelled: Raised by ``progress``.
    """
    check_channels(volume, rules.channels)
    axes = _axes(volume, rules)
    crop: Crop | None = None
    if monai.normalizes_first and monai.crop_margin is not None:
        # The script takes the box of the volume as it is stored, and cuts the turned one with it.
        crop = _foreground(_clean(volume.voxels[0])[0][None], monai.crop_margin)
    grid = _grid(volume, axes, rules, monai, crop)
    notes: list[str] = []
    filled = []
    for number, (channel, rule) in enumerate(zip(volume.voxels, rules.intensities, strict=True)):
        progress(number / volume.channels, f"Preparing {rules.channels[number]}")
        clean, unknown = _clean(channel)
        if unknown:
            notes.append(f"{rules.channels[number]}: {unknown} voxels were no number.")
        if monai.normalizes_first:
            turned = _turned(_normalized(clean, rule, monai.squash), axes)
            filled.append(_resampled(turned if crop is None else _cut(turned, crop), grid))
        else:
            filled.append(_normalized(_resampled(_turned(clean, axes), grid), rule, monai.squash))
    array = np.stack(filled)
    if not monai.normalizes_first and monai.crop_margin is not None:
        crop = _foreground(array, monai.crop_margin)
        array = np.ascontiguousarray(array[(slice(None), *(slice(*side) for side in crop))])
    progress(1.0, "Volume prepared")
    background = tuple(float(channel.min()) for channel in array)
    mapping = _map_back(volume, axes, grid, crop, monai, box)
    return Prepared(array, mapping, background, (0.0,) * len(array), tuple(notes))


def shape_as_monai(volume: Volume, rules: InputRules, monai: MonaiRules) -> Shape | None:
    """Return the grid that `prepare_as_monai` will make, None where it depends on the voxels."""
    if monai.crop_margin is not None:
        return None
    return _grid(volume, _axes(volume, rules), rules, monai, None).shape


def _axes(volume: Volume, rules: InputRules) -> Axes:
    x, y, z = (
        _Axis(source, is_flipped, volume.grid.shape[source])
        for source, is_flipped in oriented_axes(volume.affine, rules.orientation)
    )
    return x, y, z


def _grid(
    volume: Volume, axes: Axes, rules: InputRules, monai: MonaiRules, crop: Crop | None
) -> ResampledGrid:
    """Return the resampled grid of the turned volume, or of its crop where that comes first."""
    affine, spacing = np.eye(4), []
    affine[:3, 3] = volume.affine[:3, 3]
    for number, axis in enumerate(axes):
        column = volume.affine[:3, axis.source]
        affine[:3, number] = -column if axis.is_flipped else column
        affine[:3, 3] += column * (axis.voxels - 1 if axis.is_flipped else 0)
        own = float(volume.spacing[axis.source])
        wanted = own if rules.spacing_mm is None else rules.spacing_mm[number]
        is_near = abs(own - wanted) <= wanted * monai.spacing_tolerance + SAME_SPACING
        spacing.append(own if is_near else wanted)
    x, y, z = (axis.voxels for axis in axes) if crop is None else (b - a for a, b in crop)
    if rules.spacing_mm is None:
        return ResampledGrid((x, y, z), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    return resampled_grid(affine, (x, y, z), spacing)


def _clean(channel: NDArray[np.generic]) -> tuple[Floats, int]:
    """Return float32 voxels without NaN and infinity, and how many there were."""
    voxels = np.array(channel, np.float32)
    unknown = ~np.isfinite(voxels)
    count = int(np.count_nonzero(unknown))
    if count == voxels.size:
        raise SegmentationAIError("No voxel of this volume is a number; export the scan again.")
    if count:
        voxels[unknown] = voxels[~unknown].min()
    return voxels, count


def _turned(voxels: Floats, axes: Axes) -> Floats:
    turned = voxels.transpose([axis.source for axis in axes])
    x, y, z = (slice(None, None, -1 if axis.is_flipped else 1) for axis in axes)
    return turned[x, y, z]


def _resampled(voxels: Floats, grid: ResampledGrid) -> Floats:
    """Return the voxels at the places of the grid, the edge beyond the outermost."""
    for axis, (size, ratio, shift) in enumerate(
        zip(grid.shape, grid.ratio, grid.shift, strict=True)
    ):
        if (size, ratio, shift) != (voxels.shape[axis], 1.0, 0.0):
            places = np.clip(np.arange(size) * ratio + shift, 0.0, voxels.shape[axis] - 1.0)
            voxels = _between(voxels, places, axis)
    return np.ascontiguousarray(voxels, np.float32)


def _between(voxels: Floats, places: NDArray[np.float64], axis: int) -> Floats:
    lower = np.floor(places).astype(np.intp)
    upper = np.minimum(lower + 1, voxels.shape[axis] - 1)
    share = (places - lower).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    below = np.take(voxels, lower, axis)
    return np.asarray(below + (np.take(voxels, upper, axis) - below) * share, np.float32)


def _normalized(voxels: Floats, rule: IntensityRule, squash: Squash) -> Floats:
    counted = voxels != 0 if rule.rule == "zscore-nonzero" else np.ones(voxels.shape, np.bool_)
    subtract, divide = 0.0, 1.0
    if rule.rule == "clip" and rule.low is not None and rule.high is not None:
        voxels = np.clip(voxels, rule.low, rule.high)
        subtract, divide = rule.low, rule.high - rule.low
        if rule.mean is not None and rule.std is not None:
            subtract, divide = rule.mean, rule.std
    elif rule.rule == "minmax":
        subtract, divide = float(voxels.min()), float(np.ptp(voxels))
    elif rule.rule in ("zscore", "zscore-nonzero") and counted.any():
        values = voxels[counted].astype(np.float64)
        subtract, divide = float(values.mean()), float(values.std())
    elif rule.rule != "none" and counted.any():
        raise ValueError(f"MONAI has no rule {rule.rule!r}")
    scaled = (voxels - np.float32(subtract)) / np.float32(divide or 1.0)
    return _squashed(np.where(counted, scaled, voxels), squash)


def _squashed(voxels: Floats, squash: Squash) -> Floats:
    if squash == "tanh":
        return np.asarray(3 * np.tanh(voxels / 3), np.float32)
    if squash == "pet":
        deviation = float(voxels.astype(np.float64).std(ddof=1)) or 1.0
        voxels = (voxels - voxels.min()) / np.float32(deviation)
    if squash in ("pet", "sigmoid"):
        return np.asarray(0.5 + 0.5 * np.tanh(0.5 * voxels), np.float32)
    return np.asarray(voxels, np.float32)


def _foreground(array: Floats, margin: int) -> Crop:
    """Return along each axis the first voxel and the one after the last of what is above 0."""
    inside = (array > 0).any(axis=0)
    sides = []
    for axis in range(3):
        across = tuple(other for other in range(3) if other != axis)
        along = np.flatnonzero(np.any(inside, axis=across))
        if not along.size:
            raise SegmentationAIError(
                "Nothing in this volume is above 0, which this network crops to; check the scan."
            )
        low, high = int(along[0]) - margin, int(along[-1]) + 1 + margin
        sides.append((max(0, low), min(inside.shape[axis], high)))
    return sides[0], sides[1], sides[2]


def _cut(voxels: Floats, crop: Crop) -> Floats:
    """Return a crop; 0 where it reaches beyond the voxels, as it can on turned axes."""
    cut = np.zeros([stop - start for start, stop in crop], np.float32)
    part = voxels[tuple(slice(*side) for side in crop)]
    cut[tuple(slice(n) for n in part.shape)] = part
    return cut


def _map_back(
    volume: Volume,
    axes: Axes,
    grid: ResampledGrid,
    crop: Crop | None,
    monai: MonaiRules,
    box: Box | None,
) -> AxisMap:
    coordinates, sizes = [], []
    start, stop = [0, 0, 0], [0, 0, 0]
    wanted = volume.grid.box if box is None else box
    for number, axis in enumerate(axes):
        along, is_covered, size = _coordinates(axis, number, grid, crop, monai)
        index = np.arange(axis.voxels)
        is_covered &= index >= wanted.start_ijk[axis.source]
        is_covered &= index < wanted.stop_ijk[axis.source]
        covered = np.flatnonzero(is_covered)
        if not covered.size:
            raise GeometryError("The network's grid covers no voxel that a label is wanted for.")
        start[axis.source], stop[axis.source] = int(covered[0]), int(covered[-1]) + 1
        side = -FAR if axis.is_flipped else FAR
        beside = np.where(index < covered[0], -side, side)
        coordinates.append(np.where(is_covered, along, beside))
        sizes.append(size)
    return AxisMap(
        source_shape=volume.grid.shape,
        network_shape=(sizes[0], sizes[1], sizes[2]),
        source_axis=(axes[0].source, axes[1].source, axes[2].source),
        coordinates=(coordinates[0], coordinates[1], coordinates[2]),
        source_box=Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])),
    )


def _coordinates(
    axis: _Axis, number: int, grid: ResampledGrid, crop: Crop | None, monai: MonaiRules
) -> tuple[NDArray[np.float64], NDArray[np.bool_], int]:
    """Return the network coordinate of each source index, which of them count, and the length."""
    index = np.arange(axis.voxels, dtype=np.float64)
    index = index[::-1] if axis.is_flipped else index
    resampled = grid.shape[number]
    first = monai.normalizes_first
    start, stop = (0, axis.voxels if first else resampled) if crop is None else crop[number]
    place = ((index - start if first else index) - grid.shift[number]) / grid.ratio[number]
    along = np.clip(place, 0, resampled - 1)
    if monai.restored == "labels":
        along = np.rint(along)
    if first:
        return along, (index >= start) & (index < stop), resampled
    along = along - start
    # What lies beyond a crop is 0 in all channels: it shrinks all alike, and none wins alone.
    is_covered = (along > -1) & (along < stop - start)
    return np.clip(along, 0, stop - start - 1), is_covered, stop - start
