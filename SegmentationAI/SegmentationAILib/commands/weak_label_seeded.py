"""Methods of ``weak-label`` that start from prompts.

Nothing heavy is imported before a method runs.
"""

import argparse
from typing import TYPE_CHECKING

from .weak_label_input import Scan, number

if TYPE_CHECKING:
    from ..core.progress import Progress
    from ..learn.weak_labels.weak_answer import WeakAnswer


def add_region_growing_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``region-growing``."""
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


def region_growing_answer(
    scan: Scan, arguments: argparse.Namespace, progress: "Progress"
) -> "WeakAnswer":
    """Return what hangs together with the seeds."""
    from ..learn.weak_labels.region_growing import RegionGrowingOptions, region_growing

    low, high = arguments.range
    options = RegionGrowingOptions(
        arguments.multiplier, arguments.iterations, arguments.radius, arguments.connectivity,
        low, high,
    )  # fmt: skip
    return region_growing(scan.voxels, scan.bounded_seeds(), options, progress)


def add_watershed_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``watershed``."""
    parser.add_argument(
        "--sigma", type=number, metavar="MM",
        help="of the Gaussian before the gradient; default: the mean of a voxel's sides",
    )  # fmt: skip
    parser.add_argument(
        "--superpixels", type=number, metavar="MM",
        help="take the superpixels (SLIC) of about this edge, mm, that the prompts pick instead",
    )  # fmt: skip


def watershed_answer(
    scan: Scan, arguments: argparse.Namespace, progress: "Progress"
) -> "WeakAnswer":
    """Return what the positive prompts flood, or the superpixels that they pick."""
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


def add_level_set_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``levelset``."""
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


def level_set_answer(
    scan: Scan, arguments: argparse.Namespace, progress: "Progress"
) -> "WeakAnswer":
    """Return the level set from the seeds, times the mask."""
    from ..learn.weak_labels.level_set import LevelSetOptions, level_set

    options = LevelSetOptions(
        arguments.alpha, arguments.beta, arguments.sigma, arguments.curvature,
        arguments.iterations, arguments.closing,
    )  # fmt: skip
    seeds = scan.needed_seeds()
    return level_set(scan.voxels, scan.volume.spacing, seeds, scan.within, options, progress)
