"""What the panel asks of the logic.

The panel reads its widgets, calls one of these functions and shows the answer; everything that
touches nodes, files or other processes happens behind them, in `scene`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import slicer

from ..core.labelmap import Status
from ..scene.panel_facts import (
    Accepted,
    KeptPart,
    NetworkFacts,
    Outcome,
    Request,
    SegmentFacts,
    Table,
)

OnProgress = Callable[[float, str, float | None], None]
"""Called with a fraction, a sentence, and the seconds left (None when unknown)."""
OnEnd = Callable[[Outcome], None]


class RunLogic(Protocol):
    """What *Segment* needs."""

    def describe_volume(self, volume: slicer.vtkMRMLScalarVolumeNode) -> str:
        """Return one line: kind, body part as far as they are known, spacing in mm."""

    def networks(self, volume: slicer.vtkMRMLScalarVolumeNode | None) -> tuple[NetworkFacts, ...]:
        """Return all networks, those that fit the scan first."""

    def start(self, request: Request, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Start a run; both functions are called on the GUI thread."""

    def cancel(self) -> None:
        """End the run; ``on_end`` says so within half a second."""

    def accept(self, on_accepted: Callable[[Accepted], None]) -> None:
        """Keep the preview; ``on_accepted`` is told when it has been written."""

    def discard(self) -> None:
        """Throw the preview away."""


class CorrectLogic(Protocol):
    """What *Correct* needs."""

    def segments(self, node: slicer.vtkMRMLSegmentationNode) -> tuple[SegmentFacts, ...]:
        """Return the segments of a segmentation in their order."""

    def set_locked(
        self, node: slicer.vtkMRMLSegmentationNode, segment_id: str, is_locked: bool
    ) -> None:
        """Lock a segment against changes by networks, or unlock it."""

    def set_status(
        self, node: slicer.vtkMRMLSegmentationNode, segment_id: str, status: Status
    ) -> None:
        """Write down how far the work on a segment is."""

    def undo(self) -> None:
        """Take the last accepted result back."""

    def redo(self) -> None:
        """Bring it back."""

    def can_undo(self) -> bool:
        """Return whether there is something to take back."""

    def can_redo(self) -> bool:
        """Return whether there is something to bring back."""


class MeasureLogic(Protocol):
    """What *Measure* needs."""

    def follow(
        self,
        node: slicer.vtkMRMLSegmentationNode | None,
        volume: slicer.vtkMRMLScalarVolumeNode | None,
        on_table: Callable[[Table], None],
    ) -> None:
        """Call ``on_table`` now and after every edit; None stops."""

    def write_csv(self, path: Path) -> str:
        """Write the table that is followed; return what was written."""


class ExportLogic(Protocol):
    """What *Export* needs."""

    def formats(self) -> tuple[tuple[str, str, str], ...]:
        """Return key, title and "what it keeps and loses" of each format."""

    def export(
        self,
        node: slicer.vtkMRMLSegmentationNode,
        volume: slicer.vtkMRMLScalarVolumeNode,
        format_key: str,
        folder: Path,
    ) -> str:
        """Write, read back and compare; return what was written, or raise."""


class StoreLogic(Protocol):
    """What *Networks* and *Settings* need."""

    def networks(self, volume: slicer.vtkMRMLScalarVolumeNode | None) -> tuple[NetworkFacts, ...]:
        """Return all networks."""

    def install(self, network_id: str, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Download a network in the background."""

    def remove(self, network_id: str) -> str:
        """Delete a network; return what was done."""

    def badge(self) -> str:
        """Return on what networks run: "GPU works: NAME" or "CPU only, because ..."."""

    def is_set_up(self) -> bool:
        """Return whether the worker's environment is there."""

    def set_up(self, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Make the worker's environment in the background; consent has been given."""

    def data_folder(self) -> Path:
        """Return where everything lies."""

    def kept(self) -> tuple[KeptPart, ...]:
        """Return the parts of the data folder."""

    def delete(self, key: str) -> str:
        """Delete one part; return what was done."""


class RestoreLogic(Protocol):
    """What is offered after a crash."""

    def unsaved_work(self) -> str:
        """Return what earlier sessions left unsaved, empty when there is nothing."""

    def restore_work(self) -> str:
        """Bring it into the scene; return what was done."""

    def throw_work_away(self) -> None:
        """Delete it."""


class PanelLogic(
    RestoreLogic, RunLogic, CorrectLogic, MeasureLogic, ExportLogic, StoreLogic, Protocol
):
    """Everything the panel needs."""
