"""Labelmaps: integers on a grid with a label table; several layers where segments overlap.

Channel of a network, label value in an array and segment ID in Slicer are three different things.
`labels_from_channels` is the one place where a channel becomes a label value;
`scene.segmentation_node` is the one place where a label value becomes a segment ID.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import GeometryError
from .terminology import Terminology
from .volume import Affine, Grid

LabelArray = NDArray[np.integer[Any]]
Origin = Literal["drawn", "weak", "predicted", "corrected", "accepted"]
Status = Literal["not started", "in progress", "completed", "flagged"]


@dataclass(frozen=True)
class Provenance:
    """How a segment came to be.

    Attributes:
        origin: Drawn by hand, weak, predicted, corrected or accepted.
        network: ID of the network, empty when none was used.
        weights_sha256: Hash of its weights.
        iteration: Relabelling iteration, 0 outside a loop.
        time: ISO 8601 in UTC, empty when unknown.
    """

    origin: Origin = "drawn"
    network: str = ""
    weights_sha256: str = ""
    iteration: int = 0
    time: str = ""


@dataclass(frozen=True)
class Label:
    """One row of the label table.

    Attributes:
        value: Label value in its layer's array, 1 or more.
        name: Shown to the person.
        color: RGB, each 0 to 1.
        terminology: Coded meaning, None when unknown.
        layer: Index into `Labelmap.layers`.
        segment_id: ID in Slicer; empty until a segmentation owns the label.
        status: Slicer's segment status.
        provenance: How it came to be, None when unknown.
        tags: Other key-value pairs of a ``.seg.nrrd`` segment, kept as they were.
    """

    value: int
    name: str
    color: tuple[float, float, float] = (0.5, 0.5, 0.5)
    terminology: Terminology | None = None
    layer: int = 0
    segment_id: str = ""
    status: Status = "not started"
    provenance: Provenance | None = None
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Labelmap:
    """Integers with an affine and a label table.

    Attributes:
        layers: One or more integer arrays ``(I, J, K)``; within a layer labels cannot overlap.
        labels: The table; a value may occur once per layer, 0 is background and has no row.
        affine: Voxel centres (i, j, k) to RAS mm, float64 ``(4, 4)``.
        notes: Sentences about what was mended while reading.

    Raises:
        GeometryError: No layer, layers of differing shape, or a label outside the layers.
        ValueError: A layer is not of integers, or two labels share value and layer.
    """

    layers: tuple[LabelArray, ...]
    labels: tuple[Label, ...]
    affine: Affine
    notes: tuple[str, ...] = ()
    grid: Grid = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shapes = {layer.shape for layer in self.layers}
        if len(shapes) != 1 or len(next(iter(shapes))) != 3:
            raise GeometryError(
                f"Layers of shapes {sorted(shapes)} do not make a labelmap; (i, j, k) is needed."
            )
        if any(layer.dtype.kind not in "iu" for layer in self.layers):
            raise ValueError("layers of a labelmap are integer arrays")
        keys = [(label.layer, label.value) for label in self.labels]
        if len(set(keys)) != len(keys):
            raise ValueError("two labels share value and layer")
        if any(not 0 <= layer < len(self.layers) or value < 1 for layer, value in keys):
            raise GeometryError("A label names a layer that is not there, or a value below 1.")
        object.__setattr__(self, "grid", Grid(next(iter(shapes)), self.affine))
        object.__setattr__(self, "affine", self.grid.affine)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along each axis, mm."""
        return self.grid.spacing

    def mask(self, label: Label) -> NDArray[np.bool_]:
        """Return where ``label`` is, a bool array ``(I, J, K)``."""
        mask: NDArray[np.bool_] = np.equal(self.layers[label.layer], label.value)
        return mask

    def with_names(self, labels: Sequence[Label]) -> "Labelmap":
        """Return the same voxels with another label table."""
        return replace(self, labels=tuple(labels))


def smallest_label_dtype(highest_value: int) -> np.dtype[Any]:
    """Return the smallest of uint8, uint16 and uint32 that holds ``highest_value``.

    A label of 300 in 8 bits would silently become 44; hence the choice is made here, always.

    Raises:
        ValueError: The value is negative or passes 32 bits.
    """
    for dtype in (np.uint8, np.uint16, np.uint32):
        if 0 <= highest_value <= np.iinfo(dtype).max:
            return np.dtype(dtype)
    raise ValueError(f"label value {highest_value} does not fit 32 bits")


def labels_from_channels(
    channels: LabelArray, values: Sequence[int]
) -> NDArray[np.unsignedinteger[Any]]:
    """Return label values ``(I, J, K)`` for channel indices ``(I, J, K)``.

    Args:
        channels: Index of the winning channel per voxel; not changed.
        values: Label value of each channel, background (0) included.
    """
    table: NDArray[Any] = np.asarray(values, dtype=smallest_label_dtype(max(values, default=0)))
    values_of_voxels: NDArray[np.unsignedinteger[Any]] = table[channels]
    return values_of_voxels
