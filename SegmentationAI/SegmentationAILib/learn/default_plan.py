"""The plan that is made where nobody makes one: from the data's fingerprint and the machine."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ..core.errors import SegmentationAIError
from ..networks.card import Channel, Conventions, Intensity
from .dataset import Dataset, modality_of
from .fingerprint import AXIS_OF, Fingerprint
from .plan import TrainingPlan
from .planned_architecture import (
    check_trainable,
    divisors_of,
    learning_rate,
    planned_architecture,
    sees_planes,
)
from .planned_grid import PlannedGrid, planned_grid
from .planned_network import Triple, patch_for
from .training_machine import TrainingMachine

DEFAULT_ARCHITECTURE: Final = "dynunet"
# Where zeros surround the patient, they are cropped and left out of the statistics (nnU-Net's).
CROPPED_SHARE: Final = 0.75
# Thick slices that are so few are seen one at a time.
FEW_SLICES: Final = 16
# Voxels of a patch and of a step. Without a GPU a step of 360,000 voxels took 0.4 s on two cores.
PATCH_VOXELS: Final = {False: 64**3, True: 128**3}
PLANE_VOXELS: Final = {False: 192**2, True: 512**2}
STEP_VOXELS: Final = {False: 400_000, True: 2 * 128**3}
BATCH: Final = {False: (2, 32), True: (2, 64)}
# How often each case is seen; small crops were learned after 50 (see Documentation/training.md).
PATCHES_PER_CASE: Final = 50
STEPS: Final = {False: (1500, 10_000), True: (5000, 100_000)}
STEPS_PER_EPOCH: Final = 50
MOST_EPOCHS_WITHOUT_GAIN: Final = 15
HOLD_OUT: Final = 0.2
_SIDED = re.compile(r"\b(left|right|lh|rh|sinister|dexter|[lr])\b", re.ASCII | re.IGNORECASE)


def default_plan(
    dataset: Dataset,
    found: Fingerprint,
    machine: TrainingMachine,
    architecture: str | None = None,
    seed: int = 0,
) -> TrainingPlan:
    """Return the plan for a data set on a machine; the same ones always give the same plan.

    Args:
        dataset: Its channels and labels.
        found: Fingerprint of the cases that are trained on.
        machine: Whose memory and device decide sizes.
        architecture: Name of one that can be trained, None for the default.
        seed: Of everything random in the training.

    Raises:
        SegmentationAIError: The architecture cannot be trained, or no labeled voxel was found.
    """
    name = architecture or DEFAULT_ARCHITECTURE
    check_trainable(name)
    grid, of_planes, notes = _grid(found, name)
    channels, conventions, scaling = _intensities(dataset, found, grid)
    patch = _patch(name, grid, len(channels), machine, of_planes=of_planes)
    sides, spacing = _seen(patch, grid, of_planes=of_planes)
    planned = planned_architecture(
        name, sides, spacing, len(channels), len(dataset.labels) + 1, is_gpu=machine.is_gpu
    )
    batch = _batch(patch, machine)
    training = math.ceil(found.cases * (1 - HOLD_OUT))
    low, high = STEPS[machine.is_gpu]
    steps = min(max(training * PATCHES_PER_CASE // batch, low), high)
    mirrors, why = _mirror_axes(dataset, grid.orientation)
    return TrainingPlan(
        architecture=planned,
        labels=dataset.labels,
        channels=channels,
        modality=dataset.modality,
        orientation=grid.orientation,
        spacing_mm=grid.spacing_mm,
        intensity=channels[0].intensity or Intensity("zscore"),
        patch_size=patch,
        batch_size=batch,
        epochs=math.ceil(steps / STEPS_PER_EPOCH),
        steps_per_epoch=STEPS_PER_EPOCH,
        learning_rate=learning_rate(name),
        mirror_axes=mirrors,
        precision=machine.precision,
        seed=seed,
        validation_fraction=HOLD_OUT if found.patients > 1 else 0.0,
        patience=MOST_EPOCHS_WITHOUT_GAIN,
        conventions=conventions,
        notes=(*notes, *scaling, why),
    )


def _grid(found: Fingerprint, name: str) -> tuple[PlannedGrid, bool, list[str]]:
    grid = planned_grid(found, of_planes=True)
    slices = grid.median_shape[2]
    is_flat = grid.is_anisotropic and slices < FEW_SLICES
    of_planes = sees_planes(name, otherwise=is_flat)
    notes = []
    if is_flat and of_planes:
        notes.append(
            f"It sees one plane at a time, since the median case has {slices} slices of "
            f"{grid.spacing_mm[2]:.3g} mm."
        )
    if not of_planes:
        grid = planned_grid(found, of_planes=name == "super-image")
    return grid, of_planes, notes


def _intensities(
    dataset: Dataset, found: Fingerprint, grid: PlannedGrid
) -> tuple[tuple[Channel, ...], Conventions, list[str]]:
    """Return the channels with their rules, whose conventions hold, and why."""
    is_cropped = found.nonzero_share < CROPPED_SHARE
    notes = []
    if is_cropped:
        notes.append(
            f"Zeros around the patient ({1 - found.nonzero_share:.0%} of the median volume) are "
            "cropped and left out of the statistics."
        )
    if grid.is_anisotropic:
        notes.append("Its thick slices are resampled each by itself.")
    channels = []
    for channel, seen in zip(dataset.channels, found.intensities, strict=True):
        rule = Intensity("zscore-mask" if is_cropped else "zscore")
        if modality_of(channel.title) == "CT":
            # The label's intensities are a fixed scale, that of the scanner.
            numbers = {"low": seen.low, "high": seen.high, "mean": seen.mean, "std": seen.std}
            rule = Intensity("clip", tuple(sorted(numbers.items())))
            if not seen.std > 0 or not seen.low < seen.high:
                raise SegmentationAIError(
                    f"All labeled voxels of {channel.title} have the value {seen.mean:g}; labels "
                    "on tissue were expected: look at the labels."
                )
        channels.append(replace(channel, intensity=rule))
    conventions: Conventions = "nnunet" if is_cropped or grid.is_anisotropic else ""
    return tuple(channels), conventions, notes


def _patch(
    name: str, grid: PlannedGrid, inputs: int, machine: TrainingMachine, *, of_planes: bool
) -> Triple:
    """Return the largest patch that suits grid, architecture and machine."""
    shape, most = grid.median_shape, PATCH_VOXELS[machine.is_gpu]
    if of_planes:
        shape, most = (shape[0], shape[1], 1), PLANE_VOXELS[machine.is_gpu]

    def divisors(sides: Sequence[int]) -> Sequence[int]:
        seen, spacing = _seen(sides, grid, of_planes=of_planes)
        made = planned_architecture(name, seen, spacing, inputs, 2, is_gpu=machine.is_gpu)
        return (*divisors_of(made), 1)[:3]

    spacing = (*grid.spacing_mm[:2], max(grid.spacing_mm)) if of_planes else grid.spacing_mm
    return patch_for(shape, spacing, most, divisors)


def _seen(
    sides: Sequence[int], grid: PlannedGrid, *, of_planes: bool
) -> tuple[Sequence[int], Sequence[float]]:
    """Return the sides and spacings that the network itself sees."""
    return (sides[:2], grid.spacing_mm[:2]) if of_planes else (sides, grid.spacing_mm)


def _batch(patch: Triple, machine: TrainingMachine) -> int:
    low, high = BATCH[machine.is_gpu]
    return min(max(round(STEP_VOXELS[machine.is_gpu] / math.prod(patch)), low), high)


def _mirror_axes(dataset: Dataset, orientation: str) -> tuple[tuple[int, ...], str]:
    """Return the axis from left to right where anatomy allows to mirror it, and why."""
    sided = next((label.name for label in dataset.labels if _is_sided(label.name)), None)
    if sided is not None:
        return (), f"Nothing is mirrored, since {sided} is a label of one side."
    axis = next(n for n, letter in enumerate(orientation) if AXIS_OF[letter] == 0)
    return (axis,), "Patches are mirrored from left to right at random."


def _is_sided(name: str) -> bool:
    return _SIDED.search(re.sub(r"[^A-Za-z]+", " ", name)) is not None
