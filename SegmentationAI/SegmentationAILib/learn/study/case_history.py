"""How the labels of a case came to be: its versions on the one slice where they differ most."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError
from ...core.labelmap import Labelmap
from ...core.one_layer import merged
from ...core.orientation import oriented_axes
from ...core.volume import Box, Volume
from .agreement import mean_dice
from .label_table import labels_from_text
from .person import corrected_voxels, read_volume_of
from .records import LabelVersion
from .study import Study
from .versions import read_version

# The first one and the newest others: as many as a person compares at a glance.
MOST_VERSIONS: Final = 8
# Around the labels: this share of their extent, and at least so many voxels.
_MARGIN: Final = 0.35
_LEAST_MARGIN: Final = 6
Layer = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class PastVersion:
    """A version on the slice.

    Attributes:
        version: What the index says of it.
        labels: On the piece of the slice that is shown, in the study's own names.
        touched: Voxels of it that a person corrected one by one, None for nowhere.
        dice: Of the whole case's labels to those of the version shown before, None for the first.
    """

    version: LabelVersion
    labels: Labelmap
    touched: NDArray[np.bool_] | None
    dice: float | None


@dataclass(frozen=True, eq=False)
class CaseHistory:
    """The versions of a case, oldest first.

    Attributes:
        volume: The piece of the scan that is shown, one voxel thick.
        axis: Of the array, 0 to 2, that the slice is cut across.
        place: Index of the slice in the whole scan.
        versions: On the grid of ``volume``.
    """

    volume: Volume
    axis: int
    place: int
    versions: tuple[PastVersion, ...]


def case_history(study: Study, case_id: str) -> CaseHistory:
    """Return the first labels of a case, the last of each iteration and of each kind by a person.

    Args:
        study: Open; not changed.
        case_id: Name of the case.

    Raises:
        SegmentationAIError: The case has no labels, or a file of it cannot be read.
    """
    chosen = chosen_versions(study.versions(case_id))
    if not chosen:
        raise SegmentationAIError(
            f"The case {case_id} has no labels yet; there is nothing to show."
        )
    volume = read_volume_of(study, study.case(case_id))
    layers = [merged(read_version(study, one)).layers[0] for one in chosen]
    axis = oriented_axes(volume.affine, "RAS")[2][0]
    place = slice_of_largest_change(layers, axis)
    box = _around_labels(layers, axis, place)
    grid = volume.grid.cropped(box)
    rows = labels_from_text(study.facts.labels)
    values = [row.value for row in rows]
    scores = [None, *(mean_dice(before, after, values) for before, after in pairwise(layers))]
    past = [
        PastVersion(
            version,
            Labelmap((layer[box.slices],), rows, grid.affine),
            _cut(corrected_voxels(study, version), box),
            score,
        )
        for version, layer, score in zip(chosen, layers, scores, strict=True)
    ]
    piece = Volume(volume.voxels[(slice(0, 1), *box.slices)], grid.affine)
    return CaseHistory(piece, axis, place, tuple(past))


def chosen_versions(versions: Sequence[LabelVersion]) -> list[LabelVersion]:
    """Return the versions that are shown, oldest first.

    Of several corrections after one prediction the last one tells all; the first labels are always
    among those shown.
    """
    last: dict[tuple[str, int], LabelVersion] = {}
    iteration = 0
    for version in versions[1:]:
        iteration = version.making.iteration or iteration
        last[version.making.origin, iteration] = version
    others = sorted(last.values(), key=lambda version: version.number)
    return [*versions[:1], *others[-(MOST_VERSIONS - 1) :]]


def slice_of_largest_change(layers: Sequence[Layer], axis: int) -> int:
    """Return the slice on which most voxels change from a version to the next.

    Args:
        layers: ``(I, J, K)`` each, oldest first.
        axis: That slices are counted along.

    Returns:
        The slice with most labels where nothing changes, the middle one without any label.
    """
    across = tuple(other for other in range(3) if other != axis)
    changed = sum(
        (np.count_nonzero(before != after, axis=across) for before, after in pairwise(layers)),
        start=np.zeros(layers[0].shape[axis], np.intp),
    )
    if not changed.any():
        changed = np.count_nonzero(layers[0], axis=across)
    return int(changed.argmax()) if changed.any() else layers[0].shape[axis] // 2


def _around_labels(layers: Sequence[Layer], axis: int, place: int) -> Box:
    """Return the box of a slice that holds the labels of all versions, with some room around."""
    anywhere = np.zeros(layers[0].shape, bool)
    for layer in layers:
        anywhere |= layer != 0
    start: list[int] = [0, 0, 0]
    stop: list[int] = list(anywhere.shape)
    found = np.argwhere(anywhere.take([place], axis))
    for side in range(3):
        if len(found) and side != axis:
            low, high = int(found[:, side].min()), int(found[:, side].max()) + 1
            margin = max(_LEAST_MARGIN, round(_MARGIN * (high - low)))
            start[side], stop[side] = max(0, low - margin), min(stop[side], high + margin)
    start[axis], stop[axis] = place, place + 1
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _cut(mask: NDArray[np.bool_] | None, box: Box) -> NDArray[np.bool_] | None:
    return None if mask is None else mask[box.slices]
