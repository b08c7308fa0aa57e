"""A volume as a network wants it: oriented, cropped, resampled, normalized, padded.

Nothing is rotated; each network axis runs along one axis of the volume, and `AxisMap` says where
every source voxel went, so that labels find their way back voxel for voxel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .axis_map import AxisMap, AxisPlan, Shape, axis_map
from .body import AIR_LIMIT_HU, body_box
from .errors import GeometryError
from .histogram import Histogram, histogram_of
from .intensity import IntensityRule, Scaling, scaling_of
from .orientation import oriented_axes
from .progress import IGNORE, Progress
from .resample import resample_into
from .volume import Array, Box, Volume

# Network voxels around a ROI that the network sees but that get no label: as far as the features
# of small structures reach, at a cost that a box of 100 voxels does not feel.
ROI_CONTEXT_VOXELS = 16


@dataclass(frozen=True)
class InputRules:
    """What a network wants as its input.

    Attributes:
        orientation: Directions in which the indices rise, such as ``LIA``; None takes the
            volume's own axes.
        spacing_mm: Along the network's axes; None keeps the volume's.
        intensity: How intensities are normalized, each channel by itself.
        channels: Roles in the network's order.
        multiple_of: Each side of the grid is padded to a multiple of it.
        size: Fixed grid, cropped or padded about the volume's center (as FreeSurfer's conform);
            None for the size that the volume has.
        crop_to_body: Whether to leave the air around the patient out.
        order: 3 cubic as nnU-Net, 1 linear.
        modality: DICOM modality; ``CT`` warns about a volume that is none.

    Raises:
        ValueError: A number is out of its range.
    """

    orientation: str | None = None
    spacing_mm: tuple[float, float, float] | None = None
    intensity: IntensityRule = field(default_factory=IntensityRule)
    channels: tuple[str, ...] = ("volume",)
    multiple_of: int = 1
    size: Shape | None = None
    crop_to_body: bool = False
    order: Literal[1, 3] = 3
    modality: str = ""

    def __post_init__(self) -> None:
        if self.spacing_mm is not None and not all(0 < s < np.inf for s in self.spacing_mm):
            raise ValueError(f"spacing {self.spacing_mm} is not positive")
        if self.multiple_of < 1 or (self.size is not None and min(self.size) < 1):
            raise ValueError(f"grid of {self.size} voxels, a multiple of {self.multiple_of}")
        if not self.channels:
            raise ValueError("a network has at least one channel")


@dataclass(frozen=True, eq=False)
class Prepared:
    """The input of a network.

    Attributes:
        array: ``(C, X, Y, Z)`` float32.
        axis_map: Where the source voxels lie on it.
        background: Intensity of padding and air in each channel of ``array``.
        notes: What was mended or left out, sentences.
    """

    array: NDArray[np.float32]
    axis_map: AxisMap
    background: tuple[float, ...]
    notes: tuple[str, ...]


def prepare(
    volume: Volume, rules: InputRules, box: Box | None = None, progress: Progress = IGNORE
) -> Prepared:
    """Return ``volume`` as a network with these rules wants it.

    Intensities are normalized by the whole volume (by the body where that is cropped to), not by
    the box, so that a box does not change what is found inside of it.

    Args:
        volume: With as many channels as the rules have; not changed.
        rules: The network's.
        box: Only these source voxels get labels; None for all.
        progress: Told once per channel.

    Raises:
        GeometryError: Another number of channels, or the box holds no voxel of the volume or body.
        SegmentationAIError: A channel without numbers, or with one value everywhere.
        Cancelled: Raised by ``progress``.
    """
    check_channels(volume, rules.channels)
    whole = volume.grid.box
    covered = whole if box is None else _common(whole, box, "the volume")
    found = [histogram_of(v, r) for v, r in zip(volume.voxels, rules.channels, strict=True)]
    notes = _notes(found, rules)
    seen = whole
    if rules.crop_to_body:
        seen = body_box(volume.voxels[0], found[0], volume.spacing)
        covered = _common(seen, covered, "the body")
    if seen != whole:
        notes.append(f"Cropped to the body: {seen.shape} of {whole.shape} voxels.")
        # What was found and noted of the whole volume stays; only the statistics are the body's.
        crops = [voxels[seen.slices] for voxels in volume.voxels]
        found = [histogram_of(v, r) for v, r in zip(crops, rules.channels, strict=True)]
    plans = _plans(volume, rules, seen, covered, has_box=box is not None)
    mapping = axis_map(plans)
    array = np.empty((volume.channels, *mapping.network_shape), np.float32)
    background = []
    for number, channel in enumerate(volume.voxels):
        progress(number / volume.channels, f"Preparing {rules.channels[number]}")
        scaling = scaling_of(rules.intensity, _as_trained(found[number], plans, seen, rules))
        if scaling.note:
            # So little of the fixed grid is filled that the padding decides: leave it out.
            scaling = scaling_of(rules.intensity, found[number])
        if scaling.note:
            notes.append(f"{rules.channels[number]}: {scaling.note}")
        _fill(array[number], channel, plans, scaling, rules.order)
        background.append(scaling.scaled_background)
    progress(1.0, "Volume prepared")
    return Prepared(array, mapping, tuple(background), tuple(notes))


def check_channels(volume: Volume, roles: Sequence[str]) -> None:
    """Raise unless ``volume`` has one channel for each role.

    Raises:
        GeometryError: It has another number; the message names both.
    """
    if volume.channels != len(roles):
        raise GeometryError(
            f"The volume has {volume.channels} channel(s) and the network takes {len(roles)} "
            f"({', '.join(roles)}); give one volume for each (a time series or a color picture "
            "is not one)."
        )


def _common(outer: Box, inner: Box, name: str) -> Box:
    a, b, c = (max(p, q) for p, q in zip(outer.start_ijk, inner.start_ijk, strict=True))
    d, e, f = (min(p, q) for p, q in zip(outer.stop_ijk, inner.stop_ijk, strict=True))
    common = Box((a, b, c), (d, e, f))
    if common.is_empty:
        raise GeometryError(
            f"The box {inner.start_ijk} to {inner.stop_ijk} holds no voxel of {name}, which is "
            f"{outer.start_ijk} to {outer.stop_ijk}; draw it over the structure."
        )
    return common


def _plans(
    volume: Volume, rules: InputRules, seen: Box, covered: Box, *, has_box: bool
) -> tuple[AxisPlan, AxisPlan, AxisPlan]:
    axes = oriented_axes(volume.affine, rules.orientation)
    plans = []
    for axis, (source, flipped) in enumerate(axes):
        spacing = volume.spacing[source]
        wanted = spacing if rules.spacing_mm is None else rules.spacing_mm[axis]
        first, last = seen.start_ijk[source], seen.stop_ijk[source]
        labeled = covered.start_ijk[source], covered.stop_ijk[source]
        if has_box and rules.size is None:
            context = int(np.ceil(ROI_CONTEXT_VOXELS * wanted / spacing))
            first, last = max(first, labeled[0] - context), min(last, labeled[1] + context)
        scaled = max(1, round((last - first) * spacing / wanted))
        size = -(-scaled // rules.multiple_of) * rules.multiple_of
        if rules.size is not None:
            size = rules.size[axis]
        offset = (size - scaled) // 2
        length = volume.grid.shape[source]
        plans.append(AxisPlan(source, flipped, length, first, last, labeled, scaled, offset, size))
    return plans[0], plans[1], plans[2]


def _as_trained(
    found: Histogram, plans: Sequence[AxisPlan], seen: Box, rules: InputRules
) -> Histogram:
    """Return the histogram that the network's training saw: with a fixed grid, padding included."""
    if rules.size is None:
        return found
    filled = np.prod([min(plan.scaled, plan.size) / plan.size for plan in plans])
    return found.with_background(round(np.prod(seen.shape) * float(1 / filled - 1)))


