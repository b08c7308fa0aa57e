"""Methods of ``weak-label`` that bring label tables of their own: propagate, deform, network.

Nothing heavy is imported before a method runs.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .segment import add_network_arguments, chosen_names
from .weak_label_input import add_seed_option, number

if TYPE_CHECKING:
    from ..core.labelmap import Labelmap
    from ..core.progress import Progress
    from ..learn.weak_labels.weak_labelmap import Making


@dataclass(frozen=True, eq=False)
class Made:
    """Labels, and how they were made; the seconds leave reading out."""

    labelmap: "Labelmap"
    making: "Making"


def add_propagate_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``propagate``."""
    parser.add_argument(
        "--atlas", type=Path, required=True, metavar="VOLUME", help="the scan that has labels"
    )
    parser.add_argument(
        "--atlas-labels", type=Path, required=True, metavar="FILE", help="its labels, on its grid"
    )
    parser.add_argument(
        "--resolution", type=number, default=2.0, metavar="MM",
        help="of the grid on which both scans are compared; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--smoothness", type=number, default=5.0, metavar="MM",
        help="of the displacement after the affine map: larger bends less, 0 for the affine map "
        "alone; default %(default)s",
    )  # fmt: skip


def propagated(arguments: argparse.Namespace, progress: "Progress") -> Made:
    """Return the atlas's labels at their places in the volume."""
    from ..core.files import read_labelmap, read_volume
    from ..learn.weak_labels.propagate import PropagateOptions, propagate
    from ..learn.weak_labels.weak_labelmap import Making

    options = PropagateOptions(arguments.resolution, arguments.smoothness)
    volume, atlas = read_volume(arguments.volume), read_volume(arguments.atlas)
    labels = read_labelmap(arguments.atlas_labels)
    started = time.perf_counter()
    found = propagate(volume, atlas, labels, options, progress)
    seconds = time.perf_counter() - started
    labelmap = replace(found.labelmap, notes=(*volume.notes, *found.labelmap.notes))
    return Made(labelmap, Making("propagate", found.settings, seconds))


def add_deform_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``deform``."""
    parser.add_argument(
        "--target-dice", type=number, default=0.875, metavar="D",
        help="wanted mean Dice of the labels against what they were; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--tolerance", type=number, default=0.005, metavar="T",
        help="how far it may be missed; default %(default)s",
    )  # fmt: skip
    add_seed_option(parser)


def deformed(arguments: argparse.Namespace, progress: "Progress") -> Made:
    """Return the segmentation's labels, wrong by as much as was asked."""
    from ..core.files import read_labelmap
    from ..core.one_layer import merged
    from ..learn.weak_labels.deform import KnownLabels, deform_to_dice
    from ..learn.weak_labels.weak_labelmap import Making

    truth = merged(read_labelmap(arguments.volume))
    started = time.perf_counter()
    found = deform_to_dice(
        [KnownLabels(truth.layers[0], truth.spacing)],
        arguments.target_dice,
        seed=arguments.seed,
        tolerance=arguments.tolerance,
        progress=progress,
    )
    seconds = time.perf_counter() - started
    settings = {
        "target_dice": arguments.target_dice,
        "tolerance": arguments.tolerance,
        "seed": arguments.seed,
        "dice": round(found.mean_dice, 5),
        "strength": round(found.strength, 6),
    }
    labelmap = replace(truth, layers=found.labels)
    return Made(labelmap, Making("deform", settings, seconds))


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``network``: those of ``segment`` that say which network runs, and how."""
    add_network_arguments(parser)


def segmented(arguments: argparse.Namespace, progress: "Progress") -> Made:
    """Return a network's labels; they say which network and weights made them."""
    from ..core.files import read_volume
    from ..core.pipeline import Options
    from ..learn.weak_labels.weak_labelmap import Making
    from ..networks.segmenter import open_segmenter

    segmenter = open_segmenter(
        arguments.network,
        arguments.device,
        arguments.precision,
        dropout_samples=arguments.dropout_samples,
    )
    volume = read_volume(arguments.volume)
    options = Options(
        structures=chosen_names(arguments.labels), overlap=arguments.overlap, mirror=arguments.tta
    )
    started = time.perf_counter()
    result = segmenter.segment(volume, {}, options, progress)
    seconds = time.perf_counter() - started
    labelmap = replace(result.labelmap, notes=tuple(result.notes))
    making = Making(
        "network",
        {"network": segmenter.card.id},
        seconds,
        network=segmenter.card.id,
        weights_sha256=segmenter.weights_sha256,
    )
    return Made(labelmap, making)
