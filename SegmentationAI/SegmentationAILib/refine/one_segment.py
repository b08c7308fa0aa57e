"""One segment of a labelmap out to be corrected, and back in; all others stay as they were."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.errors import SegmentationAIError
from ..core.labelmap import Label, LabelArray, Labelmap, Provenance, smallest_label_dtype
from ..core.volume import Grid, check_same_grid

Mask = NDArray[np.bool_]

DEFAULT_NAME: Final = "Segment"
# Shown over gray scans next to the colors that networks bring.
_NEW_COLOR: Final = (0.93, 0.69, 0.13)


@dataclass(frozen=True, eq=False)
class OneSegment:
    """A segment that is being corrected.

    Attributes:
        labelmap: It and all others, as they were.
        label: Its row of the table.
        mask: Where it was.
        others: Where any other segment is: what may not change.
    """

    labelmap: Labelmap
    label: Label
    mask: Mask
    others: Mask

    def with_mask(self, mask: Mask, network: str = "", weights_sha256: str = "") -> Labelmap:
        """Return the labelmap with another mask of this segment, signed as corrected.

        Args:
            mask: False where ``others`` is, except where the segment lay over them before.
            network: ID of the network that took part, empty without one.
            weights_sha256: Hash of its weights.
        """
        number = self.label.layer
        layers: list[LabelArray] = list(self.labelmap.layers)
        dtype = np.promote_types(layers[number].dtype, smallest_label_dtype(self.label.value))
        layer: NDArray[Any] = layers[number].astype(dtype)
        layer[self.mask & ~mask] = 0
        layer[mask] = self.label.value
        layers[number] = layer
        time = datetime.now(UTC).isoformat(timespec="seconds")
        signed = replace(
            self.label, provenance=Provenance("corrected", network, weights_sha256, time=time)
        )
        rows = [signed if row is self.label else row for row in self.labelmap.labels]
        return replace(self.labelmap, layers=tuple(layers), labels=tuple(rows))


def segment_named(labelmap: Labelmap, name: str | None) -> OneSegment:
    """Return the segment with a name.

    Args:
        labelmap: Not changed.
        name: None takes the only segment.

    Raises:
        SegmentationAIError: There is none or more than one; the sentence lists those that are.
    """
    found = [row for row in labelmap.labels if name is None or row.name == name]
    if len(found) != 1:
        names = ", ".join(row.name[:60] for row in labelmap.labels) or "none"
        wanted = "no name" if name is None else ascii(name)[:80]
        raise SegmentationAIError(
            f"Found {len(found)} segments for {wanted}; one is expected: name one of {names} with "
            "--segment."
        )
    (label,) = found
    mask = labelmap.mask(label)
    others = np.zeros_like(mask)
    for number, layer in enumerate(labelmap.layers):
        others |= (layer != 0) & ~mask if number == label.layer else layer != 0
    return OneSegment(labelmap, label, mask, others)


def segment_in(labelmap: Labelmap, grid: Grid, name: str | None) -> OneSegment:
    """Return a segment of a labelmap that has to lie on a grid; a new one when no row has the name.

    Raises:
        GeometryError: The labelmap lies on another grid; nothing is resampled silently.
        SegmentationAIError: No name, and not exactly one segment.
    """
    check_same_grid(grid, labelmap.grid, ("The volume", "the segmentation"))
    if name is not None and all(row.name != name for row in labelmap.labels):
        return _with_new_row(labelmap, name)
    return segment_named(labelmap, name)


def new_segment(grid: Grid, name: str | None) -> OneSegment:
    """Return an empty segment in a labelmap of its own."""
    empty = Labelmap((np.zeros(grid.shape, np.uint8),), (), grid.affine)
    return _with_new_row(empty, name or DEFAULT_NAME)


def _with_new_row(labelmap: Labelmap, name: str) -> OneSegment:
    value = 1 + max((row.value for row in labelmap.labels), default=0)
    # A value without a row may be in the file too.
    value = max(value, 1 + max(int(layer.max(initial=0)) for layer in labelmap.layers))
    label = Label(value, name, _NEW_COLOR)
    return segment_named(labelmap.with_names([*labelmap.labels, label]), name)
