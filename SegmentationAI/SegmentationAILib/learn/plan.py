"""What a training will do, decided before it begins: grid, network, patches, steps, rate.

A plan is data: it is written beside the network it leads to, and whoever has it and the cases can
repeat the training.
"""

import json
import math
import re
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from ..core.errors import SegmentationAIError
from ..core.labelmap import Label
from ..core.preprocess import InputRules
from ..networks.card import Architecture, Channel, Conventions, Intensity, License, NetworkCard
from ..networks.card_reader import card_from_json, card_to_json
from ..networks.segmenter import recipe_of
from ..networks.strict_json import json_from_bytes
from .plan_words import ExpectedCost, words_of_plan
from .training_case import MOST_LABELS

Precision = Literal["fp32", "bf16"]
OptimizerName = Literal["adamw", "orthogonal"]
OPTIMIZERS: Final = ("adamw", "orthogonal")
MAX_PLAN_BYTES: Final = 1 << 20
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
# The part of a card that a plan decides; what the card says besides comes with the weights.
_CARD_PART: Final = (
    "modality", "labels", "spacing_mm", "orientation", "intensity", "channels", "patch_size",
    "overlap", "architecture", "conventions",
)  # fmt: skip
_NUMBERS: Final = {
    "batch_size": int,
    "epochs": int,
    "steps_per_epoch": int,
    "learning_rate": float,
    "optimizer": str,
    "loss": str,
    "foreground_fraction": float,
    "mirror_axes": list,
    "precision": str,
    "seed": int,
    "validation_fraction": float,
    "patience": int,
    "notes": list,
}


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

    def words(self) -> str:
        """Return the plan in a paragraph for the person who is about to start it."""
        return words_of_plan(self)


def plan_to_json(plan: TrainingPlan) -> dict[str, Any]:
    """Return the JSON object from which `plan_from_json` makes an equal plan."""
    card = card_to_json(plan.card())
    numbers = {name: getattr(plan, name) for name in _NUMBERS}
    return {
        "version": 1,
        "network": {name: card[name] for name in _CARD_PART if name in card},
        **{name: list(v) if isinstance(v, tuple) else v for name, v in numbers.items()},
        "expected": plan.expected and vars(plan.expected),
    }


def plan_from_json(found: Any, source: str = "The plan") -> TrainingPlan:
    """Return the plan that a JSON object describes; nothing it says is executed.

    Args:
        found: As `plan_to_json` gives it.
        source: Name of the file, for messages.

    Raises:
        SegmentationAIError: A key is missing, unknown, of another type or out of its range.
    """
    names = {"version", "network", "expected", *_NUMBERS}
    if isinstance(found, dict):
        # Plans of before there was a choice.
        found = {"optimizer": "adamw", **found}
    if not isinstance(found, dict) or set(found) != names or found["version"] != 1:
        raise SegmentationAIError(
            f"{source} is not a training plan of version 1, which has exactly the keys "
            f"{', '.join(sorted(names))}; let the program make a new one."
        )
    card = _card_of(found["network"], source)
    numbers = {name: _typed(found[name], kind, name, source) for name, kind in _NUMBERS.items()}
    try:
        return TrainingPlan(
            architecture=card.architecture,
            labels=card.labels,
            channels=card.channels,
            modality=card.modality,
            orientation=_given(card.orientation),
            spacing_mm=_given(card.spacing_mm),
            intensity=card.intensity,
            patch_size=_given(card.patch_size),
            overlap=card.overlap,
            conventions=card.conventions,
            expected=_expected(found["expected"], source),
            **numbers,
        )
    except ValueError as error:
        raise SegmentationAIError(f"{source} cannot be trained: {error}; correct it.") from error


def plan_from_bytes(data: bytes, source: str = "The plan") -> TrainingPlan:
    """Return the plan that UTF-8 JSON describes; see `plan_from_json`.

    Raises:
        SegmentationAIError: It is no JSON, or no plan.
    """
    return plan_from_json(json_from_bytes(data, source, MAX_PLAN_BYTES), source)


def plan_to_bytes(plan: TrainingPlan) -> bytes:
    """Return the plan as UTF-8 JSON; equal plans give equal bytes."""
    text = json.dumps(plan_to_json(plan), indent=1, ensure_ascii=False)
    return f"{text}\n".encode()


def with_cost(plan: TrainingPlan, expected: ExpectedCost) -> TrainingPlan:
    """Return the same plan with what it is expected to cost."""
    return replace(plan, expected=expected)


def _card_of(part: Any, source: str) -> NetworkCard:
    """Read the network's part by the rules of a card, the blanks filled in."""
    if not isinstance(part, dict) or not set(part) <= set(_CARD_PART):
        raise SegmentationAIError(
            f"{source} describes its network by other keys than {', '.join(_CARD_PART)}; let the "
            "program make a new one."
        )
    blank = {
        "id": "untrained", "title": "Untrained network", "task": "Not trained yet.",
        "output": "softmax", "license": {"id": "unstated", "text": "", "use": "unstated"},
        "source": "", "paper": "", "sha256": "0" * 64, "gates": [], "limits": [], "notes": [],
    }  # fmt: skip
    return card_from_json({**blank, **part}, source)


def _typed(value: Any, kind: type, name: str, source: str) -> Any:
    """Return a value of the wanted type; lists become tuples of whole numbers or sentences."""
    if kind is float and type(value) is int:
        value = float(value)
    inner = str if name == "notes" else int
    fits = type(value) is kind and not (isinstance(value, float) and not math.isfinite(value))
    if not fits or (kind is list and any(type(one) is not inner for one in value)):
        raise SegmentationAIError(
            f"{source} has {str(value)[:60]!r} for {name}, where {kind.__name__} was expected; "
            "correct it."
        )
    return tuple(value) if kind is list else value


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("orientation, spacing and patch size have to be given")
    return value


def _expected(found: Any, source: str) -> ExpectedCost | None:
    if found is None:
        return None
    kinds = {"seconds": float, "memory_mib": float, "weights": int, "basis": str}
    if not isinstance(found, dict) or set(found) != set(kinds):
        raise SegmentationAIError(f"{source} tells its cost by other keys than {list(kinds)}.")
    return ExpectedCost(**{k: _typed(found[k], kind, k, source) for k, kind in kinds.items()})
