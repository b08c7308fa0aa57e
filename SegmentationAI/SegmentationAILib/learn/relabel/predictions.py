"""Predictions as label versions: what persons have decided stays, doubt and votes lie beside."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...core.labelmap import LabelArray, Labelmap
from ...core.pipeline import Options
from ...core.progress import IGNORE, Progress
from ...core.volume import Volume
from ...networks.ensemble import joint_sha256
from ...networks.segmenter import Segmenter
from ..study.person import corrected_voxels, touched_labelmap
from ..study.records import LabelVersion, Making, Role
from ..study.study import Study
from ..study.versions import NewVersion, read_version
from .learned_labels import DOUBT_STEPS


def predicted_version(
    study: Study,
    volume: Volume,
    learned: LabelVersion | None,
    segmenters: Sequence[Segmenter],
    iteration: int,
    *,
    with_doubt: bool = False,
    keeps_changes: bool = True,
    progress: Progress = IGNORE,
) -> NewVersion:
    """Return a prediction of a case, ready to be stored; it is not current yet.

    Args:
        study: Open.
        volume: Of the case; not changed.
        learned: Version that the iteration has learned from; voxels that a person changed in it
            are as they were there. None for a case without labels.
        segmenters: One, or the three of the tri-network scheme, of which the majority decides.
        iteration: Its number.
        with_doubt: Also keep how undecided the network was; of three, the mean of theirs.
        keeps_changes: Whether what persons have changed goes in; not where the prediction takes
            nobody's place and is compared with what they made: a held-out or an accepted case.
        progress: Told at least once per patch.
    """
    results = []
    for number, segmenter in enumerate(segmenters):
        part = progress.part(number / len(segmenters), (number + 1) / len(segmenters))
        options = Options(uncertainty=with_doubt)
        results.append(segmenter.segment(volume, options=options, progress=part))
    beside: dict[Role, Labelmap | Volume] = {}
    layers = [result.labelmap.layers[0] for result in results]
    layer = layers[0]
    if len(layers) > 1:
        layer = majority(layers)
        beside["votes"] = Volume(np.stack(layers), volume.affine)
    doubts = [result.uncertainty for result in results if result.uncertainty is not None]
    if doubts:
        beside["doubt"] = _mean_doubt(doubts)
    corrected = None
    if learned is not None and keeps_changes:
        corrected = corrected_voxels(study, learned)
    if corrected is not None and learned is not None:
        kept = read_version(study, learned).layers[0]
        dtype = np.promote_types(layer.dtype, kept.dtype)
        layer = np.where(corrected, kept.astype(dtype), layer.astype(dtype))
        beside["touched"] = touched_labelmap(corrected, volume.grid)
    labels = results[0].labelmap.labels
    making = Making(
        "predicted",
        network=segmenters[0].card.id,
        weights_sha256=joint_sha256([one.weights_sha256 for one in segmenters]),
        iteration=iteration,
    )
    return NewVersion(Labelmap((layer,), labels, volume.affine), making, beside, is_current=False)


def majority(layers: Sequence[LabelArray]) -> LabelArray:
    """Return what at least two of three label arrays say, the first where all three differ."""
    first, second, third = layers
    decided: NDArray[np.unsignedinteger] = np.where(second == third, second, first)
    return decided


def _mean_doubt(doubts: Sequence[Volume]) -> Volume:
    mean = np.mean([one.voxels.astype(np.float32) for one in doubts], axis=0)
    steps = np.rint(np.clip(mean, 0.0, 1.0) * DOUBT_STEPS)
    return Volume(steps.astype(np.uint8), doubts[0].affine)
