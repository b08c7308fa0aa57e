"""A case as its files have it, brought to the grid of a plan by the very steps of segmenting."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..core.axis_map import AxisMap
from ..core.errors import SegmentationAIError
from ..core.labelmap import Label, Labelmap
from ..core.network_labels import network_labels
from ..core.one_layer import integer_layer, present_values
from ..core.preprocess import InputRules, prepare
from ..core.progress import IGNORE, Progress
from ..core.separate_slices import separate_axis
from ..core.volume import Volume, check_same_grid
from .plan import TrainingPlan
from .training_case import HIGHEST_LABEL, IGNORED, PreparedCase


def prepared_case(
    case_id: str,
    volume: Volume,
    labelmap: Labelmap,
    plan: TrainingPlan,
    progress: Progress = IGNORE,
) -> PreparedCase:
    """Return a case on the plan's grid.

    The input is bit for bit what the network would get if it segmented the volume. Labels follow
    by `network_labels`; what lies beyond the volume is `IGNORED`.

    Args:
        case_id: Of the case.
        volume: With the plan's channels; not changed.
        labelmap: In one layer, on the volume's grid; not changed.
        plan: Says the grid, the intensity rules and the labels.
        progress: Told once per channel.

    Raises:
        GeometryError: The labelmap lies on another grid, or the channels are not the plan's.
        SegmentationAIError: A label value that the plan does not know, or a channel without
            numbers, or with one value everywhere.
        Cancelled: Raised by ``progress``.
    """
    check_same_grid(volume.grid, labelmap.grid, (f"The volume of {case_id}", "its labelmap"))
    channels = channels_of_labels(labelmap, plan.labels, case_id)
    rules = plan.input_rules()
    prepared = prepare(volume, rules, progress=progress)
    placed = network_labels(
        channels, prepared.axis_map, IGNORED, slice_axis(volume, rules, prepared.axis_map)
    )
    return PreparedCase(case_id, prepared.array, placed, padding=prepared.padding)


def channels_of_labels(
    labelmap: Labelmap, labels: Sequence[Label], case_id: str
) -> NDArray[np.uint8]:
    """Return the index into the logits of every voxel ``(I, J, K)``, background 0.

    Raises:
        SegmentationAIError: Several layers, or a value that is not among ``labels``.
    """
    if len(labelmap.layers) != 1:
        raise SegmentationAIError(
            f"{case_id} has {len(labelmap.layers)} layers of segments; one, in which none overlap, "
            "was expected: merge them."
        )
    layer = integer_layer(labelmap.layers[0], case_id)
    table = np.full(HIGHEST_LABEL + 1, IGNORED, np.uint8)
    table[0] = 0
    for channel, label in enumerate(labels, start=1):
        table[label.value] = channel
    is_high = int(layer.max()) > HIGHEST_LABEL
    channels: NDArray[np.uint8] = table[np.minimum(layer, HIGHEST_LABEL) if is_high else layer]
    if is_high or channels.max() == IGNORED:
        known = {0, *(label.value for label in labels)}
        unknown = sorted(set(present_values(layer)) - known)
        raise SegmentationAIError(
            f"{case_id} has the label values {unknown[:10]}, which are not in the label table; add "
            "them to it or correct the labelmap."
        )
    return channels


def slice_axis(volume: Volume, rules: InputRules, mapping: AxisMap) -> int | None:
    """Return the network axis along which `prepare` took the nearest slice, None for none."""
    if not rules.separate_slices or rules.spacing_mm is None:
        return None
    own = [volume.spacing[source] for source in mapping.source_axis]
    return separate_axis(own, rules.spacing_mm)