def _fill(
    target: NDArray[np.float32],
    channel: NDArray[Any],
    plans: tuple[AxisPlan, AxisPlan, AxisPlan],
    scaling: Scaling,
    order: Literal[1, 3],
) -> None:
    """Write one channel to its place on the network's grid."""
    source = _along_network_axes(channel, plans)
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
    if source.shape == scaled:
        scaling.apply(source[part], target[place])
        return
    normalized = np.empty(source.shape, np.float32)
    scaling.apply(source, normalized)
    if target[place].shape == scaled:
        resample_into(target[place], normalized, order)
        return
    resampled = np.empty(scaled, np.float32)
    resample_into(resampled, normalized, order)
    target[place] = resampled[part]


def _along_network_axes(channel: Array, plans: Sequence[AxisPlan]) -> NDArray[Any]:
    """Return a view ``(x, y, z)`` of the voxels that the network sees."""
    by_source = {plan.source_axis: slice(plan.start, plan.stop) for plan in plans}
    view = channel[by_source[0], by_source[1], by_source[2]]
    view = view.transpose([plan.source_axis for plan in plans])
    x, y, z = (slice(None, None, -1 if plan.flipped else 1) for plan in plans)
    return view[x, y, z]


def _notes(found: Sequence[Histogram], rules: InputRules) -> list[str]:
    notes = []
    for channel, role in zip(found, rules.channels, strict=True):
        for number, what in (
            (channel.no_numbers, "no number (NaN or infinite) and became background"),
            (channel.padding, "padding (a value far from all others) and became background"),
            (channel.spikes, "spikes far from all others and were cut"),
        ):
            if number:
                notes.append(f"{role}: {number} voxels were {what}.")
    if rules.modality == "CT" and found[0].low > AIR_LIMIT_HU:
        notes.append(
            "This does not look like a CT, which the network was made for: no voxel lies under "
            f"{AIR_LIMIT_HU:g} HU (the lowest is {found[0].low:g}). Check the result with care."
        )
    return notes
