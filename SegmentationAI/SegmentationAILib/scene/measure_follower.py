"""A table of measures that follows every edit of a segmentation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import slicer
import vtk

from ..core.errors import SegmentationAIError
from ..core.labelmap import Labelmap
from ..core.progress import Progress
from ..worker.client import Call
from .background_call import started
from .call_watch import watch_call
from .panel_facts import Table
from .segment_measures import SegmentMeasures, measured
from .segmentation_node import labelmap_from_node
from .surface_areas import areas_cm2
from .table_file import write_table
from .ticker import Ticker
from .volume_change import accepted_volumes, labelmap_of_time_point, volumes_ml
from .volume_node import volume_from_node

HEADINGS: Final = (
    "Segment", "Volume, ml", "Surface, cm²", "Mean", "Change, ml", "Change, %", "SD"
)  # fmt: skip
_EVENTS: Final = (
    slicer.vtkSegmentation.SegmentAdded,
    slicer.vtkSegmentation.SegmentRemoved,
    slicer.vtkSegmentation.SegmentModified,
    slicer.vtkSegmentation.RepresentationModified,
    getattr(slicer.vtkSegmentation, "SourceRepresentationModified", None)
    or slicer.vtkSegmentation.MasterRepresentationModified,
)
OnTable = Callable[[Table], None]
Measured = tuple[tuple[SegmentMeasures, ...], dict[str, float]]


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
        self._before: Labelmap | None = None
        self._table = Table(HEADINGS, ())

    def follow(
        self,
        node: slicer.vtkMRMLSegmentationNode | None,
        volume: slicer.vtkMRMLScalarVolumeNode | None,
        on_table: OnTable,
        before: slicer.vtkMRMLSegmentationNode | None = None,
    ) -> None:
        """Call ``on_table`` soon and after every edit; None for a node stops.

        Args:
            node: What is measured.
            volume: The scan.
            on_table: Given the table.
            before: Another time point, as it is now: changes are against its segments of the same
                name; None for against what was accepted.

        Raises:
            GeometryError: The segments lie on other voxels than the scan.
            SegmentationAIError: The other time point belongs to no scan.
        """
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed = []
        self._node, self._volume, self._on_table = node, volume, on_table
        self._table = Table(HEADINGS, ())
        if node is None or volume is None:
            on_table(self._table)
            return
        self._before = None if before is None else labelmap_of_time_point(before)
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
        return write_table(self._table, path)

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
    ) -> Call[Measured]:
        """Copy what is needed, and measure on a thread of its own, away from the scene."""
        try:
            labelmap = labelmap_from_node(node, volume)
            intensities = np.array(volume_from_node(volume).voxels[0], order="K")
        except SegmentationAIError as error:
            call: Call[Measured] = Call()
            call.finish(error=error)
            return call
        before, accepted = self._before, accepted_volumes(node)

        def work(progress: Progress) -> Measured:
            rows = measured(labelmap, intensities, areas_cm2(labelmap))
            return rows, accepted if before is None else _volumes_by_name(before)

        return started(work, "measure")

    def _measured(self, call: Call[Any]) -> None:
        self._is_busy = False
        if self._node is None:
            return
        if self._is_due:
            self._measure()
            return
        try:
            found, before = call.result(0)
            rows = tuple(_cells(row, before.get(row.name)) for row in found)
        except SegmentationAIError as error:
            rows = ((str(error), *[""] * (len(HEADINGS) - 1)),)
        self._table = Table(HEADINGS, rows)
        self._on_table(self._table)


def _cells(row: SegmentMeasures, before_ml: float | None) -> tuple[str, ...]:
    numbers = (row.volume_ml, row.surface_cm2, row.mean)
    change = _change(row.volume_ml, before_ml)
    return (row.name, *map(_told, numbers), *change, _told(row.deviation))


def _told(number: float | None) -> str:
    return "–" if number is None else f"{number:.4g}"


def _change(volume_ml: float, before_ml: float | None) -> tuple[str, str]:
    """Return what came or went, in ml and in percent of what was there."""
    if before_ml is None:
        return "–", "–"
    # Sums of the same voxels can differ in their last digit; 0.0 is added against a "-0".
    change = round(volume_ml - before_ml, 9) + 0.0
    percent = f"{100 * change / before_ml:+.1f}" if before_ml > 0 else "–"
    return f"{change:+.3g}", percent


def _volumes_by_name(labelmap: Labelmap) -> dict[str, float]:
    volumes = volumes_ml(labelmap)
    return {label.name: volumes[label.segment_id] for label in labelmap.labels}
