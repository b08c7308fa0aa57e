"""How a network was trained, as its card tells it."""

from dataclasses import asdict, dataclass
from typing import Any

from ..core.shown_text import shown_text


@dataclass(frozen=True)
class Parent:
    """A network whose weights the training started from."""

    id: str
    sha256: str


@dataclass(frozen=True)
class LabelScore:
    """Mean Dice of one label on the hold-out, None where it occurred in no case."""

    label: str
    dice: float | None


@dataclass(frozen=True)
class TrainingRecord:
    """What a training was made of, and what came out.

    Attributes:
        cases: How many were learned from.
        cases_sha256: One hash of their voxels and labels as they were prepared.
        hold_out: How many were held out.
        hold_out_sha256: The same of those.
        loss: Name of the loss.
        freeze: What stayed as it was.
        learning_rate: Highest.
        batch_size: Patches per step.
        steps: That were taken.
        best_epoch: Whose weights these are, 0 without a hold-out.
        seed: Of everything random.
        precision: Of the forward pass in training.
        seconds: Trained.
        mean_dice: On the hold-out, None without one.
        scores: Of each label.
        parents: Networks it comes from, the nearest first.
    """

    cases: int
    cases_sha256: str
    hold_out: int
    hold_out_sha256: str
    loss: str
    freeze: str
    learning_rate: float
    batch_size: int
    steps: int
    best_epoch: int
    seed: int
    precision: str
    seconds: float
    mean_dice: float | None
    scores: tuple[LabelScore, ...]
    parents: tuple[Parent, ...] = ()


def record_from_json(found: dict[str, Any]) -> TrainingRecord:
    """Return the record that a card's JSON holds; its schema was checked."""
    scores = tuple(LabelScore(shown_text(row["label"]), row["dice"]) for row in found["scores"])
    parents = tuple(Parent(**row) for row in found["parents"])
    return TrainingRecord(**{**found, "scores": scores, "parents": parents})


def record_to_json(record: TrainingRecord) -> dict[str, Any]:
    """Return the JSON object from which `record_from_json` makes an equal record."""
    facts = asdict(record)
    return {**facts, "scores": list(facts["scores"]), "parents": list(facts["parents"])}
