"""What a training will do, decided before it begins: grid, network, patches, steps, rate.

A plan is data: it is written beside the network it leads to, and whoever has it and the cases can
repeat the training.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from ..core.labelmap import Label
from ..core.preprocess import InputRules
from ..networks.card import Architecture, Channel, Conventions, Intensity, License, NetworkCard
from ..networks.segmenter import recipe_of
from .training_case import MOST_LABELS

Precision = Literal["fp32", "bf16"]
OptimizerName = Literal["adamw", "orthogonal"]
OPTIMIZERS: Final = ("adamw", "orthogonal")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)


@dataclass(frozen=True)
class ExpectedCost:
    """What a training will cost on this machine.

    Attributes:
        seconds: Wall clock, all epochs.
        memory_mib: Peak of the training's process beyond what it needs to start.
        weights: How many numbers the network has.
        basis: How the figures were found, a phrase such as ``a half-second measurement``.
    """

    seconds: float
    memory_mib: float
    weights: int
    basis: str


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that a training needs to know besides its cases and the weights it starts from.

    Attributes:
        architecture: The network, with all its parameters.
        labels: In the order of the logits; background is channel 0 and has no row.
        channels: Inputs in order.
        modality: DICOM modality, or ``any``.
        orientation: Axis code of the network's grid, such as ``RAS``; networks of planes see those
            along the last axis.
        spacing_mm: Of the network's grid, along its own axes.
        intensity: Rule for channels that have none of their own.
        patch_size: Voxels (X, Y, Z); the third is 1 for networks of planes.
        batch_size: Patches per step.
        epochs: Of ``steps_per_epoch`` steps each.
        steps_per_epoch: Steps between two looks at the hold-out.
        learning_rate: Highest, of AdamW; kernels in ``orthogonal`` steps have their own from it.
        optimizer: ``adamw`` or ``orthogonal``, see `Optimizer`.
        loss: Name of the loss, such as ``dice-ce``.
        foreground_fraction: Share of patches that are centered on a label, 0 to 1.
        mirror_axes: Network axes along which patches are mirrored at random.
        precision: What the forward pass computes in.
        seed: Of everything random.
        validation_fraction: Share of the patients that are held out to watch the training.
        patience: Epochs without a better hold-out after which the training ends.
        overlap: Fraction that neighboring patches share when whole volumes are segmented.
        conventions: Whose rules for crop and resampling hold, as in a card.
        expected: What it will cost, None when that was not estimated.
        notes: Why the plan is as it is, sentences.

    Raises:
        ValueError: A number is out of its range.
    """

    architecture: Architecture
    labels: tuple[Label, ...]
    channels: tuple[Channel, ...]
    modality: str
    orientation: str
    spacing_mm: tuple[float, float, float]
    intensity: Intensity
    patch_size: tuple[int, int, int]
    batch_size: int
    epochs: int
    steps_per_epoch: int
    learning_rate: float
    optimizer: OptimizerName = "adamw"
    loss: str = "dice-ce"
    foreground_fraction: float = 1 / 3
    mirror_axes: tuple[int, ...] = ()
    precision: Precision = "fp32"
    seed: int = 0
    validation_fraction: float = 0.2
    patience: int = 50
    overlap: float = 0.5
    conventions: Conventions = ""
    expected: ExpectedCost | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.labels) <= MOST_LABELS:
            raise ValueError(f"{len(self.labels)} labels; 1 to {MOST_LABELS} can be trained")
        counts = {
            "batch_size": (self.batch_size, 1, 4096),
            "epochs": (self.epochs, 1, 100_000),
            "steps_per_epoch": (self.steps_per_epoch, 1, 1_000_000),
            "patience": (self.patience, 1, 100_000),
            "seed": (self.seed, 0, 2**63 - 1),
            "learning_rate": (self.learning_rate, 1e-9, 10.0),
            "foreground_fraction": (self.foreground_fraction, 0.0, 1.0),
            "validation_fraction": (self.validation_fraction, 0.0, 0.9),
        }
        for name, (number, lowest, highest) in counts.items():
            if not lowest <= number <= highest:
                raise ValueError(f"{name} is {number}; {lowest} to {highest} is possible")
        if sorted(set(self.mirror_axes) & {0, 1, 2}) != sorted(self.mirror_axes):
            raise ValueError(f"mirror_axes are {self.mirror_axes}; each of 0, 1, 2 at most once")
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision is {self.precision!r}; fp32 or bf16 is possible")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"optimizer is {self.optimizer!a}; one of {', '.join(OPTIMIZERS)} is possible"
            )
        if not _NAME.fullmatch(self.loss):
            raise ValueError(f"loss {self.loss[:40]!r} is not a name")

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.epochs * self.steps_per_epoch

    @property
    def out_channels(self) -> int:
        """Channels of the logits, background included."""
        return len(self.labels) + 1

    @property
    def is_of_planes(self) -> bool:
        """Whether the network sees one plane at a time."""
        return self.patch_size[2] == 1

    def card(self) -> NetworkCard:
        """Return the card of the network to be: what is not known yet is left blank.

        Whoever has trained it fills in ID, title, task, license, scores and hash with
        `dataclasses.replace`; the rest makes `segment` prepare volumes as the training did.
        """
        return NetworkCard(
            id="untrained",
            title="Untrained network",
            task="Not trained yet.",
            modality=self.modality,
            labels=self.labels,
            spacing_mm=self.spacing_mm,
            orientation=self.orientation,
            size=None,
            divisible_by=1,
            intensity=self.intensity,
            channels=self.channels,
            patch_size=self.patch_size,
            overlap=self.overlap,
            one_body=False,
            output="softmax",
            license=License("unstated", "", "unstated"),
            source="",
            paper="",
            sha256="0" * 64,
            size_bytes=0,
            address="",
            file="",
            converted_from="",
            architecture=self.architecture,
            gates=(),
            limits=(),
            notes=(),
            conventions=self.conventions,
        )

    def input_rules(self) -> InputRules:
        """Return how a volume is prepared, the same for training and for segmenting."""
        return recipe_of(self.card()).rules
