"""Volumes, label tables and results of a segmentation, as headers and arrays of frames."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from ..core.errors import GeometryError
from ..core.labelmap import Label, Labelmap
from ..core.segment_tags import fields_of_tags, tags_of_label
from ..core.volume import Affine, Volume
from .frame import Array, Frame
from .protocol import MOST_LAYERS, WorkerError

MOST_LABELS: Final = 65535
LONGEST_NAME: Final = 20_000
FIRST: Final = "volume"
OTHER: Final = "channel "
LAYER: Final = "layer "
UNCERTAINTY: Final = "uncertainty"
FILE: Final = "file"


@dataclass(frozen=True, eq=False)
class SegmentResult:
    """What a segmentation brought.

    Attributes:
        labelmap: On the grid of the volume; its notes are those of the report.
        uncertainty: Normalized entropy 0 to 1 on the same grid, None unless asked for.
        report: As the public contract names its facts.
    """

    labelmap: Labelmap
    uncertainty: Volume | None
    report: dict[str, Any]


def frame_of_volumes(
    header: Mapping[str, Any], volume: Volume, others: Mapping[str, Volume]
) -> Frame:
    """Return a frame that carries a volume and further channels by role."""
    everything = {FIRST: volume, **{OTHER + role: other for role, other in others.items()}}
    places = {
        name: {"affine": one.affine.tolist(), "notes": list(one.notes)}
        for name, one in everything.items()
    }
    arrays: dict[str, Array] = {name: one.voxels for name, one in everything.items()}
    return Frame({**header, "volumes": places}, arrays)


def volumes_of_frame(frame: Frame) -> tuple[Volume, dict[str, Volume]]:
    """Return the volume of a frame and the further channels by role.

    Raises:
        WorkerError: The frame holds no volume, or things that are none.
        GeometryError: A volume is placed where no scan is.
    """
    places = frame.header.get("volumes")
    if not isinstance(places, dict) or set(places) != set(frame.arrays) or FIRST not in places:
        raise WorkerError("The call brings no volume, or arrays that belong to none.")
    volumes = {}
    for name, place in places.items():
        if not isinstance(place, dict):
            raise WorkerError("The call places a volume nowhere.")
        notes = tuple(str(note) for note in place.get("notes", ()))
        volumes[name] = Volume(frame.arrays[name], _affine(place.get("affine")), notes)
    others = {name.removeprefix(OTHER): one for name, one in volumes.items() if name != FIRST}
    return volumes[FIRST], others


def frame_of_result(result: SegmentResult) -> Frame:
    """Return a frame that carries the result of a segmentation."""
    frame = frame_of_labelmap({"report": result.report}, result.labelmap)
    if result.uncertainty is None:
        return frame
    return Frame(frame.header, {**frame.arrays, UNCERTAINTY: result.uncertainty.voxels})


def frame_of_labelmap(header: Mapping[str, Any], labelmap: Labelmap) -> Frame:
    """Return a frame that carries a labelmap beside what ``header`` says."""
    arrays: dict[str, Array] = {f"{LAYER}{n}": layer for n, layer in enumerate(labelmap.layers)}
    table = {
        "layers": len(labelmap.layers),
        "labels": [row_of_label(label) for label in labelmap.labels],
        "notes": list(labelmap.notes),
        "affine": labelmap.affine.tolist(),
    }
    return Frame({**header, **table}, arrays)


def labelmap_of_frame(frame: Frame) -> Labelmap:
    """Return the labelmap that a frame carries; its layers are views of the frame's bytes.

    Raises:
        WorkerError: The frame carries none.
    """
    try:
        return _labelmap(frame, _affine(frame.header.get("affine")))
    except (KeyError, TypeError, ValueError, GeometryError) as error:
        raise WorkerError(f"The call brings no labels: {error}.") from error


def result_of_frame(frame: Frame, volume: Volume) -> SegmentResult:
    """Return the result that a frame carries, on the grid of the volume that was sent.

    Args:
        frame: From the worker; its arrays are copied, so that its bytes can go.
        volume: What was sent; what comes back must have its shape, voxel for voxel.

    Raises:
        WorkerError: The frame is not a result, or one of another shape.
    """
    header, shape = frame.header, volume.grid.shape
    try:
        found = _labelmap(frame, volume.affine)
        labelmap = replace(found, layers=tuple(np.array(layer) for layer in found.layers))
        entropy = frame.arrays.get(UNCERTAINTY)
        uncertainty = None if entropy is None else Volume(np.array(entropy), volume.affine)
        report = dict(header["report"])
    except (KeyError, TypeError, ValueError, GeometryError) as error:
        raise WorkerError(
            f"The worker's answer is no result of a segmentation: {error}."
        ) from error
    answered = labelmap.grid.shape
    if answered != shape or (uncertainty is not None and uncertainty.grid.shape != shape):
        raise WorkerError(f"The worker answered with {answered} voxels; {shape} were sent.")
    return SegmentResult(labelmap, uncertainty, report)


def most_result_bytes(volume: Volume) -> int:
    """Return how many bytes the result for a volume can have at the very most."""
    return math.prod(volume.grid.shape) * 4 * (MOST_LAYERS + 1) + (16 << 20)


def row_of_label(label: Label) -> dict[str, Any]:
    """Return a row of the label table as JSON."""
    return {
        "value": label.value,
        "name": label.name,
        "color": list(label.color),
        "layer": label.layer,
        "segment_id": label.segment_id,
        # The tags of a Slicer segment keep codes, status and provenance.
        "tags": tags_of_label(label),
    }


def label_of_row(row: Mapping[str, Any]) -> Label:
    """Return the row of a label table that JSON describes.

    Raises:
        ValueError, KeyError, TypeError: It describes none.
    """
    name, color = row["name"], tuple(float(c) for c in row["color"])
    if type(row["value"]) is not int or type(row["layer"]) is not int:
        raise TypeError("a label's value and layer are integers")
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        raise ValueError("a label has no name")
    if len(color) != 3 or not all(0 <= c <= 1 for c in color):
        raise ValueError("a label's color is not three numbers from 0 to 1")
    tags = {str(key): str(value) for key, value in dict(row["tags"]).items()}
    return Label(
        value=row["value"], name=name, color=(color[0], color[1], color[2]), layer=row["layer"],
        segment_id=str(row["segment_id"]), **fields_of_tags(tags),
    )  # fmt: skip


def _labelmap(frame: Frame, affine: Affine) -> Labelmap:
    header = frame.header
    layers = tuple(frame.arrays[f"{LAYER}{n}"] for n in range(_count(header["layers"])))
    labels = tuple(label_of_row(row) for row in _rows(header["labels"]))
    return Labelmap(layers, labels, affine, tuple(str(note) for note in header["notes"]))


def _affine(rows: Any) -> Affine:
    try:
        affine = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GeometryError("The affine of a volume has to be 4 x 4 numbers.") from error
    if affine.shape != (4, 4):
        raise GeometryError("The affine of a volume has to be 4 x 4 numbers.")
    return affine


def _count(layers: Any) -> int:
    if type(layers) is not int or not 1 <= layers <= MOST_LAYERS:
        raise ValueError(f"{layers!r} layers")
    return layers


def _rows(labels: Any) -> list[Any]:
    if not isinstance(labels, list) or len(labels) > MOST_LABELS:
        raise ValueError("the label table is no list")
    return labels
