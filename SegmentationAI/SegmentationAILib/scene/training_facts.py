"""What passes between the scene and the step *Train*: what is asked for, and how it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import slicer

from .panel_facts import Table
from .translation import tr as _

State = Literal["idle", "working", "planned", "training", "paused", "stopping", "finished"]
Mark = Literal["not checked", "good", "notice", "left out", "bad"]
Point = tuple[float, float]


@dataclass(frozen=True, eq=False)
class SceneCase:
    """A scan with a segmentation of it.

    Attributes:
        id: Names its files once it is collected.
        title: For the person.
        volume: The scan.
        node: The segmentation.
    """

    id: str
    title: str
    volume: slicer.vtkMRMLScalarVolumeNode
    node: slicer.vtkMRMLSegmentationNode


@dataclass(frozen=True)
class BaseFacts:
    """What a training can start from: an installed network, or an architecture with random weights.

    Attributes:
        base: ID of the network, empty for none.
        architecture: Name, empty for the plan's own choice.
        title: For the person.
        tip: What stands behind it.
    """

    base: str
    architecture: str
    title: str
    tip: str


@dataclass(frozen=True, eq=False)
class TrainingAsked:
    """What the person wants to be learned, and from what.

    Attributes:
        name: Of the new network.
        folder: Data set on the disk; None takes the cases of the scene.
        cases: Cases of the scene; empty with a folder.
        left_out: IDs of cases of the folder that are not wanted.
        kind: What the scans of the scene are, such as ``MR``.
        start: What it starts from.
        freeze: ``none``, ``encoder`` or ``all-but-last``.
        minutes: Length by the clock, None for the plan's own.
    """

    name: str
    folder: Path | None
    cases: tuple[SceneCase, ...]
    left_out: tuple[str, ...]
    kind: str
    start: BaseFacts
    freeze: str
    minutes: float | None

    def values(self, *, resume: bool = False) -> dict[str, Any]:
        """Return what the worker is told."""
        return {
            "data": "" if self.folder is None else str(self.folder.absolute()),
            "base": self.start.base,
            "architecture": self.start.architecture,
            "freeze": self.freeze if self.start.base else "none",
            "minutes": self.minutes,
            "left_out": list(self.left_out),
            "resume": resume,
        }


@dataclass(frozen=True)
class CaseFound:
    """What the checks say of one case.

    Attributes:
        id: Of the case.
        mark: ``bad`` stops the training, ``left out`` costs this case, ``notice`` nothing.
        sentence: Of the worst finding, empty when all is good.
        has_picture: Whether it can be shown.
    """

    id: str
    mark: Mark
    sentence: str
    has_picture: bool


@dataclass(frozen=True)
class Curves:
    """A training as far as it has come.

    Attributes:
        losses: Step and loss.
        dice: Step and mean Dice on the cases that are held out.
        steps: Planned, 0 when the clock ends it.
        best: Highest Dice so far, None before there is one.
        structures: Names and their last Dice.
    """

    losses: tuple[Point, ...] = ()
    dice: tuple[Point, ...] = ()
    steps: int = 0
    best: float | None = None
    structures: tuple[tuple[str, float | None], ...] = ()


@dataclass(frozen=True)
class Trained:
    """A network that has been trained.

    Attributes:
        id: Its name.
        card: What it was made of and how well it does, sentences.
        verdict: Beside the network that it started from.
        table: Dice of both on each case that was held out.
        base: ID of the network that it started from, empty for none.
        can_replace: Whether it can take its place.
    """

    id: str
    card: str
    verdict: str
    table: Table
    base: str
    can_replace: bool

    @property
    def words(self) -> str:
        """All of it in one paragraph."""
        return f"{self.id}: {self.verdict} {self.card}"


@dataclass(frozen=True)
class TrainingFacts:
    """How a training stands.

    Attributes:
        state: What is going on.
        sentence: For the person.
        fraction: Done so far, 0 to 1.
        seconds_left: Expected, None when unknown.
        cases: What was found in them.
        plan: In words, empty before there is one.
        can_resume: Whether a training of that name was begun and can go on.
        curves: So far.
        sample: The last picture of what it finds, a PNG file; empty before there is one.
        sample_case: Which case it shows.
        trained: What came out, None before the end.
        can_go_back: ID of a network whose earlier version can come back, empty for none.
    """

    state: State = "idle"
    sentence: str = ""
    fraction: float = 0.0
    seconds_left: float | None = None
    cases: tuple[CaseFound, ...] = ()
    plan: str = ""
    can_resume: bool = False
    curves: Curves = field(default_factory=Curves)
    sample: bytes = b""
    sample_case: str = ""
    trained: Trained | None = None
    can_go_back: str = ""

    @property
    def is_busy(self) -> bool:
        """Whether something goes on that must not be disturbed."""
        return self.state in ("working", "training", "paused", "stopping")


_MARKS: Mapping[str, Mark] = {"refuse": "bad", "leave-out": "left out", "notice": "notice"}


def case_found(row: Mapping[str, Any]) -> CaseFound:
    """Return what the worker says of a case; the worst finding counts."""
    findings = {str(one["severity"]): str(one["sentence"]) for one in reversed(row["findings"])}
    for severity, mark in _MARKS.items():
        if severity in findings:
            has_picture = bool(row["has_picture"])
            return CaseFound(str(row["id"]), mark, findings[severity], has_picture)
    return CaseFound(str(row["id"]), "good", "", bool(row["has_picture"]))


def curves_of(facts: Mapping[str, Any]) -> Curves:
    """Return the curves that come with the progress of a training."""
    losses, dice = (
        tuple((float(x), float(y)) for x, y in facts.get(name, ())) for name in ("losses", "dice")
    )
    structures = tuple((str(name), score) for name, score in facts.get("structures", ()))
    return Curves(losses, dice, int(facts.get("steps", 0)), facts.get("best"), structures)


def trained_of(row: Mapping[str, Any]) -> Trained:
    """Return what the worker says of a trained network."""
    base = str(row["base"])
    minutes = float(row["seconds"]) / 60
    words = _(
        "Learned from {cases} cases, {held} held out, in {steps} steps and {minutes:.1f} min."
    )
    card = [
        words.format(cases=row["cases"], held=row["hold_out"], steps=row["steps"], minutes=minutes)
    ]
    scores = [f"{name} {_number(dice)}" for name, dice in row["structures"][:12]]
    if scores and row["hold_out"]:
        card.append(_("Dice on its own grid: {scores}.").format(scores=", ".join(scores)))
    card += [str(one) for one in row["limits"]]
    rows = [(str(name), _number(old), _number(new)) for name, old, new in row["compared"]]
    if rows:
        rows.append((_("Mean"), _number(row["base_mean"]), _number(row["trained_mean"])))
    table = Table((_("Case"), base, str(row["id"])), tuple(rows))
    if not base:
        table = Table((_("Case"), str(row["id"])), tuple((name, new) for name, _old, new in rows))
    return Trained(
        str(row["id"]), " ".join(card), str(row["verdict"]), table, base, bool(row["can_replace"])
    )


def _number(dice: float | None) -> str:
    return "–" if dice is None else f"{dice:.3f}"
