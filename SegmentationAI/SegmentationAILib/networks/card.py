"""The card of a network: what it needs, what it answers, where it comes from, how well it works."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from ..core.labelmap import Label
from ..core.monai_rules import MonaiRules
from .training_record import TrainingRecord

Output = Literal["softmax", "sigmoid"]
Conventions = Literal["", "nnunet"]
Use = Literal["free", "research-only", "key-needed", "unstated"]
Parameter = bool | int | float | str | tuple[Any, ...]


@dataclass(frozen=True)
class License:
    """Terms of the weights: SPDX ID or "unstated", a sentence, and what they allow."""

    id: str
    text: str
    use: Use


@dataclass(frozen=True)
class Intensity:
    """Rule that maps intensities to the network's input; its names are those of preprocessing.

    Attributes:
        rule: ``none minmax percentile quantile-nonzero zscore zscore-nonzero clip``.
        numbers: The rule's numbers by name, such as ``low`` and ``high``.
    """

    rule: str
    numbers: tuple[tuple[str, float], ...] = ()

    def number(self, name: str, otherwise: float) -> float:
        """Return one of the rule's numbers, or ``otherwise`` where the card gives none."""
        return dict(self.numbers).get(name, otherwise)


@dataclass(frozen=True)
class Channel:
    """One input channel.

    Attributes:
        role: What ``--channel ROLE=PATH`` names.
        title: What it shows.
        intensity: Its own rule, None for the card's.
    """

    role: str
    title: str = ""
    intensity: Intensity | None = None


@dataclass(frozen=True)
class Architecture:
    """Name of an architecture that is built in, and its parameters: literals, never code."""

    name: str
    parameters: tuple[tuple[str, Parameter], ...] = ()

    def arguments(self) -> dict[str, Parameter]:
        """Return the parameters by name."""
        return dict(self.parameters)


@dataclass(frozen=True)
class PrecisionGate:
    """Agreement with single precision, measured on real input.

    Attributes:
        precision: ``fp16``, ``bf16`` or ``int8``.
        device: ``cpu`` or ``cuda``.
        mean_dice: Mean over the labels and cases; 1 is identical to single precision.
        lowest_dice: Of one label in one case.
        cases: How many volumes.
        dice_change: Of the mean Dice against known labels, on drawn heads that have them; None
            where there are none.
        times_faster: Against PyTorch in single precision on the machine that recorded it, 0 when
            it was not measured.
    """

    precision: str
    device: str
    mean_dice: float
    lowest_dice: float
    cases: int
    dice_change: float | None = None
    times_faster: float = 0.0


@dataclass(frozen=True)
class NetworkCard:
    """Everything that is known about one network without opening its weights.

    Attributes:
        id: Name in commands and folders.
        title: One line for the person.
        task: What it segments, one sentence.
        modality: ``MR``, ``CT`` or another DICOM modality.
        labels: In the order of the output channels; colors 0 to 1. With softmax, channel 0 is
            background and ``labels[i]`` is channel ``i + 1``; with sigmoid it is channel ``i``.
        spacing_mm: Grid that the network wants along its own axes; None takes any.
        orientation: Axis code such as ``LIA``; None takes any.
        size: Fixed grid (X, Y, Z) centered on the volume, None for any.
        divisible_by: Each side of a patch is a multiple of it.
        intensity: Rule for intensities.
        channels: Inputs in order.
        patch_size: Voxels (X, Y, Z) of one patch, None for the whole grid.
        overlap: Fraction shared by neighboring patches, 0 to under 1.
        one_body: Whether all labels together make one connected body, such as a brain.
        output: Whether one label wins (softmax) or each stands alone (sigmoid).
        license: Terms of the weights.
        source: Web page of the origin.
        paper: DOI, empty when there is none.
        sha256: Of the weights file, lower-case hex.
        size_bytes: Of the weights file, 0 when unknown.
        address: https address of the weights file, empty when there is none that is certain.
        file: Path under ``Resources`` when the weights ship with the program, else empty.
        converted_from: SHA-256 of the file from which the stored weights were converted.
        architecture: What the weights belong to.
        gates: Recorded precision gates.
        limits: Sentences about what it cannot do.
        notes: Other sentences.
        conventions: ``nnunet`` where the grid, the windows and the resampling are nnU-Net's: what
            is 0 in all channels is cropped, thick slices are resampled each by itself, and what
            lies beyond the volume is 0; empty for our own.
        axes: Source axis along each of the network's where ``orientation`` is None.
        mirror_axes: Network axes along which the network's own tool averages over mirrored copies,
            in logits, unless told otherwise; None where it has no such habit.
        promptable: It answers prompts in a session (see `refine.click_network`), one segment of any
            kind; its inputs are those of `refine.click_input`, and it segments nothing by itself.
        one_layer: With sigmoid: each label is painted over those before it.
        folds: Networks whose logits are averaged; the tensors of fold N begin with ``fold_N.``
            where there are several.
        monai: Where MONAI's own steps prepare the volume and bring labels back; None for ours.
        training: How it was trained here; None where that is not known.
    """

    id: str
    title: str
    task: str
    modality: str
    labels: tuple[Label, ...]
    spacing_mm: tuple[float, float, float] | None
    orientation: str | None
    size: tuple[int, int, int] | None
    divisible_by: int
    intensity: Intensity
    channels: tuple[Channel, ...]
    patch_size: tuple[int, int, int] | None
    overlap: float
    one_body: bool
    output: Output
    license: License
    source: str
    paper: str
    sha256: str
    size_bytes: int
    address: str
    file: str
    converted_from: str
    architecture: Architecture
    gates: tuple[PrecisionGate, ...]
    limits: tuple[str, ...]
    notes: tuple[str, ...]
    conventions: Conventions = ""
    axes: tuple[int, int, int] = (0, 1, 2)
    mirror_axes: tuple[int, ...] | None = None
    one_layer: bool = False
    promptable: bool = False
    folds: int = 1
    monai: MonaiRules | None = None
    training: TrainingRecord | None = None

    @property
    def out_channels(self) -> int:
        """Channels of the logits, background included where there is one."""
        return len(self.labels) + (1 if self.output == "softmax" else 0)

    @property
    def channel_values(self) -> tuple[int, ...]:
        """Label value of each output channel; 0 is background."""
        values = tuple(label.value for label in self.labels)
        return (0, *values) if self.output == "softmax" else values

    def renamed(self, network_id: str) -> "NetworkCard":
        """Return the same card under another ID."""
        return replace(self, id=network_id)
