"""The networks of TotalSegmentator: results of nnU-Net, with its names, values and codes.

Wasserthal et al., "TotalSegmentator: Robust Segmentation of 104 Anatomic Structures in CT Images",
Radiology: Artificial Intelligence 5(5), 2023, doi:10.1148/ryai.230024. Its tasks are made of one or
several networks; ``total`` has five, each with structures of its own. The values of a part's labels
become those of the whole task, so that labels of several parts can stand beside one another.
"""

import functools
import json
import re
from dataclasses import dataclass, replace
from typing import Any, Final

from ...core.labelmap import Label
from ...core.terminology import Code, Terminology
from ...resources import resource
from ..card import NetworkCard

CLASSES: Final = "totalsegmentator-classes.json"
PAPER: Final = "10.1148/ryai.230024"
SOURCE: Final = "https://github.com/wasserth/TotalSegmentator"
NAME: Final = re.compile(r"Dataset([0-9]{3})_TotalSegmentator.*")
# Its volumes are turned to RAS before nnU-Net reads them.
CANONICAL: Final = "RAS"
RESAMPLING_NOTE: Final = (
    "TotalSegmentator resamples to this spacing by a zoom of its own before nnU-Net sees the "
    "volume, and takes labels back by the nearest voxel; here nnU-Net's resampling does both, so "
    "that labels can differ at the borders of structures."
)


@dataclass(frozen=True)
class Task:
    """Structures of one task: the value of each by its name."""

    name: str
    values: dict[str, int]


def with_classes(card: NetworkCard, dataset: str) -> NetworkCard:
    """Return the card with TotalSegmentator's values, colors and codes, if it is one of its parts.

    Args:
        card: As the plans and the dataset say.
        dataset: Name of the dataset, such as ``Dataset291_TotalSegmentator_part1_organs_1559subj``.

    Returns:
        The card as it was where the dataset is none of those that are known, or has structures
        that its task has not.
    """
    task = task_of(dataset)
    if task is None or any(label.name not in task.values for label in card.labels):
        return card
    stored = "".join(CANONICAL[axis] for axis in card.axes)
    return replace(
        card,
        title=f"TotalSegmentator {task.name}: {dataset.removeprefix('Dataset')}"[:200],
        labels=tuple(_labeled(label, task.values[label.name]) for label in card.labels),
        orientation=card.orientation or stored,
        axes=(0, 1, 2),
        source=SOURCE,
        paper=PAPER,
        notes=(*card.notes, RESAMPLING_NOTE),
    )


def task_of(dataset: str) -> Task | None:
    """Return the task that a dataset is a part of, None when it is none that is known."""
    found = NAME.fullmatch(dataset)
    number = int(found.group(1)) if found else -1
    tasks: dict[str, dict[str, Any]] = _classes()["tasks"]
    for name, task in tasks.items():
        if number in task["datasets"]:
            return Task(name, task["values"])
    return None


def _labeled(label: Label, value: int) -> Label:
    known = _classes()["structures"].get(label.name, {})
    color = known.get("color")
    return replace(
        label,
        value=value,
        color=label.color if color is None else tuple(level / 255 for level in color),
        terminology=_terminology(known.get("terminology")),
    )


def _terminology(codes: dict[str, dict[str, str]] | None) -> Terminology | None:
    if codes is None:
        return None
    parts: dict[str, Any] = {part: Code(**code) for part, code in codes.items()}
    return Terminology(**parts)


@functools.cache
def _classes() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(resource(CLASSES).read_text(encoding="utf-8"))
    return found
