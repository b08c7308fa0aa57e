"""A volume as a network wants it: oriented, cropped, resampled, normalized, padded.

Nothing is rotated; each network axis runs along one axis of the volume, and `AxisMap` says where
every source voxel went, so that labels find their way back voxel for voxel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .axis_map import AxisMap, AxisPlan, Shape, axis_map
from .body import AIR_LIMIT_HU, body_box
from .channel_filling import Plans, Resampling, fill_channel
from .errors import GeometryError
from .histogram import Histogram, histogram_of
from .intensity import IntensityRule, scaling_of
from .monai_rules import MonaiRules
from .nonzero import nonzero_box, nonzero_mask
from .orientation import oriented_axes
from .progress import IGNORE, WARNING, Progress
from .separate_slices import separate_axis
from .volume import Box, Volume

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
        intensity: How intensities are normalized, each channel by itself; one rule for all
            channels or one for each.
        channels: Roles in the network's order.
        multiple_of: Each side of the grid is padded to a multiple of it.
        size: Fixed grid, cropped or padded about the volume's center (as FreeSurfer's conform);
            None for the size that the volume has.
        crop_to_body: Whether to leave the air around the patient out.
        crop_to_nonzero: Whether to leave out what is 0 in every channel around the rest.
        order: 3 cubic as nnU-Net, 1 linear.
        separate_slices: Whether thick slices are resampled each by itself (see `separate_slices`).
        pads_with_zero: Whether what lies beyond the volume is 0 after normalization, and not
            background.
        axes: Source axis along each of the network's where ``orientation`` is None, such as
            ``(2, 1, 0)`` for networks that were trained on arrays stored K, J, I.
        monai: Where MONAI's steps prepare the volume (see `monai_input`); None for ours.
        modality: DICOM modality; ``CT`` warns about a volume that is none.

    Raises:
        ValueError: A number is out of its range.
    """

    orientation: str | None = None
    spacing_mm: tuple[float, float, float] | None = None
    intensity: IntensityRule | tuple[IntensityRule, ...] = field(default_factory=IntensityRule)
    channels: tuple[str, ...] = ("volume",)
    multiple_of: int = 1
    size: Shape | None = None
    crop_to_body: bool = False
    crop_to_nonzero: bool = False
    order: Literal[1, 3] = 3
    separate_slices: bool = False
    pads_with_zero: bool = False
    axes: tuple[int, int, int] = (0, 1, 2)
    monai: MonaiRules | None = None
    modality: str = ""

    def __post_init__(self) -> None:
        if self.spacing_mm is not None and not all(0 < s < np.inf for s in self.spacing_mm):
            raise ValueError(f"spacing {self.spacing_mm} is not positive")
        if self.multiple_of < 1 or (self.size is not None and min(self.size) < 1):
            raise ValueError(f"grid of {self.size} voxels, a multiple of {self.multiple_of}")
        if not self.channels:
            raise ValueError("a network has at least one channel")
        if len(self.intensities) != len(self.channels):
            raise ValueError(f"{len(self.intensities)} rules for {len(self.channels)} channels")

    @property
    def intensities(self) -> tuple[IntensityRule, ...]:
        """Return the rule of each channel."""
        one = self.intensity
        return one if isinstance(one, tuple) else (one,) * len(self.channels)


@dataclass(frozen=True, eq=False)
class Prepared:
    """The input of a network.

    Attributes:
        array: ``(C, X, Y, Z)`` float32.
        axis_map: Where the source voxels lie on it.
        background: Intensity of air in each channel of ``array``.
        padding: Intensity beyond the array, in each channel.
        notes: What was mended or left out, sentences.
    """

    array: NDArray[np.float32]
    axis_map: AxisMap
    background: tuple[float, ...]
    padding: tuple[float, ...]
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
    for warning in _modality_warnings(found[0], rules):
        progress(0.0, WARNING + warning)
        notes.append(warning)
    seen = whole
    if rules.crop_to_body or rules.crop_to_nonzero:
        what, seen = _what_is_seen(volume, found[0], rules)
        covered = _common(seen, covered, what)
    if seen != whole:
        notes.append(f"Cropped to {what}: {seen.shape} of {whole.shape} voxels.")
        # What was found and noted of the whole volume stays; only the statistics are the crop's.
        crops = [voxels[seen.slices] for voxels in volume.voxels]
        found = [histogram_of(v, r) for v, r in zip(crops, rules.channels, strict=True)]
    outside = _outside(volume, rules, found)
    plans, resampling = _plans(volume, rules, seen, covered, has_box=box is not None)
    mapping = axis_map(plans)
    array = np.empty((volume.channels, *mapping.network_shape), np.float32)
    background = []
    for number, (channel, rule) in enumerate(zip(volume.voxels, rules.intensities, strict=True)):
        progress(number / volume.channels, f"Preparing {rules.channels[number]}")
        scaling = scaling_of(rule, _as_trained(found[number], plans, seen, rules))
        if scaling.note:
            # So little of the fixed grid is filled that the padding decides: leave it out.
            scaling = scaling_of(rule, found[number])
        if scaling.note:
            notes.append(f"{rules.channels[number]}: {scaling.note}")
        zero = outside if rule.rule == "zscore-mask" else None
        fill_channel(array[number], channel, plans, scaling, resampling, zero)
        background.append(scaling.scaled_background if zero is None else 0.0)
    progress(1.0, "Volume prepared")
    padding = (0.0,) * len(background) if rules.pads_with_zero else tuple(background)
    return Prepared(array, mapping, tuple(background), padding, tuple(notes))


