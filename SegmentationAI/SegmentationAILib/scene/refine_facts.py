"""Facts of a correction that pass between the scene and who shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import slicer

from ..core.prompts import BoxPrompt, LassoPrompt, PointPrompt, PointRas, Prompt
from .translation import tr as _

_AXIS_NAMES: Final = ("i", "j", "k")


@dataclass(frozen=True, eq=False)
class CorrectionAsked:
    """What is corrected, and how.

    Attributes:
        volume: The scan.
        node: Segmentation of the segment.
        segment_id: The segment.
        engine: ``geodesic``, ``click``, ``auto`` or ``adapt``.
        network: ID of the network of the engine, empty for the engine's own.
        mode: ``add and remove``, ``add only`` or ``remove only``.
        run_mode: ``live``, ``on release`` or ``on apply``.
        settings: Segment Editor node whose editable area and overwriting count; None for Slicer's
            defaults.
    """

    volume: slicer.vtkMRMLScalarVolumeNode
    node: slicer.vtkMRMLSegmentationNode
    segment_id: str
    engine: str = "geodesic"
    network: str = ""
    mode: str = "add and remove"
    run_mode: str = "on release"
    settings: slicer.vtkMRMLSegmentEditorNode | None = None


@dataclass(frozen=True)
class DoubtfulPlace:
    """Where to look next.

    Attributes:
        place: RAS mm.
        text: What is doubtful there, for a list.
    """

    place: PointRas
    text: str


@dataclass(frozen=True)
class CorrectionFacts:
    """How a correction stands.

    Attributes:
        is_open: Whether prompts are taken.
        is_busy: Whether the worker is being waited for.
        prompts: Those that count, in words, in order.
        waiting: How many wait for *Apply*.
        can_undo: Whether there is a step to undo.
        can_redo: Whether there is one to do again.
        has_change: Whether *Accept* would change the segment.
        sentence: What was done last, or why it was not.
        score: Expected Dice of what is shown, 0 to 1; None while unknown.
        slices: Doubtful slices, worst first.
        proposed: What is proposed for the doubtful place that is shown, None without one.
        adapts: Whether a network is adapted to the scan, which can be kept.
    """

    is_open: bool = False
    is_busy: bool = False
    prompts: tuple[str, ...] = ()
    waiting: int = 0
    can_undo: bool = False
    can_redo: bool = False
    has_change: bool = False
    sentence: str = ""
    score: float | None = None
    slices: tuple[DoubtfulPlace, ...] = ()
    proposed: PointPrompt | None = None
    adapts: bool = False


def prompt_in_words(prompt: Prompt) -> str:
    """Return one line for a list.

    Examples:
        >>> prompt_in_words(PointPrompt((12.3, -7.0, 20.0), positive=False))
        'Removes: click at R 12, P 7, S 20 mm'
    """
    if isinstance(prompt, PointPrompt):
        kind, place = _("click"), prompt.position_ras
    elif isinstance(prompt, BoxPrompt):
        kind, place = _("box"), prompt.corners_ras[0]
    else:
        kind = _("lasso") if isinstance(prompt, LassoPrompt) else _("scribble")
        place = prompt.points_ras[0]
    words = _("Adds: {kind} at {place}") if prompt.positive else _("Removes: {kind} at {place}")
    return words.format(kind=kind, place=place_in_words(place))


def place_in_words(place: PointRas) -> str:
    """Return a place as a radiologist writes it: sides of the patient and whole millimeters."""
    sides = (("L", "R"), ("P", "A"), ("I", "S"))
    parts = [f"{s[n >= 0]} {abs(n):.0f}" for s, n in zip(sides, place, strict=True)]
    return f"{', '.join(parts)} mm"


def removed_in_words(name: str) -> str:
    """Return why a correction ended whose scan or segmentation is gone."""
    said = _("'{name}' was removed while it was corrected; nothing was written.")
    return said.format(name=name)


def kept_in_words(facts: Mapping[str, Any]) -> str:
    """Return what a worker's answer says about the network that was kept."""
    said = _("The adapted network is kept as '{id}' and listed among the installed ones.")
    return said.format(id=facts.get("id"))


def doubts_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return score and doubtful slices of a worker's answer as fields of `CorrectionFacts`."""
    slices = tuple(
        DoubtfulPlace(
            tuple(one["place"]),
            _("Slice {index} along {axis}: {area:.0f} mm² in doubt").format(
                index=one["index"], axis=_AXIS_NAMES[one["axis"]], area=one["doubtful_mm2"]
            ),
        )
        for one in facts.get("slices", ())
    )
    return {"score": facts.get("score"), "slices": slices}
