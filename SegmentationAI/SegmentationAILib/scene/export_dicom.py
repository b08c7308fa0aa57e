"""A segmentation as a DICOM Segmentation of the series that its scan was loaded from.

The worker writes it and reads it back, for highdicom lives in its environment; here its files are
found, and what comes back is put into a folder in one piece.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import slicer

from ..core.atomic import whole_file
from ..core.errors import SegmentationAIError
from ..core.progress import Progress
from ..worker.client import Call, Event, Worker
from .background_call import started
from .export import file_name
from .scan_kind import INSTANCES
from .segmentation_node import labelmap_from_node

DICOM_FORMAT: Final = (
    "dicom-seg",
    "DICOM segmentation (.dcm), for scans from DICOM",
    "Joins the study of the scan. Names, colors, codes and overlapping segments survive; label "
    'values and status are lost, and a segment without a code becomes "Tissue".',
)
DicomFile = Callable[[str], str]
"""Path of an instance's file, empty when unknown, as ``slicer.dicomDatabase.fileForInstance``."""


def dicom_files_of(volume_node: slicer.vtkMRMLVolumeNode, dicom_file: DicomFile) -> list[Path]:
    """Return the files that a scan was loaded from.

    Raises:
        SegmentationAIError: It was not loaded from DICOM, or files are gone.
    """
    name, instances = volume_node.GetName(), (volume_node.GetAttribute(INSTANCES) or "").split()
    if not instances:
        raise SegmentationAIError(
            f"'{name}' was not loaded from DICOM, and a DICOM segmentation belongs to the series "
            "of its scan; load the scan from Slicer's DICOM database, or export as .seg.nrrd."
        )
    paths = [dicom_file(uid) for uid in instances]
    gone = sum(not path or not Path(path).is_file() for path in paths)
    if gone:
        raise SegmentationAIError(
            f"{gone} of the {len(paths)} DICOM files of '{name}' are not in Slicer's DICOM "
            "database any more; import the series again, or export as .seg.nrrd."
        )
    return [Path(path) for path in paths]


def start_dicom_export(
    node: slicer.vtkMRMLSegmentationNode,
    volume_node: slicer.vtkMRMLVolumeNode,
    folder: Path,
    worker: Worker,
    dicom_file: DicomFile,
) -> Call[Path]:
    """Begin to write a DICOM Segmentation and return the call, whose result is the file.

    Args:
        node: Read now; what is edited afterwards is not in the file.
        volume_node: The scan that was loaded from DICOM.
        folder: Gets the file; one of the same name is replaced when the new one is whole.
        worker: Of this machine.
        dicom_file: Finds the files of the scan.

    Raises:
        SegmentationAIError: There are no segments, or the scan is not one of DICOM.
    """
    files = dicom_files_of(volume_node, dicom_file)
    labelmap = labelmap_from_node(node, volume_node)
    if not labelmap.labels:
        raise SegmentationAIError(
            f"'{node.GetName()}' has no segments; there is nothing to export."
        )
    labelmap = replace(labelmap, layers=tuple(np.array(layer) for layer in labelmap.layers))
    target = folder / f"{file_name(node.GetName())}.dcm"

    def work(progress: Progress) -> Path:
        def tell(event: Event) -> None:
            progress(event.fraction, event.sentence)

        call = worker.dicom_seg(labelmap, files, tell)
        with whole_file(target) as beside:
            beside.write_bytes(call.result())
        return target

    return started(work, "dicom export")
