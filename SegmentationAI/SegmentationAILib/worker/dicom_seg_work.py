"""What the worker does for a call ``dicom_seg``: labels become a file of a DICOM series."""

import importlib.util
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..core.admission import check_sizes, checked_affine
from ..core.errors import SegmentationAIError
from ..core.progress import Progress
from .frame import Frame
from .protocol import PROGRAM_VERSION, WorkerError
from .wire_volumes import FILE, labelmap_of_frame

MOST_FILES: Final = 20_000


def dicom_seg(frame: Frame, progress: Progress, *, takes_paths: bool) -> Frame:
    """Return the bytes of a DICOM Segmentation as the array ``file``.

    Args:
        frame: The labels; header ``sources``, the paths of the series' files on this machine.
        progress: Told between its parts; raises when the call was canceled.
        takes_paths: Whether the call came from this machine.

    Raises:
        WorkerError: The frame does not say what to do, or came from another machine.
        SegmentationAIError: The labels do not fit the series, or the series is not one.
    """
    sources = _paths(frame.header.get("sources"))
    if not takes_paths:
        raise WorkerError(
            "A server cannot read the DICOM files of your computer; take its address out of the "
            "step Settings to write the segmentation here, or export as .seg.nrrd."
        )
    if importlib.util.find_spec("highdicom") is None:
        raise SegmentationAIError(
            "The worker's environment lacks highdicom, which writes DICOM; set the environment up "
            "again in the step Settings."
        )
    labelmap = labelmap_of_frame(frame)
    check_sizes(labelmap.grid.shape, labelmap.layers[0].dtype.itemsize, "The labelmap")
    checked_affine(labelmap.affine, "The labelmap")
    from ..core.formats.dicom_seg import dicom_seg_bytes
    from ..core.formats.dicom_source import read_dicom_source

    progress(0.0, f"Reading the headers of {len(sources)} DICOM files")
    source = read_dicom_source(sources)
    progress(0.2, "Writing the DICOM segmentation and reading it back")
    data = dicom_seg_bytes(labelmap, source, PROGRAM_VERSION)
    progress(1.0, "DICOM segmentation written")
    return Frame({}, {FILE: np.frombuffer(data, np.uint8)})


def _paths(given: Any) -> list[Path]:
    if not isinstance(given, list) or not 0 < len(given) <= MOST_FILES:
        raise WorkerError("The call names no DICOM files, or too many.")
    if not all(isinstance(path, str) for path in given):
        raise WorkerError("The call names files by something else than text.")
    return [Path(path) for path in given]
