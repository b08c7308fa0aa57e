"""A table of measures that follows every edit of a segmentation."""

import csv
import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from ..core.atomic import whole_file
from ..core.errors import SegmentationAIError
from ..core.volume import Array
from ..worker.client import Call
from .call_watch import watch_call
from .panel_facts import Table
from .segment_measures import SegmentMeasures, measured
from .segmentation_node import labelmap_from_node
from .surfaces import CLOSED_SURFACE
from .ticker import Ticker
from .volume_node import volume_from_node

HEADINGS: Final = ("Segment", "Volume, ml", "Surface, cm²", "Mean", "Deviation")
_EVENTS: Final = (
    slicer.vtkSegmentation.SegmentAdded,
    slicer.vtkSegmentation.SegmentRemoved,
    slicer.vtkSegmentation.SegmentModified,
    slicer.vtkSegmentation.RepresentationModified,
    getattr(slicer.vtkSegmentation, "SourceRepresentationModified", None)
    or slicer.vtkSegmentation.MasterRepresentationModified,
)
OnTable = Callable[[Table], None]


class MeasureFollower:
    """Measures one segmentation at a time, in the background.

    Args:
        ticker: The event loop.
    """

    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker
        self._node: slicer.vtkMRMLSegmentationNode | None = None
        self._volume: slicer.vtkMRMLScalarVolumeNode | None = None
        self._on_table: OnTable = lambda table: None
        self._observed: list[tuple[vtk.vtkObject, int]] = []
        self._is_due = self._is_busy = False
        self._table = Table(HEADINGS, ())

    def follow(
        self,
        node: slicer.vtkMRMLSegmentationNode | None,
        volume: slicer.vtkMRMLScalarVolumeNode | None,
        on_table: OnTable,
    ) -> None:
        """Call ``on_table`` soon and after every edit; None for a node stops.

        Raises:
            GeometryError: The segments lie on other voxels than the scan.
        """
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed = []
        self._node, self._volume, self._on_table = node, volume, on_table
        self._table = Table(HEADINGS, ())
        if node is None or volume is None:
            on_table(self._table)
            return
        segmentation = node.GetSegmentation()
        self._observed = [
            (segmentation, segmentation.AddObserver(event, lambda *_: self._edited()))
            for event in _EVENTS
        ]
        self._measure()

    def write_csv(self, path: Path) -> str:
        """Write the table that is followed; return what was written.

        Raises:
            SegmentationAIError: The file cannot be written; one of that name is as it was.
        """
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self._table.headings, *self._table.rows])
        try:
            with whole_file(path) as beside:
                beside.write_text(text.getvalue(), encoding="utf-8")
        except OSError as error:
            raise SegmentationAIError(
                f"{path.name} could not be written ({error.strerror}); choose another folder."
            ) from error
        return f"Wrote {len(self._table.rows)} rows to {path.name}."

    def _edited(self) -> None:
        """Measure once for all edits of this turn of the event loop."""
        if not self._is_due:
            self._is_due = True
            self._ticker.soon(self._measure)

    def _measure(self) -> None:
        node, volume = self._node, self._volume
        if self._is_busy or node is None or volume is None or volume.GetScene() is None:
            return  # the end of the present measuring looks whether another is due
        self._is_due, self._is_busy = False, True
        call = self._started(node, volume)
        watch_call(call, self._ticker, lambda *_: None, self._measured)

    def _started(
        self, node: slicer.vtkMRMLSegmentationNode, volume: slicer.vtkMRMLScalarVolumeNode
    ) -> Call[tuple[SegmentMeasures, ...]]:
        """Copy what is needed, and measure on a thread of its own, away from the scene."""
        call: Call[tuple[SegmentMeasures, ...]] = Call()
        try:
            labelmap = labelmap_from_node(node, volume)
            intensities = np.array(volume_from_node(volume).voxels[0], order="K")
            surfaces = _surfaces(node)
        except SegmentationAIError as error:
            call.finish(error=error)
            return call

        def work() -> None:
            try:
                call.finish(measured(labelmap, intensities, surfaces))
            except BaseException as error:
                call.finish(error=error)

        threading.Thread(target=work, name="measure", daemon=True).start()
        return call

    def _measured(self, call: Call[Any]) -> None:
        self._is_busy = False
        if self._node is None:
            return
        if self._is_due:
            self._measure()
            return
        try:
            rows = tuple(_cells(row) for row in call.result(0))
        except SegmentationAIError as error:
            rows = ((str(error), "", "", "", ""),)
        self._table = Table(HEADINGS, rows)
        self._on_table(self._table)


def _cells(row: SegmentMeasures) -> tuple[str, ...]:
    numbers = (row.volume_ml, row.surface_cm2, row.mean, row.deviation)
    return (row.name, *("–" if number is None else f"{number:.4g}" for number in numbers))


def _surfaces(node: slicer.vtkMRMLSegmentationNode) -> dict[str, tuple[Array, Array]]:
    """Return copies of the closed surfaces that there are, by segment ID."""
    segmentation = node.GetSegmentation()
    if not segmentation.ContainsRepresentation(CLOSED_SURFACE):
        return {}
    found = {}
    for index in range(segmentation.GetNumberOfSegments()):
        surface = segmentation.GetNthSegment(index).GetRepresentation(CLOSED_SURFACE)
        if surface is not None and surface.GetNumberOfPolys():
            points = np.array(vtk_to_numpy(surface.GetPoints().GetData()))
            triangles = np.array(vtk_to_numpy(surface.GetPolys().GetConnectivityArray()))
            found[segmentation.GetNthSegmentID(index)] = (points, triangles.reshape(-1, 3))
    return found
