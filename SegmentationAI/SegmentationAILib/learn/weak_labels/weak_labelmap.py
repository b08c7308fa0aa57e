"""Weak labels as a labelmap that says what it is: origin ``weak``, method, options, time spent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from ...core.labelmap import Label, Labelmap, Provenance
from ...core.one_layer import default_label
from ...core.volume import Grid
from .weak_answer import Setting, WeakAnswer

METHOD_TAG: Final = "SegmentationAI.WeakMethod"
OPTIONS_TAG: Final = "SegmentationAI.WeakOptions"
SECONDS_TAG: Final = "SegmentationAI.WeakSeconds"


@dataclass(frozen=True)
class Making:
    """How weak labels came to be.

    Attributes:
        method: Such as ``kmeans``.
        settings: Every option as it was used.
        seconds: Time the method took on this case.
        network: ID of the network, where one made them.
        weights_sha256: Of its weights.
    """

    method: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    seconds: float = 0.0
    network: str = ""
    weights_sha256: str = ""


def weak_labelmap(answer: WeakAnswer, grid: Grid) -> Labelmap:
    """Return an answer on its volume's grid, each label with a color of its own."""
    rows = tuple(
        replace(default_label(value), name=name) for value, name in enumerate(answer.names, start=1)
    )
    return Labelmap((answer.labels,), rows, grid.affine, answer.notes)


def signed(labelmap: Labelmap, making: Making) -> Labelmap:
    """Return the labelmap with origin ``weak`` and its making in every row, in all formats."""
    provenance = Provenance(
        origin="weak",
        network=making.network,
        weights_sha256=making.weights_sha256,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    made = {
        METHOD_TAG: making.method,
        OPTIONS_TAG: json.dumps(dict(making.settings), sort_keys=True),
        SECONDS_TAG: f"{making.seconds:.3f}",
    }

    def of(label: Label) -> Label:
        others = tuple((key, value) for key, value in label.tags if key not in made)
        return replace(label, provenance=provenance, tags=(*others, *made.items()))

    return labelmap.with_names([of(label) for label in labelmap.labels])
