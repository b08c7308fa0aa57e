"""The methods of ``weak-label``: what each is called, its options, and how it is run.

Nothing heavy is imported before a method runs.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from .weak_label_input import (
    Scan,
    add_place_options,
    add_seed_option,
    class_numbers,
    number,
    read_scan,
)
from .weak_label_labelmaps import (
    Made,
    add_deform_options,
    add_network_options,
    add_propagate_options,
    deformed,
    propagated,
    segmented,
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


def _add_otsu(parser: argparse.ArgumentParser) -> None:
    _add_classes(parser, default=2, most=4)


def _otsu(scan: Scan, arguments: argparse.Namespace, progress: "Progress") -> "WeakAnswer":
    from ..learn.weak_labels.otsu import OtsuOptions, otsu

    return otsu(scan.voxels, OtsuOptions(arguments.classes), scan.within, progress)


def _add_kmeans(parser: argparse.ArgumentParser) -> None:
    _add_classes(parser, default=3, most=16)
    parser.add_argument(
        "--spatial", action="store_true",
        help="cluster mean and median of each voxel's 3 x 3 x 3 neighborhood too: less noise",
    )  # fmt: skip
    parser.add_argument(
        "--superpixels", type=number, metavar="MM",
        help="cluster superpixels (SLIC) of about this edge, mm, in place of voxels",
    )  # fmt: skip
    add_seed_option(parser)


def _kmeans(scan: Scan, arguments: argparse.Namespace, progress: "Progress") -> "WeakAnswer":
    from ..learn.weak_labels.kmeans import KMeansOptions, kmeans
    from ..learn.weak_labels.superpixels import superpixel_means, superpixels

    voxels, told, more = scan.voxels, progress, {}
    if arguments.superpixels is not None:
        pieces = superpixels(voxels, scan.volume.spacing, arguments.superpixels, told.part(0, 0.5))
        voxels, told = superpixel_means(voxels, pieces), told.part(0.5, 1.0)
        more = {"superpixels_mm": arguments.superpixels}
    options = KMeansOptions(arguments.classes, arguments.spatial, arguments.seed)
    answer = kmeans(voxels, options, scan.within, told)
    return replace(answer, settings={**answer.settings, **more})


def _add_fuzzy(parser: argparse.ArgumentParser) -> None:
    _add_classes(parser, default=3, most=16)
    parser.add_argument(
        "--bias-degree", type=int, default=3, metavar="N",
        help="degree of the polynomial that models the coil's shading, 0 (none, for CT) to 4; "
        "default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--fuzzifier", type=number, default=2.0, metavar="M",
        help="exponent of the memberships, above 1; default %(default)s",
    )  # fmt: skip
    add_seed_option(parser)


def _fuzzy(scan: Scan, arguments: argparse.Namespace, progress: "Progress") -> "WeakAnswer":
    from ..learn.weak_labels.fuzzy_cmeans import FuzzyOptions, fuzzy_cmeans

    options = FuzzyOptions(
        arguments.classes, arguments.bias_degree, arguments.fuzzifier, arguments.seed
    )
    return fuzzy_cmeans(scan.voxels, options, scan.within, progress)


def _add_markov(parser: argparse.ArgumentParser) -> None:
    _add_classes(parser, default=3, most=16)
    parser.add_argument(
        "--beta", type=number, default=1.0, metavar="B",
        help="how much a neighbor counts, 0 (not) and up; across thick slices it counts less; "
        "default %(default)s",
    )  # fmt: skip
    add_seed_option(parser)


def _markov(scan: Scan, arguments: argparse.Namespace, progress: "Progress") -> "WeakAnswer":
    from ..learn.weak_labels.markov import MarkovOptions, markov

    options = MarkovOptions(arguments.classes, arguments.beta, arguments.seed)
    return markov(scan.voxels, scan.volume.spacing, options, scan.within, progress)


def _add_region_growing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--multiplier", type=number, default=2.5, metavar="K",
        help="range: mean plus and minus K standard deviations; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--iterations", type=int, default=4, metavar="N",
        help="how often the range is measured anew; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--radius", type=int, default=1, metavar="N",
        help="of the cube about each seed that is measured first, voxels; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--connectivity", type=int, default=6, choices=(6, 18, 26),
        help="voxels touch at faces (6), edges (18) or corners (26); default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--range", type=number, nargs=2, default=(None, None), metavar=("LOW", "HIGH"),
        help="a fixed range of intensities (HU in CT) in place of a measured one",
    )  # fmt: skip


def _region_growing(
    scan: Scan, arguments: argparse.Namespace, progress: "Progress"
) -> "WeakAnswer":
    from ..learn.weak_labels.region_growing import RegionGrowingOptions, region_growing

    low, high = arguments.range
    options = RegionGrowingOptions(
        arguments.multiplier, arguments.iterations, arguments.radius, arguments.connectivity,
        low, high,
    )  # fmt: skip
    return region_growing(scan.voxels, scan.bounded_seeds(), options, progress)


def _add_watershed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sigma", type=number, metavar="MM",
        help="of the Gaussian before the gradient; default: the mean of a voxel's sides",
    )  # fmt: skip
    parser.add_argument(
        "--superpixels", type=number, metavar="MM",
        help="take the superpixels (SLIC) of about this edge, mm, that the prompts pick instead",
    )  # fmt: skip


def _watershed(scan: Scan, arguments: argparse.Namespace, progress: "Progress") -> "WeakAnswer":
    from ..learn.weak_labels.superpixels import picked_superpixels, superpixels
    from ..learn.weak_labels.watershed import WatershedOptions, watershed
    from ..learn.weak_labels.weak_answer import answer_of_mask

    seeds, spacing = scan.bounded_seeds(), scan.volume.spacing
    if arguments.superpixels is None:
        options = WatershedOptions(arguments.sigma)
        return watershed(scan.voxels, spacing, seeds, options, progress)
    pieces = superpixels(scan.voxels, spacing, arguments.superpixels, progress)
    picked = picked_superpixels(pieces, scan.needed_seeds())
    mask = picked if scan.within is None else picked & scan.within
    return answer_of_mask(mask, {"superpixels_mm": arguments.superpixels})


def _add_level_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--alpha", type=number, metavar="A",
        help="width of the sigmoid, intensities; default: a third of the range near the seeds",
    )  # fmt: skip
    parser.add_argument(
        "--beta", type=number, metavar="B",
        help="middle of the sigmoid; default: the median near the seeds. The paper: 80 and 200",
    )  # fmt: skip
    parser.add_argument(
        "--sigma", type=number, metavar="MM",
        help="of the Gaussian before the gradient; default: the mean of a voxel's sides",
    )  # fmt: skip
    parser.add_argument(
        "--curvature", type=number, default=0.5, metavar="C",
        help="how smooth the contour is kept, 0.2 to 1 is usual; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--iterations", type=int, default=500, metavar="N",
        help="at most so many steps of the contour; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--closing", type=number, default=2.0, metavar="MM",
        help="radius of the closing at the end, 0 for none; default %(default)s",
    )  # fmt: skip


def _level_set(scan: Scan, arguments: argparse.Namespace, progress: "Progress") -> "WeakAnswer":
    from ..learn.weak_labels.level_set import LevelSetOptions, level_set

    options = LevelSetOptions(
        arguments.alpha, arguments.beta, arguments.sigma, arguments.curvature,
        arguments.iterations, arguments.closing,
    )  # fmt: skip
    seeds = scan.needed_seeds()
    return level_set(scan.voxels, scan.volume.spacing, seeds, scan.within, options, progress)


def _add_classes(parser: argparse.ArgumentParser, default: int, most: int) -> None:
    parser.add_argument(
        "--classes", type=int, default=default, metavar="N",
        help=f"classes of intensity, 2 to {most}; default %(default)s. Without --within the "
        "darkest is background",
    )  # fmt: skip
    parser.add_argument(
        "--keep", type=class_numbers, metavar="N,...",
        help="make one segment of these classes, 1 for the darkest; with positive prompts and "
        "without --keep it is made of the classes under them",
    )  # fmt: skip


def _picked(answer: "WeakAnswer", scan: Scan, arguments: argparse.Namespace) -> "WeakAnswer":
    """Return the classes asked for, or those under positive prompts, as one object."""
    from ..learn.weak_labels.picked_classes import classes_under, picked_classes

    if arguments.keep is not None:
        return picked_classes(answer, arguments.keep, scan.within)
    if scan.seeds is not None:
        return picked_classes(answer, classes_under(answer, scan.seeds, scan.within), scan.within)
    return answer


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
            answer = _picked(answer, scan, arguments)
        answer = _cleaned(answer, arguments)
        answer = replace(answer, notes=(*scan.notes, *answer.notes))
        labelmap = weak_labelmap(answer, scan.volume.grid)
        seconds = time.perf_counter() - started
        return Made(labelmap, Making(name, answer.settings, seconds))

    return Method(summary, add_options, label)


METHODS: Final[Mapping[str, Method]] = {
    "levelset": _of_volume(
        "levelset", "a level set grown from seeds, times a roughly drawn region (--within)",
        _add_level_set, _level_set,
    ),
    "otsu": _of_volume(
        "otsu", "classes of intensity between Otsu's thresholds", _add_otsu, _otsu
    ),
    "region-growing": _of_volume(
        "region-growing", "what hangs together with the seeds and is about as bright",
        _add_region_growing, _region_growing,
    ),
    "kmeans": _of_volume(
        "kmeans", "clusters of intensities, alone or with their neighborhood", _add_kmeans, _kmeans
    ),
    "fuzzy-cmeans": _of_volume(
        "fuzzy-cmeans", "classes of intensity, seen through the coil's shading (MR)",
        _add_fuzzy, _fuzzy,
    ),
    "markov": _of_volume(
        "markov", "classes of intensity in which neighbors count: for noisy scans",
        _add_markov, _markov,
    ),
    "watershed": _of_volume(
        "watershed", "floods edges from positive and negative prompts",
        _add_watershed, _watershed,
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
