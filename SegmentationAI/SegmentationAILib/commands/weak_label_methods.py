"""The methods of ``weak-label``: what each is called, its options, and how it is run.

Nothing heavy is imported before a method runs.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from .weak_label_classes import (
    add_fuzzy_options,
    add_kmeans_options,
    add_markov_options,
    add_otsu_options,
    fuzzy_answer,
    kmeans_answer,
    markov_answer,
    otsu_answer,
    picked_answer,
)
from .weak_label_input import Scan, add_place_options, read_scan
from .weak_label_labelmaps import (
    Made,
    add_deform_options,
    add_network_options,
    add_propagate_options,
    deformed,
    propagated,
    segmented,
)
from .weak_label_seeded import (
    add_level_set_options,
    add_region_growing_options,
    add_watershed_options,
    level_set_answer,
    region_growing_answer,
    watershed_answer,
)

if TYPE_CHECKING:
    from ..core.progress import Progress
    from ..learn.weak_labels.weak_answer import WeakAnswer

Add = Callable[[argparse.ArgumentParser], None]
Answer = Callable[[Scan, argparse.Namespace, "Progress"], "WeakAnswer"]


@dataclass(frozen=True)
class Method:
    """One method of the command line.

    Attributes:
        summary: For the help.
        add_options: Adds its options to its parser.
        label: Reads what the arguments name, and returns labels.
        input_name: What the help calls the positional argument.
        input_help: What the help says of it.
    """

    summary: str
    add_options: Add
    label: Callable[[argparse.Namespace, "Progress"], Made]
    input_name: str = "VOLUME"
    input_help: str = "file or DICOM series folder"


def _cleaned(answer: "WeakAnswer", arguments: argparse.Namespace) -> "WeakAnswer":
    from ..core.postprocess import fill_holes, keep_largest_components

    labels: Any = answer.labels
    if arguments.largest:
        labels = keep_largest_components(labels).labels
    if arguments.fill_holes:
        labels = fill_holes(labels).labels
    asked = {"largest": arguments.largest, "fill_holes": arguments.fill_holes}
    more = {name: value for name, value in asked.items() if value}
    return replace(answer, labels=labels, settings={**answer.settings, **more})


def _of_volume(name: str, summary: str, add: Add, answer_of: Answer) -> Method:
    """Return a method that looks at the intensities of one volume."""

    def add_options(parser: argparse.ArgumentParser) -> None:
        add(parser)
        add_place_options(parser)

    def label(arguments: argparse.Namespace, progress: "Progress") -> Made:
        from ..learn.weak_labels.weak_labelmap import Making, weak_labelmap

        scan = read_scan(arguments)
        started = time.perf_counter()
        answer = answer_of(scan, arguments, progress)
        if hasattr(arguments, "keep"):
            answer = picked_answer(answer, scan, arguments)
        answer = _cleaned(answer, arguments)
        answer = replace(answer, notes=(*scan.notes, *answer.notes))
        labelmap = weak_labelmap(answer, scan.volume.grid)
        seconds = time.perf_counter() - started
        return Made(labelmap, Making(name, answer.settings, seconds))

    return Method(summary, add_options, label)


METHODS: Final[Mapping[str, Method]] = {
    "levelset": _of_volume(
        "levelset", "a level set grown from seeds, times a roughly drawn region (--within)",
        add_level_set_options, level_set_answer,
    ),
    "otsu": _of_volume(
        "otsu", "classes of intensity between Otsu's thresholds", add_otsu_options, otsu_answer
    ),
    "region-growing": _of_volume(
        "region-growing", "what hangs together with the seeds and is about as bright",
        add_region_growing_options, region_growing_answer,
    ),
    "kmeans": _of_volume(
        "kmeans", "clusters of intensities, alone or with their neighborhood",
        add_kmeans_options, kmeans_answer,
    ),
    "fuzzy-cmeans": _of_volume(
        "fuzzy-cmeans", "classes of intensity, seen through the coil's shading (MR)",
        add_fuzzy_options, fuzzy_answer,
    ),
    "markov": _of_volume(
        "markov", "classes of intensity in which neighbors count: for noisy scans",
        add_markov_options, markov_answer,
    ),
    "watershed": _of_volume(
        "watershed", "floods edges from positive and negative prompts",
        add_watershed_options, watershed_answer,
    ),
    "propagate": Method(
        "labels of another scan, carried over by registration", add_propagate_options, propagated
    ),
    "deform": Method(
        "a known segmentation made wrong on purpose, to a wanted Dice",
        add_deform_options, deformed, "SEGMENTATION", "the segmentation that is held for true",
    ),
    "network": Method(
        "labels of an installed network", add_network_options, segmented
    ),
}  # fmt: skip
