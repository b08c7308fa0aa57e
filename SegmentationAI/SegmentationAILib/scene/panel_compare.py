"""Two segmentations compared for the panel: overlap here, surface distances in the worker."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import slicer

from ..core.errors import SegmentationAIError
from ..core.labelmap import Label, Labelmap
from ..core.progress import Progress
from ..worker.client import Call
from .background_call import started
from .call_watch import OnProgress, outcome_of_call, watch_call
from .compare import Agreement, agreements, differences, label_pairs
from .panel_facts import Comparison, Outcome, Table
from .segmentation_node import labelmap_from_node, node_from_labelmap
from .table_file import write_table
from .ticker import Ticker
from .translation import tr as _
from .worker_setup import WorkerSetup

TOLERANCE_MM: Final = 2.0
HEADINGS: Final = (
    "Segment",
    "Dice",
    "HD95, mm",
    f"Surface, {TOLERANCE_MM:g} mm",
    "First, ml",
    "Second, ml",
)
Scores = list[dict[str, Any]]
OnComparison = Callable[[Comparison, Outcome], None]


class PanelCompare:
    """Compares two segmentations at a time, in the background.

    Args:
        scene: Gets the segmentation of the differences.
        setup: The worker.
        ticker: The event loop.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, setup: WorkerSetup, ticker: Ticker) -> None:
        self._scene, self._setup, self._ticker = scene, setup, ticker
        self._comparison: _Comparing | None = None
        self._compared = Table(HEADINGS, ())

    def compare(
        self,
        first: slicer.vtkMRMLSegmentationNode,
        second: slicer.vtkMRMLSegmentationNode,
        volume: slicer.vtkMRMLScalarVolumeNode,
        on_progress: OnProgress,
        on_end: OnComparison,
    ) -> None:
        """Compare on the grid of a volume; ``on_end`` gets the table.

        Raises:
            GeometryError: One of them lies on other voxels than the volume.
            SegmentationAIError: Both are the same, or two segments of one have the same name.
        """
        if first is second:
            raise SegmentationAIError(
                _("'{name}' is chosen twice; choose two segmentations to compare.").format(
                    name=first.GetName()
                )
            )
        one, other = (labelmap_from_node(node, volume) for node in (first, second))
        label_pairs(one, other)
        name = _("{first} to {second}").format(first=first.GetName(), second=second.GetName())
        comparing = _Comparing(one, other, volume, name)
        self._comparison = comparing

        def ended(call: Call[Any]) -> None:
            outcome = outcome_of_call(call, lambda found: "")
            if not outcome.is_success:
                on_end(Comparison(Table(HEADINGS, ()), ()), outcome)
                return
            comparing.agreements, comparing.differences = call.result(0)
            self._measure_surfaces(comparing, on_progress, on_end)

        watch_call(started(comparing.overlap, "compare"), self._ticker, on_progress, ended)

    def show_differences(self) -> str:
        """Put where the two differ into the scene as a segmentation; return what was done.

        Raises:
            SegmentationAIError: Nothing was compared, or the scan is gone.
        """
        comparing = self._comparison
        if comparing is None or comparing.differences is None:
            raise SegmentationAIError(
                _("Nothing has been compared yet; compare two segmentations.")
            )
        if comparing.volume.GetScene() is not self._scene:
            raise SegmentationAIError(_("The scan was removed from the scene; compare again."))
        name = self._scene.GenerateUniqueName(comparing.name)
        node_from_labelmap(comparing.differences, self._scene, comparing.volume, name)
        said = _("'{name}' shows what was lost and gained from the first to the second.")
        return said.format(name=name)

    def jump_to(self, place: tuple[float, float, float]) -> None:
        """Move all slice views to a place, RAS mm."""
        slicer.vtkMRMLSliceNode.JumpAllSlices(self._scene, *place)

    def write_comparison(self, path: Path) -> str:
        """Write the table of the last comparison; return what was written.

        Raises:
            SegmentationAIError: The file cannot be written; one of that name is as it was.
        """
        return write_table(self._compared, path)

    def _measure_surfaces(
        self, comparing: "_Comparing", on_progress: OnProgress, on_end: OnComparison
    ) -> None:
        if not self._setup.is_ready():
            self._tell(comparing, None, Outcome(_without_worker()), on_end)
            return
        try:
            call = comparing.surfaces(self._setup)
        except SegmentationAIError as error:
            self._tell(comparing, None, Outcome(str(error), is_success=False), on_end)
            return

        def ended(call: Call[Scores]) -> None:
            outcome = outcome_of_call(call, lambda scores: _("Compared."))
            scores = call.result(0) if outcome.is_success else None
            self._tell(comparing, scores, outcome, on_end)

        watch_call(call, self._ticker, on_progress, ended)

    def _tell(
        self,
        comparing: "_Comparing",
        scores: Scores | None,
        outcome: Outcome,
        on_end: OnComparison,
    ) -> None:
        rows = tuple(
            _cells(row, None if scores is None else scores[number])
            for number, row in enumerate(comparing.agreements)
        )
        self._compared = Table(HEADINGS, rows)
        places = tuple(row.worst_ras for row in comparing.agreements)
        on_end(Comparison(self._compared, places), outcome)


class _Comparing:
    """What two segmentations were when the comparison began."""

    def __init__(
        self,
        first: Labelmap,
        second: Labelmap,
        volume: slicer.vtkMRMLScalarVolumeNode,
        name: str,
    ) -> None:
        self.first, self.second, self.volume, self.name = first, second, volume, name
        self.agreements: tuple[Agreement, ...] = ()
        self.differences: Labelmap | None = None

    def overlap(self, progress: Progress) -> tuple[tuple[Agreement, ...], Labelmap]:
        found = agreements(self.first, self.second, progress.part(0.0, 0.8))
        progress(0.8, "Looking where they differ")
        return found, differences(self.first, self.second)

    def surfaces(self, setup: WorkerSetup) -> Call[Scores]:
        sides = (("first", self.first), ("second", self.second))
        arrays = {
            f"{side} {number}": layer
            for side, labelmap in sides
            for number, layer in enumerate(labelmap.layers)
        }

        def named(side: str, label: Label | None) -> tuple[str, int] | None:
            return None if label is None else (f"{side} {label.layer}", label.value)

        pairs = [
            (named("first", one), named("second", other))
            for one, other in label_pairs(self.first, self.second)
        ]
        return setup.worker().compare(arrays, pairs, self.first.spacing, TOLERANCE_MM)


def _without_worker() -> str:
    return _(
        "Surface distances need the environment of the networks; set it up in the step Settings."
    )


def _cells(row: Agreement, scores: dict[str, Any] | None) -> tuple[str, ...]:
    known = scores or {}
    return (
        row.name,
        _number(row.dice, 3),
        _number(known.get("hd95_mm"), 1),
        _number(known.get("surface_dice"), 3),
        _told(row.first_ml),
        _told(row.second_ml),
    )


def _told(milliliters: float | None) -> str:
    return "–" if milliliters is None else f"{milliliters:.4g}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
