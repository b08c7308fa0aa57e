"""A segmentation into files: written beside the target, read back, compared, and only then there.

The labels are those of `labelmap_from_node`: values, names and colors as they were made, also after
Slicer has renumbered its layers.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import slicer

from ..core.errors import SegmentationAIError
from ..core.labelmap import Label, Labelmap
from .export_surfaces import write_checked_surfaces
from .export_volumes import write_checked_labels, write_checked_segmentation
from .segmentation_node import labelmap_from_node

Writer = Callable[[Labelmap, Path, str], None]


@dataclass(frozen=True)
class ExportFormat:
    """One way to export.

    Attributes:
        key: Name in settings.
        title: For the person.
        losses: What it keeps and loses, one or two sentences.
        write: Writes a labelmap into a folder under a name, and reads it back.
    """

    key: str
    title: str
    losses: str
    write: Writer


def export_segmentation(
    node: slicer.vtkMRMLSegmentationNode,
    volume_node: slicer.vtkMRMLVolumeNode,
    format_key: str,
    folder: Path,
) -> tuple[Path, ...]:
    """Return the files that were written; files of the same names are replaced.

    Args:
        node: Not changed; hidden segments are exported too.
        volume_node: The files lie on its grid, parent transforms applied.
        format_key: Of one of `FORMATS`.
        folder: Has to be there.

    Raises:
        SegmentationAIError: There are no segments, the format cannot hold them, the folder cannot
            be written, or what was read back differs. Nothing is left behind then.
    """
    chosen = next(one for one in FORMATS if one.key == format_key)
    labelmap = labelmap_from_node(node, volume_node)
    if not labelmap.labels:
        raise SegmentationAIError(
            f"'{node.GetName()}' has no segments; there is nothing to export."
        )
    try:
        beside = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
    except OSError as error:
        raise SegmentationAIError(
            f"Nothing can be written to {folder.name} ({error.strerror}); choose another folder."
        ) from error
    try:
        chosen.write(labelmap, beside, file_name(node.GetName()))
        written = sorted(beside.iterdir())
        return tuple(path.replace(folder / path.name) for path in written)
    except OSError as error:
        raise SegmentationAIError(
            f"The files could not be written to {folder.name} ({error.strerror}); "
            "free some space, or choose another folder."
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _segmentation(labelmap: Labelmap, folder: Path, name: str) -> None:
    write_checked_segmentation(labelmap, folder / f"{name}.seg.nrrd")


def _one_volume(ending: str) -> Writer:
    def write(labelmap: Labelmap, folder: Path, name: str) -> None:
        if len(labelmap.layers) > 1:
            raise SegmentationAIError(
                f"Segments overlap, and {ending} holds one label per voxel; export as .seg.nrrd, "
                "or one file per segment."
            )
        write_checked_labels(labelmap.layers[0], labelmap.labels, labelmap, folder, name, ending)

    return write


def _one_volume_each(labelmap: Labelmap, folder: Path, name: str) -> None:
    for label, own in zip(labelmap.labels, _file_names(labelmap.labels, name), strict=True):
        voxels = labelmap.mask(label) * labelmap.layers[label.layer].dtype.type(label.value)
        write_checked_labels(voxels, (label,), labelmap, folder, own, ".nrrd")


def _surfaces(labelmap: Labelmap, folder: Path, name: str) -> None:
    write_checked_surfaces(labelmap, folder, _file_names(labelmap.labels, name))


def _file_names(labels: Sequence[Label], name: str) -> list[str]:
    """Return a different file name for every label."""
    names: list[str] = []
    for label in labels:
        own = f"{name} {file_name(label.name)}"
        if own.casefold() in {other.casefold() for other in names}:
            own += f" {label.value}"
        names.append(own)
    return names


def file_name(text: str) -> str:
    """Return text as a file name that every system takes."""
    return re.sub(r"[^\w .+-]", "_", text).strip(" .")[:80] or "segmentation"


FORMATS: Final = (
    ExportFormat(
        "seg.nrrd",
        "Slicer segmentation (.seg.nrrd)",
        "Everything survives: names, colors, codes, status and overlapping segments.",
        _segmentation,
    ),
    ExportFormat(
        "nii.gz",
        "Labels, NIfTI (.nii.gz)",
        "NIfTI keeps labels, not names: names, colors and codes go into a .labels.json file "
        "beside it. Overlapping segments do not fit.",
        _one_volume(".nii.gz"),
    ),
    ExportFormat(
        "nrrd",
        "Labels, NRRD (.nrrd)",
        "A plain labelmap: names, colors and codes go into a .labels.json file beside it. "
        "Overlapping segments do not fit.",
        _one_volume(".nrrd"),
    ),
    ExportFormat(
        "nrrd-each",
        "One NRRD file per segment",
        "Each segment on its own, overlapping ones too; each name, color and code goes into a "
        ".labels.json file beside it.",
        _one_volume_each,
    ),
    ExportFormat(
        "stl",
        "Surfaces (.stl), one file per segment",
        "Surfaces in mm (LPS, as Slicer writes them): voxels, colors and codes are lost, and the "
        "smoothed surface departs from the voxels by less than one voxel.",
        _surfaces,
    ),
)
