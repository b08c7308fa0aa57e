"""First labels that a study makes by itself: of each scan as it is taken in, without a click.

Methods that start from prompts or a rough region need a person for each scan; those are run with
`weak-label`, and the study takes the files.
"""

import time
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal, get_args

from ...core.labelmap import Labelmap
from ...core.one_layer import merged
from ...core.postprocess import keep_largest_components
from ...core.progress import Progress
from ...core.volume import Volume
from ...networks.segmenter import Segmenter, open_segmenter
from ...networks.store import NetworkStore
from ..study.weak_method import WeakMethod
from ..weak_labels.kmeans import KMeansOptions, kmeans
from ..weak_labels.otsu import otsu
from ..weak_labels.weak_labelmap import Making, signed, weak_labelmap

OwnName = Literal["network", "otsu", "kmeans"]
OWN_NAMES: Final = get_args(OwnName)


def own_labels(name: OwnName, base: str, store: NetworkStore, device: str = "auto") -> WeakMethod:
    """Return how a study labels its scans by itself.

    Args:
        name: ``network`` for what the base network answers as it is; ``otsu`` for the largest
            piece of all that is brighter than Otsu's threshold; ``kmeans`` for the brighter two of
            three clusters of intensity, the neighborhood counted.
        base: ID of the study's base network.
        store: Where networks are.
        device: On which a network runs: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        WeightsError: The network is not installed, or its weights are damaged.
    """
    if name == "otsu":
        return WeakMethod(name, _bright_piece)
    if name == "kmeans":
        return WeakMethod(name, _two_brighter)
    segmenter = open_segmenter(base, device, store=store)
    label = partial(_answered, segmenter)
    return WeakMethod(name, label, segmenter.card.id, segmenter.weights_sha256)


def _bright_piece(volume: Volume, progress: Progress) -> Labelmap:
    started = time.perf_counter()
    answer = otsu(volume.voxels[0], progress=progress)
    piece: Any = keep_largest_components(answer.labels).labels
    answer = replace(answer, labels=piece)
    making = Making("otsu", {**answer.settings, "largest": True}, time.perf_counter() - started)
    return signed(weak_labelmap(answer, volume.grid), making)


def _two_brighter(volume: Volume, progress: Progress) -> Labelmap:
    started = time.perf_counter()
    answer = kmeans(volume.voxels[0], KMeansOptions(3, spatial=True), progress=progress)
    making = Making("kmeans", answer.settings, time.perf_counter() - started)
    return signed(weak_labelmap(answer, volume.grid), making)


def _answered(segmenter: Segmenter, volume: Volume, progress: Progress) -> Labelmap:
    started = time.perf_counter()
    found = merged(segmenter.segment(volume, progress=progress).labelmap)
    making = Making(
        "network",
        {"network": segmenter.card.id},
        time.perf_counter() - started,
        segmenter.card.id,
        segmenter.weights_sha256,
    )
    return signed(found, making)
