"""What methods of ``weak-label`` share: options for where to look, and how a scan is read.

Nothing heavy is imported before a scan is read.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..core.volume import Volume
    from ..learn.weak_labels.seeds import Seeds

    Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Scan:
    """A volume with what a person said about it.

    Attributes:
        volume: Of which methods look at the first channel.
        seeds: From prompts; None when there are none.
        within: Where labels may lie: the mask and the positive boxes together; None for anywhere.
        notes: Of reading.
    """

    volume: "Volume"
    seeds: "Seeds | None"
    within: "Mask | None"
    notes: tuple[str, ...]

    @property
    def voxels(self) -> "NDArray[Any]":
        """The first channel ``(I, J, K)``."""
        first: NDArray[Any] = self.volume.voxels[0]
        return first

    def needed_seeds(self) -> "Seeds":
        """Return the seeds of a method that cannot do without.

        Raises:
            PromptError: There are no prompts, or none of them is a positive seed.
        """
        from ..core.errors import PromptError

        if self.seeds is None:
            raise PromptError(
                "This method starts from prompts; give --prompts FILE with at least one positive "
                "point or scribble in the structure."
            )
        self.seeds.check(self.volume.grid.shape)
        return self.seeds

    def bounded_seeds(self) -> "Seeds":
        """Return the needed seeds, with all that lies where no label may be as negative ones.

        Raises:
            PromptError: There are no prompts, or none of them is a positive seed.
        """
        from ..learn.weak_labels.seeds import Seeds

        seeds = self.needed_seeds()
        if self.within is None:
            return seeds
        return Seeds(seeds.positive, seeds.negative | ~self.within)


def add_place_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where to look, and what is done with the result."""
    parser.add_argument(
        "--prompts",
        type=Path,
        metavar="FILE",
        help="points, scribbles, lassos, boxes; RAS mm, JSON",
    )
    parser.add_argument(
        "--within", type=Path, metavar="FILE",
        help="a segmentation on the volume's grid; labels lie only where it has any",
    )  # fmt: skip
    parser.add_argument(
        "--largest", action="store_true", help="keep each label's largest connected component alone"
    )
    parser.add_argument(
        "--fill-holes", action="store_true", help="fill what each label encloses on all sides"
    )


def read_scan(arguments: argparse.Namespace) -> Scan:
    """Return the volume of the arguments with its prompts and mask.

    Raises:
        SegmentationAIError: A file is refused, the mask lies on another grid, or prompts lie
            outside of the volume.
    """
    from ..core.files import read_labelmap, read_volume
    from ..core.prompt_file import read_prompts
    from ..core.volume import check_same_grid
    from ..learn.weak_labels.prompted_seeds import prompted_seeds

    volume = read_volume(arguments.volume)
    notes = volume.notes
    if volume.channels > 1:
        notes = (*notes, f"Of {volume.channels} channels the first was looked at.")
    seeds = within = None
    if arguments.within is not None:
        mask = read_labelmap(arguments.within)
        check_same_grid(volume.grid, mask.grid, (arguments.volume.name, arguments.within.name))
        within = _anywhere(mask.layers)
    if arguments.prompts is not None:
        prompted = prompted_seeds(read_prompts(arguments.prompts), volume.grid)
        has_seeds = prompted.seeds.positive.any() or prompted.seeds.negative.any()
        seeds = prompted.seeds if has_seeds else None
        if prompted.limit is not None:
            within = prompted.limit if within is None else within & prompted.limit
    return Scan(volume, seeds, within, notes)


def _anywhere(layers: "tuple[NDArray[Any], ...]") -> "Mask":
    found = layers[0] > 0
    for layer in layers[1:]:
        found = found | (layer > 0)
    return found


def number(text: str) -> float:
    """Return a finite number, for argparse."""
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return value


def seed_number(text: str) -> int:
    """Return a whole number from 0, for argparse."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text[:40]} is not a whole number from 0 to 999999999")
    return int(text)


def add_seed_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--seed``."""
    parser.add_argument(
        "--seed", type=seed_number, default=0, metavar="N",
        help="source of all that is random; default %(default)s",
    )  # fmt: skip


def class_numbers(text: str) -> list[int]:
    """Return the whole numbers of a comma-separated list, for argparse."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        raise argparse.ArgumentTypeError(f"{text[:40]} is not a list of classes such as 2,3")
    return [int(part) for part in parts]
