"""What a network learns from a label version: which voxels count, and how much.

Voxels that a person has decided weigh more. Predicted voxels that were doubtful count in no loss
(confidence gating, as in pseudo-labelling with a threshold: Sohn et al., FixMatch, NeurIPS 2020,
arXiv:2001.07685). In the tri-network scheme each network learns from what the two others agree in
(Zhang et al., "Robust medical image segmentation from non-expert annotations with tri-network",
MICCAI 2020, doi:10.1007/978-3-030-59719-1_25; there within a batch, here between iterations).
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...core.files import read_volume
from ...core.labelmap import Label
from ...core.network_labels import network_labels
from ...core.preprocess import prepare
from ...core.progress import IGNORE, Progress
from ...core.volume import Volume, check_same_grid
from ..plan import TrainingPlan
from ..prepare_case import channels_of_labels, slice_axis
from ..study.person import touched_voxels
from ..study.records import LabelVersion
from ..study.study import Study
from ..study.versions import read_version
from ..training_case import IGNORED, PreparedCase
from .settings import NO_GATE, TRI, RelabelSettings

# Doubt is kept in 8 bits: 0 to 1 in steps of 1 / 255.
DOUBT_STEPS: Final = 255


def learned_case(
    study: Study,
    case_id: str,
    version: LabelVersion,
    volume: Volume,
    plan: TrainingPlan,
    settings: RelabelSettings,
    member: int,
    progress: Progress = IGNORE,
) -> PreparedCase:
    """Return a case as one network of an iteration learns it.

    Args:
        study: Open.
        case_id: Name of the case.
        version: Labels to learn from.
        volume: Of the case; not changed.
        plan: Grid, intensity rules and labels.
        settings: Gate, trust and scheme.
        member: Number of the network.
        progress: Told once per channel.

    Raises:
        SegmentationAIError: A file is missing or damaged, or the labels do not fit the plan.
    """
    labelmap = read_version(study, version)
    check_same_grid(volume.grid, labelmap.grid, (f"The volume of {case_id}", "its labels"))
    channels = channels_of_labels(labelmap, plan.labels, case_id)
    touched = touched_voxels(study, version)
    predicted = _predicted_before(study.versions(case_id), version)
    learned = channels
    if settings.scheme == "tri":
        learned = _agreed(study, predicted, plan.labels, channels, member)
    learned = _gated(study, predicted, learned, settings.gate, plan.out_channels)
    if touched is not None:
        learned = np.where(touched, channels, learned)
    rules = plan.input_rules()
    prepared = prepare(volume, rules, progress=progress)
    axis = slice_axis(volume, rules, prepared.axis_map)
    placed = network_labels(learned, prepared.axis_map, IGNORED, axis)
    weights = None
    if touched is not None:
        trusted = network_labels(touched.astype(np.uint8), prepared.axis_map, 0, axis)
        weights = np.where(trusted != 0, np.float32(settings.trust), np.float32(1.0))
    return PreparedCase(
        case_id, prepared.array, placed.astype(np.uint8), weights, padding=prepared.padding
    )


def doubt_of_gate(gate: float, channels: int) -> float:
    """Return the normalized entropy of a voxel that is as certain as a gate asks.

    A voxel whose highest probability is under ``gate`` has at least the entropy of two channels
    with ``gate`` and ``1 - gate``; so all of those are found by it.

    Args:
        gate: Probability, 0.5 to under 1.
        channels: Of the logits, background included.
    """
    entropy = -gate * math.log(gate) - (1.0 - gate) * math.log(1.0 - gate)
    return entropy / math.log(channels)


def _predicted_before(versions: Sequence[LabelVersion], version: LabelVersion) -> LabelVersion:
    """Return the version whose doubt and votes hold for the voxels that nobody has touched.

    A correction has neither of its own: beyond what was touched it is the version it was made from.
    """
    wanted = version
    for one in sorted(versions, key=lambda one: one.number, reverse=True):
        if wanted.making.origin == "corrected" and one.number == wanted.parent:
            wanted = one
    return wanted


def _gated(
    study: Study, version: LabelVersion, channels: NDArray[np.uint8], gate: float, count: int
) -> NDArray[np.uint8]:
    path = study.file(version, "doubt")
    if gate <= NO_GATE or path is None:
        return channels
    doubt = read_volume(path).voxels[0].astype(np.float32) / DOUBT_STEPS
    return np.where(doubt > doubt_of_gate(gate, count), np.uint8(IGNORED), channels)


def _agreed(
    study: Study,
    version: LabelVersion,
    labels: Sequence[Label],
    channels: NDArray[np.uint8],
    member: int,
) -> NDArray[np.uint8]:
    path = study.file(version, "votes")
    if path is None:
        return channels
    votes = read_volume(path).voxels
    first, second = (votes[n] for n in range(TRI) if n != member)
    table = np.zeros(int(votes.max()) + 1, np.uint8)
    for channel, label in enumerate(labels, 1):
        if label.value < len(table):
            table[label.value] = channel
    return np.where(first == second, table[first], np.uint8(IGNORED))
