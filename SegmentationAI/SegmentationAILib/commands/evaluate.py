"""Compare a segmentation with a reference: Dice, HD95, surface Dice and volumes per structure.

Both files lie on the same grid (else exit status 2; nothing is resampled). Structures are matched
by label value; where segments of one file share a value, by name. A structure that is in neither
has no scores and counts in no mean; one that is in one file alone has a Dice of 0.

Examples:
  segmentationai evaluate --reference truth.seg.nrrd --prediction result.seg.nrrd
  segmentationai evaluate --reference truth.nii.gz --prediction mine.nii.gz --tolerance-mm 1 --json

HD95 and tolerance in mm, volumes in ml. Surface Dice counts border voxels within the tolerance, as
MONAI does. JSON keys: labels {value: {name, dice, hd95_mm, surface_dice, reference_ml,
prediction_ml}}, mean_dice, border.
"""

import argparse
import json
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.labelmap import Label, Labelmap

if TYPE_CHECKING:  # the real import loads compiled libraries, for which --help should not wait
    from ..core.metrics import Scores

BORDER: Final = "voxel"


@dataclass(frozen=True)
class _Pair:
    """One structure: its rows in both files, None where a file does not have it."""

    value: int
    name: str
    reference: Label | None
    prediction: Label | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``evaluate``."""
    parser.add_argument("--reference", type=Path, required=True, metavar="FILE", help="the truth")
    parser.add_argument("--prediction", type=Path, required=True, metavar="FILE", help="to score")
    parser.add_argument(
        "--tolerance-mm", type=_millimeters, default=2.0, metavar="MM",
        help="distance up to which surfaces agree, default %(default)s mm",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the scores of one prediction."""
    from ..core.files import read_labelmap
    from ..core.volume import check_same_grid

    reference = read_labelmap(arguments.reference)
    prediction = read_labelmap(arguments.prediction)
    names = (arguments.reference.name, arguments.prediction.name)
    check_same_grid(reference.grid, prediction.grid, names)
    table = scores_of(reference, prediction, arguments.tolerance_mm)
    if arguments.json:
        print(json.dumps(table, indent=1, allow_nan=False))
    else:
        _print_table(table, arguments.tolerance_mm)
    return 0


def scores_of(reference: Labelmap, prediction: Labelmap, tolerance_mm: float) -> dict[str, Any]:
    """Return the scores of ``evaluate --json`` for two labelmaps on one grid."""
    from ..core.metrics import compare

    pairs = _pairs(reference, prediction)
    score = partial(compare, spacing=reference.spacing, tolerance_mm=tolerance_mm, border=BORDER)
    if len(reference.layers) == len(prediction.layers) == 1 and _are_by_value(pairs):
        first, second = (lm.layers[0] for lm in (reference, prediction))
        found = score(first, second, label_values=[pair.value for pair in pairs])
    else:  # overlapping segments cannot lie in one array; each pair has masks of its own
        found = {
            pair.value: score(*_masks(pair, reference, prediction), label_values=[1])[1]
            for pair in pairs
        }
    labels = {pair.value: _row(pair.name, found[pair.value]) for pair in pairs}
    dice = [row["dice"] for row in labels.values() if row["dice"] is not None]
    mean = sum(dice) / len(dice) if dice else None
    return {"labels": labels, "mean_dice": mean, "border": BORDER}


def _pairs(reference: Labelmap, prediction: Labelmap) -> list[_Pair]:
    """Return the structures of both files, matched by value, or by name where values repeat."""
    tables = []
    for labelmap in (reference, prediction):
        by_value = {label.value: label for label in labelmap.labels}
        if len(by_value) < len(labelmap.labels):
            return _pairs_by_name(reference, prediction)
        tables.append(by_value)
    first, second = tables
    return [
        _Pair(
            value, _name(first.get(value), second.get(value)), first.get(value), second.get(value)
        )
        for value in sorted(set(first) | set(second))
    ]


def _pairs_by_name(reference: Labelmap, prediction: Labelmap) -> list[_Pair]:
    from ..core.errors import SegmentationAIError

    tables = [{label.name: label for label in lm.labels} for lm in (reference, prediction)]
    for table, labelmap in zip(tables, (reference, prediction), strict=True):
        if len(table) < len(labelmap.labels):
            raise SegmentationAIError(
                "Segments share both label value and name, and cannot be matched; give each a "
                "name of its own in Slicer."
            )
    first, second = tables
    return [
        _Pair(number, name, first.get(name), second.get(name))
        for number, name in enumerate(dict.fromkeys([*first, *second]), start=1)
    ]


def _name(first: Label | None, second: Label | None) -> str:
    """Return the reference's name, unless it has none and the prediction does."""
    rows = [row for row in (first, second) if row is not None]
    named = [row for row in rows if row.name != f"Label {row.value}"]
    return (named or rows)[0].name


def _are_by_value(pairs: list[_Pair]) -> bool:
    rows = [(p.value, row) for p in pairs for row in (p.reference, p.prediction) if row is not None]
    return all(value == row.value for value, row in rows)


def _masks(
    pair: _Pair, reference: Labelmap, prediction: Labelmap
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    empty = np.zeros(reference.grid.shape, np.uint8)
    both = ((pair.reference, reference), (pair.prediction, prediction))
    first, second = (empty if r is None else lm.mask(r).view(np.uint8) for r, lm in both)
    return first, second


def _row(name: str, scores: "Scores") -> dict[str, Any]:
    keys = ("dice", "hd95_mm", "surface_dice", "reference_ml", "prediction_ml")
    return {"name": name, **{key: _number(getattr(scores, key)) for key in keys}}


def _number(score: float | None) -> float | None:
    """Return a score that JSON can say: None for one that is not defined."""
    return None if score is None or not math.isfinite(score) else float(score)


def _print_table(table: dict[str, Any], tolerance_mm: float) -> None:
    from ..core.shown_text import shown_names

    rows = list(table["labels"].items())
    names = shown_names([row["name"] for _, row in rows])
    width = max([len("structure"), *map(len, names)])
    surface = f"surface Dice {tolerance_mm:g} mm"
    print(
        f"{'value':>5}  {'structure':{width}}  {'Dice':>6}  {'HD95 mm':>8}  {surface}  "
        f"{'reference ml':>12}  {'prediction ml':>13}"
    )
    for (value, row), name in zip(rows, names, strict=True):
        print(
            f"{value:>5}  {name:{width}}  {_shown(row['dice'], 4):>6}  "
            f"{_shown(row['hd95_mm'], 2):>8}  {_shown(row['surface_dice'], 4):>{len(surface)}}  "
            f"{_shown(row['reference_ml'], 3):>12}  {_shown(row['prediction_ml'], 3):>13}"
        )
    print(f"mean Dice {_shown(table['mean_dice'], 4)}")


def _shown(number: float | None, digits: int) -> str:
    return "-" if number is None else f"{number:.{digits}f}"


def _millimeters(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text} is not a distance; 0 or more mm was expected")
    return value