def planned_shape(volume: Volume, rules: InputRules, box: Box | None = None) -> Shape | None:
    """Return the grid that `prepare` will make, None where the voxels have to be looked at first.

    Raises:
        GeometryError: The box holds no voxel of the volume.
    """
    if rules.crop_to_body or rules.crop_to_nonzero:
        return None
    whole = volume.grid.box
    covered = whole if box is None else _common(whole, box, "the volume")
    plans, _ = _plans(volume, rules, whole, covered, has_box=box is not None)
    return plans[0].size, plans[1].size, plans[2].size


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


def _what_is_seen(volume: Volume, found: Histogram, rules: InputRules) -> tuple[str, Box]:
    if rules.crop_to_nonzero:
        return "what is not 0", nonzero_box(volume.voxels)
    return "the body", body_box(volume.voxels[0], found, volume.spacing)


def _outside(volume: Volume, rules: InputRules, found: list[Histogram]) -> NDArray[np.bool_] | None:
    """Return where masked channels are 0; their histograms in ``found`` become the mask's."""
    masked = [n for n, rule in enumerate(rules.intensities) if rule.rule == "zscore-mask"]
    if not masked:
        return None
    mask = nonzero_mask(volume.voxels)
    for number in masked:
        inside = volume.voxels[number][mask][:, None, None]
        found[number] = histogram_of(inside, rules.channels[number])
    return ~mask


def _plans(
    volume: Volume, rules: InputRules, seen: Box, covered: Box, *, has_box: bool
) -> tuple[Plans, Resampling]:
    axes = oriented_axes(volume.affine, rules.orientation)
    if rules.orientation is None:
        x, y, z = rules.axes
        axes = axes[x], axes[y], axes[z]
    own = [volume.spacing[source] for source, _ in axes]
    there = back = None
    if rules.separate_slices and rules.spacing_mm is not None:
        there, back = separate_axis(own, rules.spacing_mm), separate_axis(rules.spacing_mm, own)
    plans = []
    for axis, (source, flipped) in enumerate(axes):
        spacing = volume.spacing[source]
        wanted = spacing if rules.spacing_mm is None else rules.spacing_mm[axis]
        first, last = seen.start_ijk[source], seen.stop_ijk[source]
        labeled = covered.start_ijk[source], covered.stop_ijk[source]
        if has_box and rules.size is None:
            context = int(np.ceil(ROI_CONTEXT_VOXELS * wanted / spacing))
            first, last = max(first, labeled[0] - context), min(last, labeled[1] + context)
        # In nnU-Net's order: half a voxel more or less is decided by the last bit.
        scaled = max(1, round(spacing / wanted * (last - first)))
        size = -(-scaled // rules.multiple_of) * rules.multiple_of
        if rules.size is not None:
            size = rules.size[axis]
        offset = (size - scaled) // 2
        length = volume.grid.shape[source]
        place = (source, flipped, length, first, last, labeled, scaled, offset, size)
        plans.append(AxisPlan(*place, is_nearest=axis == back))
    return (plans[0], plans[1], plans[2]), Resampling(rules.order, there)


def _as_trained(
    found: Histogram, plans: Sequence[AxisPlan], seen: Box, rules: InputRules
) -> Histogram:
    """Return the histogram that the network's training saw: with a fixed grid, padding included."""
    if rules.size is None:
        return found
    filled = np.prod([min(plan.scaled, plan.size) / plan.size for plan in plans])
    return found.with_background(round(np.prod(seen.shape) * float(1 / filled - 1)))


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
    return notes


def _modality_warnings(found: Histogram, rules: InputRules) -> list[str]:
    if rules.modality != "CT" or found.low <= AIR_LIMIT_HU:
        return []
    return [
        "This does not look like a CT, which the network was made for: no voxel lies under "
        f"{AIR_LIMIT_HU:g} HU (the lowest is {found.low:g}). Check the result with care."
    ]
