"""Convert a volume to another format, or a segmentation to another format.

IN and OUT are told apart by their names: .nii .nii.gz .nrrd .nhdr .mha .mgz and .seg.nrrd. IN may
also be a folder with one DICOM series. A segmentation is a .seg.nrrd, or a file with its label
table (NAME.labels.json) beside it; written to another format than .seg.nrrd it gets that table.
Segments that overlap are kept by .seg.nrrd alone and refused by the others.

Examples:
  segmentationai convert series-folder ct.nii.gz
  segmentationai convert ct.nii.gz ct.nrrd
  segmentationai convert brain.seg.nrrd brain.nii.gz      (and brain.labels.json)
  segmentationai convert labels.nii.gz labels.seg.nrrd
  segmentationai convert ./-odd-name.nii out.mha          (a name with a leading dash)

Voxels are kept one by one, and places in RAS millimeters; nothing is resampled, except onto right
angles where the axes of IN are sheared, which is said.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``convert``."""
    parser.add_argument("source", type=Path, metavar="IN", help="file or DICOM series folder")
    parser.add_argument("target", type=Path, metavar="OUT", help="file; its ending decides")


def run(arguments: argparse.Namespace) -> int:
    """Convert one file and say what was mended or changed."""
    from ..core import files

    source, target = arguments.source, arguments.target
    is_segmentation = files.is_segmentation(source) or _is_slicer(target)
    files.check_target(target, "segmentation" if is_segmentation else "volume")
    notes = _convert_segmentation(source, target) if is_segmentation else _convert(source, target)
    for note in notes:
        print(f"note: {note}")
    print(f"{target.name} written")
    return 0


def _convert(source: Path, target: Path) -> tuple[str, ...]:
    from ..core.files import read_volume, write_volume

    volume = read_volume(source)
    write_volume(volume, target)
    return volume.notes


def _convert_segmentation(source: Path, target: Path) -> tuple[str, ...]:
    from ..core.files import read_labelmap, write_labelmap
    from ..core.one_layer import merged

    labelmap = read_labelmap(source)
    if not _is_slicer(target):
        labelmap = merged(labelmap)
    write_labelmap(labelmap, target)
    return labelmap.notes


def _is_slicer(path: Path) -> bool:
    return path.name.lower().endswith(".seg.nrrd")
