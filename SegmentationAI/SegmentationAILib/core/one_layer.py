"""Labelmaps as formats with one layer have them: integers on a grid, and nothing else.

A label value is copied exactly or refused, never rounded and never wrapped.
"""

from collections.abc import Iterable
from colorsys import hsv_to_rgb
from dataclasses import replace

import numpy as np

from .errors import FileFormatError, SegmentationAIError
from .labelmap import Label, LabelArray, Labelmap, smallest_label_dtype
from .volume import Array, Volume

HIGHEST_VALUE = 2**32 - 1
# Steps of the golden angle keep neighbours in value far apart in hue.
GOLDEN_RATIO = 0.6180339887498949


def integer_layer(voxels: Array, name: str) -> LabelArray:
    """Return label values in the smallest unsigned dtype; the same array when it has it already.

    Args:
        voxels: ``(I, J, K)``, any real dtype; floats must hold whole numbers exactly.
        name: Name of the file, for the message.

    Raises:
        FileFormatError: A value is negative, not whole, not finite, or passes 32 bits.
    """
    lowest, highest = voxels.min(), voxels.max()
    if not (lowest >= 0 and highest <= HIGHEST_VALUE):
        bad = lowest if not lowest >= 0 else highest
        raise _not_a_label(voxels, np.equal(voxels, bad) | np.not_equal(voxels, voxels), name)
    layer: LabelArray = voxels.astype(smallest_label_dtype(int(highest)), order="K", copy=False)
    if voxels.dtype.kind == "f" and not np.array_equal(layer, voxels):
        raise _not_a_label(voxels, np.not_equal(layer, voxels), name)
    return layer


def present_values(layer: Array) -> list[int]:
    """Return the label values that occur, background left out, rising.

    Args:
        layer: ``(I, J, K)`` integers; structures are mostly long runs in memory, so only the first
            voxel of each run is sorted.
    """
    flat = layer.ravel(order="K")
    starts = flat[1:][np.not_equal(flat[1:], flat[:-1])]
    values = {int(value) for value in np.unique(starts)} | {int(flat[0])}
    return sorted(values - {0})


def default_label(value: int, layer: int = 0) -> Label:
    """Return the row for a value of which nothing is known: ``Label 7``, with a color of its own.

    Examples:
        >>> default_label(7).name
        'Label 7'
    """
    color = hsv_to_rgb(value * GOLDEN_RATIO % 1.0, 0.65, 0.9)
    return Label(value=value, name=f"Label {value}", color=color, layer=layer)


def with_missing_rows(labels: Iterable[Label], layers: tuple[Array, ...]) -> tuple[Label, ...]:
    """Return the table with a default row for each value in the voxels that has none."""
    known = list(labels)
    for number, layer in enumerate(layers):
        values = {label.value for label in known if label.layer == number}
        # Where all values up to the highest have a row, as networks number them, the voxels need
        # not be sorted: 0.3 ms instead of 14 ms for 8 million voxels.
        if values.issuperset(range(1, int(layer.max()) + 1)):
            continue
        known += [default_label(v, number) for v in present_values(layer) if v not in values]
    return tuple(known)


def merged(labelmap: Labelmap) -> Labelmap:
    """Return the labelmap in one layer; the same one when it has one already.

    A value that an earlier layer has taken becomes the next free one, and a note says so.

    Raises:
        SegmentationAIError: Segments of two layers share a voxel.
    """
    if len(labelmap.layers) == 1:
        return labelmap
    labels = with_missing_rows(labelmap.labels, labelmap.layers)
    new_values, notes = _free_values(labels)
    dtype = smallest_label_dtype(max(new_values.values(), default=0))
    together = np.zeros(labelmap.grid.shape, dtype, order="F")
    for number, layer in enumerate(labelmap.layers):
        table = {value: new for (at, value), new in new_values.items() if at == number}
        renumbered = _renumbered(layer, table, dtype)
        if np.logical_and(together, renumbered).any():
            raise _overlap(labels, labelmap, number)
        together |= renumbered
    rows = [replace(r, value=new_values[r.layer, r.value], layer=0) for r in labels]
    notes = [*labelmap.notes, *notes]
    return Labelmap((together,), tuple(rows), labelmap.affine, tuple(notes))


def volume_from_labelmap(labelmap: Labelmap) -> Volume:
    """Return the label values as a volume of one channel, 8 bits, or 16 or 32 where needed.

    Raises:
        SegmentationAIError: Segments overlap, which one layer cannot hold.
    """
    one = merged(labelmap)
    return Volume(integer_layer(one.layers[0], "The labelmap")[None], one.affine, one.notes)


def _free_values(labels: tuple[Label, ...]) -> tuple[dict[tuple[int, int], int], list[str]]:
    """Return the new value of each (layer, value), and a sentence when any had to change."""
    new_values: dict[tuple[int, int], int] = {}
    taken = {label.value for label in labels}
    changed = []
    for label in sorted(labels, key=lambda label: label.layer):
        value = label.value
        if value in new_values.values():
            value = max(taken) + 1
            taken.add(value)
            changed.append(f"{label.value} to {value}")
        new_values[label.layer, label.value] = value
    if not changed:
        return new_values, []
    return new_values, [
        f"Layers were merged into one; label values that occurred twice were changed: "
        f"{', '.join(changed[:20])}{', ...' if len(changed) > 20 else ''}."
    ]


def _renumbered(layer: Array, table: dict[int, int], dtype: np.dtype[np.unsignedinteger]) -> Array:
    """Return a layer with its values replaced."""
    if all(value == new for value, new in table.items()):
        same: Array = layer.astype(dtype, order="K")
        return same
    lookup = np.zeros(max(table, default=0) + 1, dtype)
    for value, new in table.items():
        lookup[value] = new
    return np.asarray(lookup[layer])


def _overlap(labels: tuple[Label, ...], labelmap: Labelmap, number: int) -> SegmentationAIError:
    """Return the refusal that names two segments that share a voxel."""
    upper = next(
        label
        for label in labels
        if label.layer == number
        and any(
            np.logical_and(below, labelmap.mask(label)).any() for below in labelmap.layers[:number]
        )
    )
    lower = next(
        label
        for label in labels
        if label.layer < number and np.logical_and(labelmap.mask(label), labelmap.mask(upper)).any()
    )
    return SegmentationAIError(
        f"The segments '{lower.name[:60]}' and '{upper.name[:60]}' overlap, and this format has "
        "one layer, in which a voxel has one label; save as .seg.nrrd, which keeps both."
    )


def _not_a_label(voxels: Array, where: Array, name: str) -> FileFormatError:
    i, j, k = (int(n) for n in np.argwhere(where)[0])
    return FileFormatError(
        f"{name} is not a labelmap: voxel ({i}, {j}, {k}) has the value {voxels[i, j, k]!s}; whole "
        f"numbers from 0 to {HIGHEST_VALUE} were expected: if it holds intensities, read it as a "
        "volume."
    )
