"""What the step *Refine* and the Segment Editor effect ask of the logic."""

from collections.abc import Callable, Sequence
from typing import Protocol

import slicer

from ..core.prompts import PointRas, Prompt
from ..scene.panel_facts import Accepted, SegmentFacts
from ..scene.panel_refine import EngineFacts
from ..scene.refine_facts import CorrectionAsked, CorrectionFacts


class RefineLogic(Protocol):
    """One correction at a time."""

    def engines(self, chosen_network: str) -> tuple[EngineFacts, ...]:
        """Return what can answer prompts here, the best first."""

    def segments(self, node: slicer.vtkMRMLSegmentationNode) -> tuple[SegmentFacts, ...]:
        """Return the segments of a segmentation in their order."""

    def scan_of(
        self, node: slicer.vtkMRMLSegmentationNode
    ) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Return the scan that a segmentation was made of."""

    def add_segment(
        self,
        node: slicer.vtkMRMLSegmentationNode | None,
        volume: slicer.vtkMRMLScalarVolumeNode,
    ) -> tuple[slicer.vtkMRMLSegmentationNode, str]:
        """Add an empty segment, to a new segmentation when there is none; return both."""

    def correct(self, asked: CorrectionAsked, on_facts: Callable[[CorrectionFacts], None]) -> None:
        """Begin to correct a segment; ``on_facts`` is told how that stands."""

    def correction(self) -> CorrectionFacts:
        """Return how the correction stands."""

    def prompt(self, prompt: Prompt, is_finished: bool = True) -> None:
        """Let a prompt be answered."""

    def show_drawing(self, points: Sequence[PointRas], is_closed: bool, positive: bool) -> None:
        """Outline what is being drawn; no points end it."""

    def apply_prompts(self) -> None:
        """Answer what waits."""

    def remove_prompt(self, index: int) -> None:
        """Take one prompt out."""

    def undo_prompt(self) -> None:
        """Take the last step back."""

    def redo_prompt(self) -> None:
        """Do it again."""

    def set_refine_rules(self, mode: str, run_mode: str) -> None:
        """Say what later prompts may do, and when they are answered."""

    def next_doubt(self) -> None:
        """Move the views to the next doubtful place."""

    def agree(self) -> None:
        """Give the prompt that is proposed there."""

    def jump_to(self, place: tuple[float, float, float]) -> None:
        """Move all slice views to a place, RAS mm."""

    def accept_correction(
        self,
        on_accepted: Callable[[Accepted], None],
        save_state: Callable[[], None] = lambda: None,
    ) -> None:
        """Write what is shown into the segment."""

    def keep_network(self, network_id: str, on_kept: Callable[[str], None]) -> None:
        """Install the network that the correction has adapted under an ID of its own."""

    def discard_correction(self) -> None:
        """Throw the correction away."""
