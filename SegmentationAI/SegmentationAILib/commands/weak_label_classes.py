"""Methods of ``weak-label`` that sort voxels by intensity, and the choice among their classes.

Nothing heavy is imported before a method runs.
"""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from .weak_label_input import Scan, add_seed_option, class_numbers, number

if TYPE_CHECKING:
    from ..core.progress import Progress
    from ..learn.weak_labels.weak_answer import WeakAnswer


def add_otsu_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``otsu``."""
    _add_classes(parser, default=2, most=4)


def otsu_answer(scan: Scan, arguments: argparse.Namespace, progress: "Progress") -> "WeakAnswer":
    """Return the classes between Otsu's thresholds."""
    from ..learn.weak_labels.otsu import OtsuOptions, otsu

    return otsu(scan.voxels, OtsuOptions(arguments.classes), scan.within, progress)


def add_kmeans_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``kmeans``."""
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


def kmeans_answer(scan: Scan, arguments: argparse.Namespace, progress: "Progress") -> "WeakAnswer":
    """Return clusters of voxels, or of superpixels."""
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


def add_fuzzy_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``fuzzy-cmeans``."""
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


def fuzzy_answer(scan: Scan, arguments: argparse.Namespace, progress: "Progress") -> "WeakAnswer":
    """Return classes seen through the shading."""
    from ..learn.weak_labels.fuzzy_cmeans import FuzzyOptions, fuzzy_cmeans

    options = FuzzyOptions(
        arguments.classes, arguments.bias_degree, arguments.fuzzifier, arguments.seed
    )
    return fuzzy_cmeans(scan.voxels, options, scan.within, progress)


def add_markov_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``markov``."""
    _add_classes(parser, default=3, most=16)
    parser.add_argument(
        "--beta", type=number, default=1.0, metavar="B",
        help="how much a neighbor counts, 0 (not) and up; across thick slices it counts less; "
        "default %(default)s",
    )  # fmt: skip
    add_seed_option(parser)


def markov_answer(scan: Scan, arguments: argparse.Namespace, progress: "Progress") -> "WeakAnswer":
    """Return classes in which neighbors count."""
    from ..learn.weak_labels.markov import MarkovOptions, markov

    options = MarkovOptions(arguments.classes, arguments.beta, arguments.seed)
    return markov(scan.voxels, scan.volume.spacing, options, scan.within, progress)


def picked_answer(answer: "WeakAnswer", scan: Scan, arguments: argparse.Namespace) -> "WeakAnswer":
    """Return the classes asked for, or those under positive prompts, as one object."""
    from ..learn.weak_labels.picked_classes import classes_under, picked_classes

    if arguments.keep is not None:
        return picked_classes(answer, arguments.keep, scan.within)
    if scan.seeds is not None:
        return picked_classes(answer, classes_under(answer, scan.seeds, scan.within), scan.within)
    return answer


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
