"""Check a volume as it would be checked before segmenting, and show its geometry.

VOLUME is a .nii, .nii.gz, .nrrd, .nhdr, .mha, .mgz or .seg.nrrd file, or a folder with one DICOM
series. A file that is damaged, cut off or hostile is refused (exit status 2) with the reason.

Examples:
  segmentationai info ct.nii.gz
  segmentationai info series-folder --json

Spacing in mm; the affine maps voxel centers (i, j, k) to RAS mm. JSON keys: size, spacing_mm,
affine, dtype, range, channels, notes, and labels where the file names some.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..core.volume import Array


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``info``."""
    parser.add_argument("volume", type=Path, metavar="VOLUME", help="file or DICOM series folder")
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print what a volume is."""
    facts = facts_of(arguments.volume)
    if arguments.json:
        print(json.dumps(facts, indent=1, allow_nan=False))
    else:
        _print_facts(facts)
    return 0


def facts_of(path: Path) -> dict[str, Any]:
    """Return the facts of ``info --json``.

    Raises:
        SegmentationAIError: The file is refused.
    """
    from ..core.files import is_segmentation, read_labelmap, read_volume

    volume = read_volume(path)
    facts: dict[str, Any] = {
        "size": list(volume.grid.shape),
        "spacing_mm": list(volume.spacing),
        "affine": volume.affine.tolist(),
        "dtype": str(volume.voxels.dtype),
        "range": finite_range(volume.voxels),
        "channels": volume.channels,
        "notes": list(volume.notes),
    }
    if is_segmentation(path):
        labelmap = read_labelmap(path)
        facts["labels"] = [
            {"value": label.value, "name": label.name, "layer": label.layer}
            for label in labelmap.labels
        ]
        facts["notes"] = list(dict.fromkeys([*facts["notes"], *labelmap.notes]))
    return facts


def finite_range(voxels: Array) -> list[float | int | None]:
    """Return the lowest and highest finite value, ``[None, None]`` when there is none."""
    lowest, highest = voxels.min(), voxels.max()
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        finite = voxels[np.isfinite(voxels)]
        if finite.size == 0:
            return [None, None]
        lowest, highest = finite.min(), finite.max()
    return [lowest.item(), highest.item()]


def _print_facts(facts: dict[str, Any]) -> None:
    from ..core.shown_text import shown_names

    low, high = facts["range"]
    print(f"size        {' x '.join(map(str, facts['size']))} voxels")
    print(f"spacing     {' x '.join(f'{mm:.6g}' for mm in facts['spacing_mm'])} mm")
    print(f"channels    {facts['channels']}")
    print(f"voxels      {facts['dtype']}, {low} to {high}")
    print("affine      (i, j, k) to RAS mm")
    for row in facts["affine"]:
        print("            " + " ".join(f"{value:12.6f}" for value in row))
    labels = facts.get("labels", [])
    names = shown_names([label["name"] for label in labels])
    for label, name in zip(labels, names, strict=True):
        print(f"label       {label['value']:>5}  {name}")
    for note in facts["notes"]:
        print(f"note        {note}")
