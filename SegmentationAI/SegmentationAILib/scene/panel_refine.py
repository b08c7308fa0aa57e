"""Corrections as a panel and the Segment Editor's effect ask for them: one at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import slicer

from ..core.errors import SegmentationAIError
from ..core.prompts import PointPrompt, PointRas, Prompt
from .commit import new_segmentation
from .logic import SegmentationLogic
from .panel_facts import Accepted, NetworkFacts
from .refine_commit import write_correction
from .refine_facts import CorrectionAsked, CorrectionFacts
from .refine_marks import CorrectionMarks
from .refine_session import Correction, OnKept
from .segment_editors import EDITOR_TAG
from .ticker import Ticker
from .translation import tr as _
from .volume_node import grid_of_node
from .worker_setup import WorkerSetup

OnFacts = Callable[[CorrectionFacts], None]
OnAccepted = Callable[[Accepted], None]


@dataclass(frozen=True)
class EngineFacts:
    """What can answer prompts: its key, its network, and both in words."""

    key: str
    network: str
    title: str
    tip: str


class PanelRefine:
    """The one correction that is under way.

    Args:
        scene: Has the scans and segmentations.
        logic: Keeps what can be undone.
        setup: The worker.
        ticker: The event loop.
        listed: Returns all networks.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        logic: SegmentationLogic,
        setup: WorkerSetup,
        ticker: Ticker,
        listed: Callable[[None], tuple[NetworkFacts, ...]],
    ) -> None:
        self._scene, self._logic, self._setup, self._ticker = scene, logic, setup, ticker
        self._listed = listed
        self._correction: Correction | None = None
        self._marks = CorrectionMarks(scene)
        self._on_facts: OnFacts = lambda facts: None

    def engines(self, chosen_network: str) -> tuple[EngineFacts, ...]:
        """Return what can answer prompts here, the best first.

        Args:
            chosen_network: ID of the network that is chosen for whole scans.
        """
        known = {one.id: one for one in self._listed(None) if one.state != "available"}
        promptable = [one for one in known.values() if one.is_promptable]
        found = [EngineFacts("click", one.id, one.title, one.task) for one in promptable]
        title = _("By intensity and distance")
        tip = _("Follows the scan's own borders around each prompt; needs no network.")
        found.append(EngineFacts("geodesic", "", title, tip))
        start = known.get(chosen_network)
        if start is not None and not start.is_promptable:
            title = _("Start from: {network}").format(network=start.title)
            tip = _("Runs the network once at the first prompt and corrects what it found there.")
            found.append(EngineFacts("auto", start.id, title, tip))
        if start is not None and not start.is_promptable and start.can_be_adapted:
            title = _("Adapt to this scan: {network}").format(network=start.title)
            tip = _("Trains the network for some seconds on this scan by all prompts together, "
                    "after each of them: give several and choose Apply.")  # fmt: skip
            found.append(EngineFacts("adapt", start.id, title, tip))
        return tuple(found)

    def correct(self, asked: CorrectionAsked, on_facts: OnFacts) -> None:
        """Begin to correct a segment; an earlier correction is thrown away.

        Args:
            asked: What, and how.
            on_facts: Told how the correction stands, whenever that changes.

        Raises:
            SegmentationAIError: It cannot be corrected, or there is no worker.
        """
        self.discard_correction()
        self._setup.worker()
        if asked.settings is None:
            editor = self._scene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
            asked = replace(asked, settings=editor)
        self._on_facts = on_facts
        self._correction = Correction(
            asked, self._scene, self._setup.worker, self._ticker, self._changed
        )
        self._changed()

    def add_segment(
        self,
        node: slicer.vtkMRMLSegmentationNode | None,
        volume: slicer.vtkMRMLScalarVolumeNode,
    ) -> tuple[slicer.vtkMRMLSegmentationNode, str]:
        """Add an empty segment; return it by its segmentation and ID.

        Args:
            node: Gets the segment; None makes a segmentation of the scan.
            volume: The scan.
        """
        if node is None:
            name = _("{scan} segmentation").format(scan=volume.GetName())
            node = new_segmentation(self._scene, volume, name)
        return node, str(node.GetSegmentation().AddEmptySegment())

    def correction(self) -> CorrectionFacts:
        """Return how the correction stands."""
        return CorrectionFacts() if self._correction is None else self._correction.facts

    def prompt(self, prompt: Prompt, is_finished: bool = True) -> None:
        """Let a prompt be answered.

        Args:
            prompt: RAS mm, parent transforms applied.
            is_finished: False while a line is still drawn.

        Raises:
            SegmentationAIError: No correction is open.
        """
        self._marks.show_ring(None)
        self._opened().add(prompt, is_finished)

    def show_drawing(self, points: Sequence[PointRas], is_closed: bool, positive: bool) -> None:
        """Outline what is being drawn; no points end it."""
        if self._correction is not None:
            self._marks.show_drawing(points, is_closed, positive)

    def apply_prompts(self) -> None:
        """Answer what waits.

        Raises:
            SegmentationAIError: No correction is open.
        """
        self._opened().apply()

    def remove_prompt(self, index: int) -> None:
        """Take one prompt out.

        Raises:
            SegmentationAIError: No correction is open.
        """
        self._opened().remove(index)

    def undo_prompt(self) -> None:
        """Take the last step back.

        Raises:
            SegmentationAIError: No correction is open.
        """
        self._opened().undo()

    def redo_prompt(self) -> None:
        """Do it again.

        Raises:
            SegmentationAIError: No correction is open.
        """
        self._opened().redo()

    def set_refine_rules(self, mode: str, run_mode: str) -> None:
        """Say what later prompts may do, and when they are answered; nothing without a correction.

        Args:
            mode: ``add and remove``, ``add only`` or ``remove only``.
            run_mode: ``live``, ``on release`` or ``on apply``.
        """
        if self._correction is not None and self._correction.facts.is_open:
            self._correction.set_rules(mode, run_mode)

    def next_doubt(self) -> None:
        """Move the slice views to the most doubtful place that was not looked at.

        Raises:
            SegmentationAIError: No correction is open.
        """

        def found(prompt: PointPrompt | None) -> None:
            self._marks.show_ring(None if prompt is None else prompt.position_ras)
            if prompt is not None:
                self.jump_to(prompt.position_ras)

        self._opened().next_doubt(found)

    def agree(self) -> None:
        """Give the prompt that is proposed for the doubtful place.

        Raises:
            SegmentationAIError: Nothing is proposed.
        """
        proposed = self.correction().proposed
        if proposed is None:
            raise SegmentationAIError(_("Nothing is proposed; go to a doubtful place first."))
        self.prompt(proposed)

    def jump_to(self, place: tuple[float, float, float]) -> None:
        """Move all slice views to a place, RAS mm."""
        slicer.vtkMRMLSliceNode.JumpAllSlices(self._scene, *place)

    def accept_correction(
        self, on_accepted: OnAccepted, save_state: Callable[[], None] = lambda: None
    ) -> None:
        """Write what is shown into the segment, once all prompts have been answered.

        Args:
            on_accepted: Told what was written, or why nothing was.
            save_state: Called before: lets another Segment Editor take it back too.

        Raises:
            SegmentationAIError: No correction is open.
        """
        correction = self._opened()

        def write() -> None:
            try:
                on_accepted(self._written(correction, save_state))
            except SegmentationAIError as error:
                on_accepted(Accepted(None, str(error)))

        correction.when_answered(write)

    def keep_network(self, network_id: str, on_kept: OnKept) -> None:
        """Install the network that the correction has adapted, once all prompts are answered.

        Args:
            network_id: The ID of its own.
            on_kept: Told that it is installed; why it is not, the facts say.

        Raises:
            SegmentationAIError: No correction is open, or it adapts no network.
        """
        correction = self._opened()
        if not correction.facts.adapts:
            raise SegmentationAIError(
                _("Only 'Adapt to this scan' makes a network to keep; choose it and give prompts.")
            )
        correction.keep_network(network_id.strip(), on_kept)

    def discard_correction(self) -> None:
        """Throw the correction away; the segment is as it was."""
        if self._correction is not None:
            self._correction.close()
        self._correction = None
        self._marks.remove()

    def check_written(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Raise while a correction of a segmentation shows what is not written into it.

        Raises:
            SegmentationAIError: One waits to be accepted.
        """
        correction = self._correction
        if correction is None or correction.asked.node is not node:
            return
        if correction.facts.is_open and correction.facts.has_change:
            segment = node.GetSegmentation().GetSegment(correction.asked.segment_id)
            name = node.GetName() if segment is None else segment.GetName()
            said = _("A correction of '{name}' waits: accept it, or throw it away, where it was "
                     "begun.")  # fmt: skip
            raise SegmentationAIError(said.format(name=name))

    def _written(self, correction: Correction, save_state: Callable[[], None]) -> Accepted:
        asked = correction.asked
        if not correction.preview.has_change:
            self.discard_correction()
            return Accepted(None, _("Nothing had changed, so nothing was written."))
        correction.check()
        changes = correction.preview.changes()
        save_state()
        editor = self._logic.editors.editor_of(asked.node)
        before = write_correction(asked, editor, changes)
        self._logic.correction_written(asked.node, before)
        self.discard_correction()
        name = asked.node.GetSegmentation().GetSegment(asked.segment_id).GetName()
        added, gone = (int(mask.sum()) * _voxel_ml(asked) for mask in changes[1:])
        said = _("'{name}' was corrected: {added:.3g} ml added, {gone:.3g} ml taken away.")
        sentence = said.format(name=name, added=added, gone=gone)
        return Accepted(asked.node, sentence)

    def _opened(self) -> Correction:
        if self._correction is None or not self._correction.facts.is_open:
            raise SegmentationAIError(_("Choose a segment and begin to correct it first."))
        return self._correction

    def _changed(self) -> None:
        correction = self._correction
        if correction is None:
            return
        if correction.facts.is_open:
            self._marks.show_prompts(correction.prompts)
        else:
            self._marks.remove()
            self._correction = None
        self._on_facts(correction.facts)


def _voxel_ml(asked: CorrectionAsked) -> float:
    return grid_of_node(asked.volume).voxel_volume_ml
