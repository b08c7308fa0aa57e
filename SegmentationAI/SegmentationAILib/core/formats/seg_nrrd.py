"""Slicer's ``.seg.nrrd``: all segments with everything that is known of them, overlaps included.

Layers are the first axis of the file (left out when there is one); each segment has keys of its own
that name its layer and its value there. Format: Slicer, vtkMRMLSegmentationStorageNode.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from ..admission import shown_name
from ..errors import FileFormatError
from ..labelmap import Label, LabelArray, Labelmap, smallest_label_dtype
from ..one_layer import integer_layer, present_values, with_missing_rows
from ..segment_tags import fields_of_tags, owned_value, segment_ids, tags_of_label
from .nrrd import NrrdContent, fields_of, read_content, write_voxels
from .nrrd_header import header_text

BINARY_LABELMAP: Final = "Binary labelmap"
_SEGMENT_KEY: Final = re.compile(r"Segment(0|[1-9][0-9]{0,5})_([A-Za-z]+)")
_SOURCE_KEYS: Final = ("Segmentation_SourceRepresentation", "Segmentation_MasterRepresentation")
_GRAY: Final = (0.5, 0.5, 0.5)


def read(path: Path) -> Labelmap:
    """Return the labelmap of a ``.seg.nrrd`` file; a sheared affine stays sheared.

    A label has the value that it was made with, also after Slicer has renumbered its voxels.

    Raises:
        FileFormatError: The file is damaged, or its segments contradict each other or its voxels.
        GeometryError: The header does not place its voxels.
        MemoryBudgetError: The layers do not fit the memory.
    """
    name = shown_name(path)
    content = read_content(path)
    _check_representation(content, name)
    layers = tuple(integer_layer(np.asfortranarray(layer), name) for layer in content.voxels)
    labels, owned = _labels(content.pairs, len(layers), name)
    layers, labels, notes = _with_owned_values(layers, labels, owned)
    complete = with_missing_rows(labels, layers)
    if len(complete) > len(labels):
        notes = (*notes, _missing_rows_note(complete[len(labels) :]))
    return Labelmap(layers, complete, content.affine, (*content.notes, *notes))


def write(labelmap: Labelmap, path: Path, name: str = "") -> None:
    """Write ``.seg.nrrd`` as Slicer reads it: one NRRD, gzip, all layers in the smallest type.

    Args:
        labelmap: Not changed.
        path: Where to.
        name: What the file will be called, for messages; empty for the name of ``path``.
    """
    rows = with_missing_rows(labelmap.labels, labelmap.layers)
    highest = max((int(layer.max()) for layer in labelmap.layers), default=0)
    dtype = smallest_label_dtype(max([highest, *(label.value for label in rows)]))
    if len(labelmap.layers) == 1:  # no copy
        voxels = labelmap.layers[0].astype(dtype, order="K", copy=False)[None]
    else:
        voxels = np.empty((len(labelmap.layers), *labelmap.grid.shape), dtype, order="F")
        for number, layer in enumerate(labelmap.layers):
            voxels[number] = layer
    kind = "list" if len(labelmap.layers) > 1 else None
    fields = fields_of(voxels, labelmap.affine, kind, name or shown_name(path))
    with path.open("wb") as file:
        file.write(header_text(fields, _pairs(rows, labelmap.grid.shape)))
        write_voxels(file, voxels)


def _check_representation(content: NrrdContent, name: str) -> None:
    found = next((content.pairs[k] for k in _SOURCE_KEYS if k in content.pairs), BINARY_LABELMAP)
    if found != BINARY_LABELMAP:
        raise FileFormatError(
            f"{name} holds segments as '{found[:40]}'; '{BINARY_LABELMAP}' was expected: in "
            "Slicer, make that the source representation and save again."
        )


def _labels(
    pairs: Mapping[str, str], layers: int, name: str
) -> tuple[list[Label], dict[int, int | None]]:
    """Return the segments as the file numbers them, and the value that each is known by."""
    segments: dict[int, dict[str, str]] = {}
    for key, value in pairs.items():
        match = _SEGMENT_KEY.fullmatch(key)
        if match:
            segments.setdefault(int(match[1]), {})[match[2]] = value
    labels: list[Label] = []
    owned: dict[int, int | None] = {}
    keys: set[tuple[int, int]] = set()
    for number in sorted(segments):
        tags = _tags(segments[number].get("Tags", ""))
        label = _label(number, segments[number], tags, layers, name)
        if (label.layer, label.value) in keys:
            raise FileFormatError(
                f"{name} gives two segments the value {label.value} in layer {label.layer}; each "
                "needs its own: save it from Slicer again."
            )
        keys.add((label.layer, label.value))
        owned[len(labels)] = owned_value(tags)
        labels.append(label)
    return labels, owned


def _label(
    number: int, keys: Mapping[str, str], tags: Mapping[str, str], layers: int, name: str
) -> Label:
    """Return one segment; files of Slicer 4.10 and older have a layer per segment, value 1."""
    is_old = "Layer" not in keys and "LabelValue" not in keys
    layer = number if is_old else _integer(keys.get("Layer", "0"), number, name)
    value = 1 if is_old else _integer(keys.get("LabelValue", "1"), number, name)
    if not (0 <= layer < layers and value >= 1):
        raise FileFormatError(
            f"{name} places segment {number} in layer {layer} with the value {value}; layers 0 to "
            f"{layers - 1} and values from 1 were expected: save it from Slicer again."
        )
    identifier = keys.get("ID", "")
    return Label(
        value=value,
        name=keys.get("Name", "") or identifier or f"Label {value}",
        color=_color(keys.get("Color", ""), number, name),
        layer=layer,
        segment_id=identifier,
        **fields_of_tags(tags),
    )


def _with_owned_values(
    layers: tuple[LabelArray, ...], labels: list[Label], owned: Mapping[int, int | None]
) -> tuple[tuple[LabelArray, ...], list[Label], tuple[str, ...]]:
    """Return layers and labels with the values that the labels are known by."""
    wanted = [owned[at] or label.value for at, label in enumerate(labels)]
    if all(value == label.value for value, label in zip(wanted, labels, strict=True)):
        return layers, labels, ()
    renumbered = list(layers)
    for number, layer in enumerate(layers):
        table = {
            label.value: value
            for value, label in zip(wanted, labels, strict=True)
            if label.layer == number
        }
        # Voxels without a segment keep their value and must not fall on an owned one.
        table |= {value: value for value in present_values(layer) if value not in table}
        if len(set(table.values())) < len(table):
            note = "Two segments claim one label value; the values of the voxels were kept."
            return layers, labels, (note,)
        lookup = np.zeros(
            max(table, default=0) + 1, smallest_label_dtype(max(table.values(), default=0))
        )
        for value, new in table.items():
            lookup[value] = new
        renumbered[number] = lookup[layer]
    relabeled = [replace(label, value=value) for label, value in zip(labels, wanted, strict=True)]
    return tuple(renumbered), relabeled, ()


def _pairs(rows: Sequence[Label], shape: tuple[int, int, int]) -> dict[str, str]:
    """Return the keys of all segments and of the segmentation."""
    extent = " ".join(f"0 {n - 1}" for n in shape)
    pairs: dict[str, str] = {}
    for number, (label, identifier) in enumerate(zip(rows, segment_ids(rows), strict=True)):
        # Slicer separates tags by "|" and ends a key at the first ":", and escapes neither.
        tags = [
            f"{key.replace(':', '.').replace('|', '¦')}:{value.replace('|', '¦')}|"
            for key, value in tags_of_label(label).items()
        ]
        of_segment = {
            "Color": " ".join(repr(float(component)) for component in label.color),
            "ColorAutoGenerated": "0",
            "Extent": extent,
            "ID": identifier,
            "LabelValue": str(label.value),
            "Layer": str(label.layer),
            "Name": label.name,
            "NameAutoGenerated": "0",
            "Tags": "".join(tags),
        }
        pairs |= {f"Segment{number}_{key}": value for key, value in of_segment.items()}
    pairs["Segmentation_ContainedRepresentationNames"] = f"{BINARY_LABELMAP}|"
    pairs["Segmentation_MasterRepresentation"] = BINARY_LABELMAP
    pairs["Segmentation_ReferenceImageExtentOffset"] = "0 0 0"
    return pairs


def _tags(text: str) -> dict[str, str]:
    split = (part.split(":", 1) for part in text.split("|") if ":" in part)
    return {key: value for key, value in split if key}


def _integer(text: str, number: int, name: str) -> int:
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,10}\s*", text):
        raise FileFormatError(
            f"{name} says {text[:40]!r} for the layer or value of segment {number}; a whole number "
            "was expected: save it from Slicer again."
        )
    return int(text)


def _color(text: str, number: int, name: str) -> tuple[float, float, float]:
    """Return a color; gray when there is none, as Slicer shows it."""
    if not text.strip():
        return _GRAY
    try:
        red, green, blue = (float(part) for part in text.split())
    except ValueError:
        red = green = blue = np.nan
    if not all(0.0 <= component <= 1.0 for component in (red, green, blue)):
        raise FileFormatError(
            f"{name} says {text[:40]!r} for the color of segment {number}; three numbers from 0 to "
            "1 were expected: save it from Slicer again."
        )
    return red, green, blue


def _missing_rows_note(rows: Sequence[Label]) -> str:
    values = ", ".join(str(label.value) for label in rows[:10])
    more = ", ..." if len(rows) > 10 else ""
    return f"The file has voxels that no segment names; they were given one each: {values}{more}."
