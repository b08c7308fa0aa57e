"""Which segment each label of a result goes to, decided before anything is changed."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

import slicer

from ..core.labelmap import Label
from ..core.segment_tags import segment_ids
from .prepared_result import PreparedResult
from .segment_metadata import label_value_of
from .segment_protection import holds_work, is_locked
from .segments_in_box import all_segments

# new: a segmentation of its own. merge: added to the segments of the same names that programs have
# made. replace: in the place of the segments of the same names, corrected ones included.
Rule = Literal["new", "merge", "replace"]


@dataclass(frozen=True)
class Placing:
    """Where one label goes.

    Attributes:
        index: Of the label in the result.
        label: As the segment shall be: its ID, name and value are those it has in the target.
        is_new: Whether the segment is to be added.
        is_alternative: Whether the segment stands beside one of the same structure that must not be
            changed; it then overlaps what is there and takes nothing away.
    """

    index: int
    label: Label
    is_new: bool
    is_alternative: bool = False


@dataclass(frozen=True)
class Plan:
    """What a commit will do.

    Attributes:
        placings: One for each label that goes anywhere.
        protected: IDs of the segments that nothing may be taken from.
        notes: Sentences about results that were put elsewhere, or nowhere.
    """

    placings: tuple[Placing, ...]
    protected: frozenset[str]
    notes: tuple[str, ...]


def plan_of_commit(
    result: PreparedResult, segmentation: slicer.vtkSegmentation, rule: Rule
) -> Plan:
    """Return where the labels go; nothing is changed.

    Args:
        result: The network's answer.
        segmentation: The target, which may be empty.
        rule: Decides which segments a person's work protects. Locked ones are always protected.
    """
    identifiers = all_segments(segmentation)
    segments = {identifier: segmentation.GetSegment(identifier) for identifier in identifiers}
    protected = frozenset(
        identifier
        for identifier, segment in segments.items()
        if is_locked(segment) or (rule != "replace" and holds_work(segment))
    )
    names = {identifier: segment.GetName() or "" for identifier, segment in segments.items()}
    taken_values = {label_value_of(segment) for segment in segments.values()}
    labels = result.labelmap.labels
    structures = {label.name.casefold() for label in labels}
    unmatched = dict(names)
    placings: list[Placing] = []
    notes: list[str] = []
    for index, (label, wanted_id) in enumerate(zip(labels, segment_ids(labels), strict=True)):
        same = _segments_of(label.name, unmatched, structures)
        kept = [segments[identifier] for identifier in same if identifier in protected]
        free = [identifier for identifier in same if identifier not in protected]
        if free:
            unmatched.pop(free[0])
            value = label_value_of(segments[free[0]])
            own = replace(label, segment_id=free[0], name=names[free[0]], value=value)
            placings.append(Placing(index, own, is_new=False, is_alternative=bool(kept)))
            continue
        if kept and result.boxes[index].is_empty:
            notes.append(f"'{label.name}' was not found; the segment of that name was kept.")
            continue
        own = _unique(label, wanted_id, names, taken_values)
        names[own.segment_id] = own.name
        taken_values.add(own.value)
        if kept:
            why = "locked" if is_locked(kept[0]) else "a person's work"
            notes.append(
                f"'{kept[0].GetName()}' is {why} and was kept; the result is '{own.name}' beside "
                "it."
            )
        placings.append(Placing(index, own, is_new=True, is_alternative=bool(kept)))
    return Plan(tuple(placings), protected, tuple(notes))


def _segments_of(structure: str, names: dict[str, str], structures: Collection[str]) -> list[str]:
    """Return the IDs of the segments of a structure, its alternatives "x (2)" last.

    Args:
        structure: Name of a label.
        names: Name of each segment that no other label has been given to.
        structures: Names of all labels of the result, in lower case: they are no alternatives.
    """
    wanted = structure.casefold()
    exact = [identifier for identifier, name in names.items() if name.casefold() == wanted]
    alternatives = [
        identifier
        for identifier, name in names.items()
        if name.casefold() not in structures
        and re.sub(r" \([2-9]\d*\)$", "", name).casefold() == wanted
    ]
    return exact + alternatives


def _unique(
    label: Label, wanted_id: str, names: dict[str, str], taken_values: Collection[int]
) -> Label:
    """Return the label with an ID, a name and a value that no segment of the target has."""
    name, number = label.name, 1
    while name.casefold() in {other.casefold() for other in names.values()}:
        number += 1
        name = f"{label.name} ({number})"
    identifier, number = wanted_id, 1
    while identifier in names:
        number += 1
        identifier = f"{wanted_id}_{number}"
    value = label.value
    while value in taken_values:
        value += 1
    return replace(label, name=name, segment_id=identifier, value=value)
