"""The formats of *Export*, as the panel asks for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer

from ..worker.client import Call
from .call_watch import OnProgress, outcome_of_call, watch_call
from .export import FORMATS, export_segmentation
from .export_dicom import DICOM_FORMAT, DicomFile, start_dicom_export
from .panel_facts import Outcome
from .ticker import Ticker
from .translation import tr as _
from .worker_setup import WorkerSetup


class PanelExport:
    """Writes segmentations into files.

    Args:
        setup: The worker, which writes DICOM.
        ticker: The event loop.
        dicom_file: Finds the DICOM files that scans were loaded from.
    """

    def __init__(self, setup: WorkerSetup, ticker: Ticker, dicom_file: DicomFile) -> None:
        self._setup, self._ticker, self._dicom_file = setup, ticker, dicom_file

    def formats(self) -> tuple[tuple[str, str, str], ...]:
        """Return key, title and "what it keeps and loses" of each format."""
        return (*((one.key, one.title, one.losses) for one in FORMATS), DICOM_FORMAT)

    def export(
        self,
        node: slicer.vtkMRMLSegmentationNode,
        volume: slicer.vtkMRMLScalarVolumeNode,
        format_key: str,
        folder: Path,
    ) -> str:
        """Write, read back and compare; return what was written.

        Raises:
            SegmentationAIError: As `export.export_segmentation`.
        """
        files = export_segmentation(node, volume, format_key, folder)
        names = ", ".join(path.name for path in files[:3]) + (", ..." if len(files) > 3 else "")
        said = _("Wrote and read back {count} files to {folder}: {names}.")
        return said.format(count=len(files), folder=folder.name, names=names)

    def export_dicom(
        self,
        node: slicer.vtkMRMLSegmentationNode,
        volume: slicer.vtkMRMLScalarVolumeNode,
        folder: Path,
        on_progress: OnProgress,
        on_end: Callable[[Outcome], None],
    ) -> None:
        """Write a DICOM Segmentation in the background and read it back.

        Raises:
            SegmentationAIError: As `export_dicom.start_dicom_export`, or the worker has no
                environment yet.
        """
        worker = self._setup.worker()
        call = start_dicom_export(node, volume, folder, worker, self._dicom_file)

        def ended(call: Call[Any]) -> None:
            said = _("Wrote and read back {name} in {folder}.")
            on_end(
                outcome_of_call(call, lambda path: said.format(name=path.name, folder=folder.name))
            )

        watch_call(call, self._ticker, on_progress, ended)
