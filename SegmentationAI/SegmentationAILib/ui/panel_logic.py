"""What the panel asks of the logic: it reads its widgets, calls one of these, shows the answer.

Everything that touches nodes, files or other processes happens behind them, in `scene`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import slicer

from ..core.labelmap import Status
from ..scene.computer_settings import ComputerSettings
from ..scene.panel_facts import (
    Accepted,
    Comparison,
    KeptPart,
    NetworkFacts,
    Outcome,
    QueuedFacts,
    Request,
    SegmentFacts,
    Table,
)
from .refine_logic import RefineLogic
from .relabel_logic import RelabelLogic
from .train_logic import TrainLogic

OnProgress = Callable[[float, str, float | None], None]
"""Called with a fraction, a sentence, and the seconds left (None when unknown)."""
OnEnd = Callable[[Outcome], None]


class ConsentLogic(Protocol):
    """What has to be asked before something runs."""

    def consent(self) -> str:
        """Return what a person has to agree to first; empty when nothing is set up."""


class RunLogic(ConsentLogic, Protocol):
    """What *Segment* needs."""

    def badge(self) -> str:
        """Return on what networks run: a GPU, the CPU and why, or a server."""

    def describe_volume(self, volume: slicer.vtkMRMLScalarVolumeNode) -> str:
        """Return one line: kind, body part as far as they are known, spacing in mm."""

    def networks(self, volume: slicer.vtkMRMLScalarVolumeNode | None) -> tuple[NetworkFacts, ...]:
        """Return all networks, those that fit the scan first."""

    def start(self, request: Request, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Start a run; both functions are called on the GUI thread."""

    def cancel(self) -> None:
        """End the run; ``on_end`` says so within half a second."""

    def has_preview(self) -> bool:
        """Return whether a result waits to be accepted or thrown away."""

    def accept(self, on_accepted: Callable[[Accepted], None]) -> None:
        """Keep the preview; ``on_accepted`` is told when it has been written."""

    def discard(self) -> None:
        """Throw the preview away."""


class CorrectLogic(Protocol):
    """What *Correct* needs."""

    def before_accepting(self, save_state: Callable[[], None]) -> None:
        """Call ``save_state`` before a result is written."""

    def segments(self, node: slicer.vtkMRMLSegmentationNode) -> tuple[SegmentFacts, ...]:
        """Return the segments of a segmentation in their order."""

    def scan_of(
        self, node: slicer.vtkMRMLSegmentationNode
    ) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Return the scan that a segmentation was made of."""

    def follow_segments(
        self, node: slicer.vtkMRMLSegmentationNode | None, on_change: Callable[[], None]
    ) -> None:
        """Call ``on_change`` after segments came, went or were renamed; None stops."""

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
        before: slicer.vtkMRMLSegmentationNode | None = None,
    ) -> None:
        """Call ``on_table`` now and after every edit, changes against ``before``; None stops."""

    def write_csv(self, path: Path) -> str:
        """Write the table that is followed; return what was written."""


class QueueLogic(ConsentLogic, Protocol):
    """What *Queue* needs."""

    def scans(self) -> tuple[slicer.vtkMRMLScalarVolumeNode, ...]:
        """Return the scans that can be chosen."""

    def networks(self, volume: slicer.vtkMRMLScalarVolumeNode | None) -> tuple[NetworkFacts, ...]:
        """Return all networks."""

    def watch_queue(self, on_change: Callable[[], None]) -> None:
        """Call ``on_change`` whenever an entry changes."""

    def queued(self) -> tuple[QueuedFacts, ...]:
        """Return all entries in order."""

    def enqueue(
        self,
        volumes: Sequence[slicer.vtkMRMLScalarVolumeNode],
        networks: Sequence[NetworkFacts],
    ) -> int:
        """Add every network on every scan; return how many entries that are."""

    def cancel_queued(self, entry_id: int) -> None:
        """End one entry."""

    def cancel_all_queued(self) -> None:
        """End everything that waits or runs."""

    def repeat_queued(self, entry_id: int) -> None:
        """Let an entry wait once more."""

    def clear_queue(self) -> None:
        """Take the entries off the list that are over."""


class CompareLogic(Protocol):
    """What *Compare* needs."""

    def compare(
        self,
        first: slicer.vtkMRMLSegmentationNode,
        second: slicer.vtkMRMLSegmentationNode,
        volume: slicer.vtkMRMLScalarVolumeNode,
        on_progress: OnProgress,
        on_end: Callable[[Comparison, Outcome], None],
    ) -> None:
        """Compare on the grid of a volume, in the background."""

    def show_differences(self) -> str:
        """Put where the two differ into the scene; return what was done."""

    def jump_to(self, place: tuple[float, float, float]) -> None:
        """Move all slice views to a place, RAS mm."""

    def write_comparison(self, path: Path) -> str:
        """Write the table of the last comparison; return what was written."""


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

    def export_dicom(
        self,
        node: slicer.vtkMRMLSegmentationNode,
        volume: slicer.vtkMRMLScalarVolumeNode,
        folder: Path,
        on_progress: OnProgress,
        on_end: OnEnd,
    ) -> None:
        """Write the format ``dicom-seg`` in the background, or raise."""


class StoreLogic(Protocol):
    """What *Networks* needs."""

    def networks(self, volume: slicer.vtkMRMLScalarVolumeNode | None) -> tuple[NetworkFacts, ...]:
        """Return all networks."""

    def install(
        self,
        source: str,
        on_progress: OnProgress,
        on_end: OnEnd,
        network_id: str = "",
        sha256: str = "",
    ) -> None:
        """Install a listed network, or one from an address, a folder or a file."""

    def update(self, network_id: str, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Install what the catalogue lists in place of what is installed."""

    def remove(self, network_id: str) -> str:
        """Delete a network; return what was done."""


class ComputerLogic(ConsentLogic, Protocol):
    """What *Settings* needs."""

    def badge(self) -> str:
        """Return on what networks run: "GPU works: NAME" or "CPU only, because ..."."""

    def set_up_question(self) -> str:
        """Return what is asked before the environment is made: what, how large, where."""

    def is_set_up(self) -> bool:
        """Return whether the worker's environment is there."""

    def set_up(self, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Make the worker's environment in the background; consent has been given."""

    def cancel_set_up(self) -> None:
        """End the making, exporting or importing."""

    def look(self, on_table: Callable[[Table, Outcome], None]) -> None:
        """Look whether the environment could be made on this computer."""

    def export_bundle(self, path: Path, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Write everything that the environment needs into one file."""

    def import_bundle(self, path: Path, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Make the environment from such a file."""

    def settings(self) -> ComputerSettings:
        """Return the settings of this computer."""

    def change_settings(self, settings: ComputerSettings) -> str:
        """Keep other settings; return what was done."""

    def is_offline(self) -> bool:
        """Return whether nothing may use the network."""

    def server(self) -> str:
        """Return the address of the server that runs the networks, empty for this computer."""

    def ask_server(self, on_end: OnEnd) -> None:
        """Ask the server how it is and for its networks."""

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
    RefineLogic,
    RelabelLogic,
    TrainLogic,
    RestoreLogic,
    RunLogic,
    QueueLogic,
    CorrectLogic,
    MeasureLogic,
    CompareLogic,
    ExportLogic,
    StoreLogic,
    ComputerLogic,
    Protocol,
):
    """Everything the panel needs."""

    def made_by(self, node: slicer.vtkMRMLSegmentationNode) -> str:
        """Return which networks, in which version, made the segments; empty for none."""
