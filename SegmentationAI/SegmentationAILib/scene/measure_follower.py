"""A table of measures that follows every edit of a segmentation."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import slicer
import vtk

from ..core.errors import SegmentationAIError
from ..core.labelmap import Labelmap
from ..core.volume import Array
from .image_copies import Stamp, stamp_of, voxels_copied_in_turns
from .panel_facts import Table
from .placement import world_from_local
from .segment_measures import SegmentMeasures, measured
from .segmentation_layers import labelmap_of_segmentation
from .segmentation_state import copied_state, detached, let_go
from .surface_areas import areas_cm2
from .table_file import write_table
from .ticker import Ticker
from .turns import Steps, elsewhere, run_in_turns
from .volume_change import accepted_volumes, labelmap_of_time_point, volumes_ml
from .volume_node import grid_of_node

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
        self._is_due = self._is_busy = self._is_overtaken = False
        # The scan as it was copied last; given up when nothing is followed.
        self._scan: tuple[Stamp, Array] | None = None
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
        self._is_overtaken = True
        if node is None or volume is None:
            self._scan = None
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
        """Begin to measure; the end of what is being measured looks whether another is due."""
        self._is_due = False
        if self._is_busy:
            self._is_overtaken = True
            return
        self._is_busy = True
        run_in_turns(self._measured(), self._ticker)

    def _measured(self) -> Steps[None]:
        """Measure until no edit has come in between."""
        try:
            while True:
                self._is_overtaken = False
                node, volume, before = self._node, self._volume, self._before
                if node is None or volume is None or volume.GetScene() is None:
                    return
                try:
                    found, old = yield from self._found(node, volume, before)
                    rows = tuple(_cells(row, old.get(row.name)) for row in found)
                except SegmentationAIError as error:
                    rows = ((str(error), *[""] * (len(HEADINGS) - 1)),)
                if node is self._node and not self._is_overtaken:
                    self._table = Table(HEADINGS, rows)
                    self._on_table(self._table)
                    return
        finally:
            self._is_busy = False

    def _found(
        self,
        node: slicer.vtkMRMLSegmentationNode,
        volume: slicer.vtkMRMLScalarVolumeNode,
        before: Labelmap | None,
    ) -> Steps[Measured]:
        """Copy what is needed, step by step, and measure on another thread, away from the scene.

        Raises:
            SegmentationAIError: The segments do not lie on the scan's voxels, or either is gone.
        """
        grid, world = grid_of_node(volume), world_from_local(node)
        segmentation = detached((yield from copied_state(node)))
        intensities = yield from self._intensities(volume)
        accepted = accepted_volumes(node)

        def work() -> Measured:
            labelmap = labelmap_of_segmentation(segmentation, world, grid, resample=False)
            rows = measured(labelmap, intensities, areas_cm2(labelmap))
            return rows, accepted if before is None else _volumes_by_name(before)

        try:
            return (yield from elsewhere(work))
        finally:
            let_go(segmentation)

    def _intensities(self, volume: slicer.vtkMRMLScalarVolumeNode) -> Steps[Array]:
        """Return a copy of the scan's voxels, the old one while nobody has changed them."""
        image = volume.GetImageData()
        if self._scan is None or self._scan[0] != stamp_of(image):
            self._scan = yield from voxels_copied_in_turns(image)
        return self._scan[1]


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
    if before_ml <= 0:
        return f"{change:+.3g}", "–"
    return f"{change:+.3g}", f"{round(100 * change / before_ml, 1) + 0.0:+.1f}"


def _volumes_by_name(labelmap: Labelmap) -> dict[str, float]:
    volumes = volumes_ml(labelmap)
    return {label.name: volumes[label.segment_id] for label in labelmap.labels}
