"""What the module offers to its panel, to Slicer's console and scripts: scan in, segments out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import slicer

from .commit import Commit, Committed, check_commit, commit, finished, new_segmentation
from .commit_plan import Rule
from .commit_under_way import CommitUnderWay
from .jobs import Asked, Run, RunQueue
from .journal_keeper import JournalKeeper
from .prepared_result import prepared_result
from .preview import remove_preview, show_preview
from .result_history import ResultHistory
from .scan_witness import is_in_scene, witness_of
from .segment_editors import SegmentEditors, ShownEditor
from .segment_protection import tag_of
from .segment_worker import SegmentWorker
from .segmentation_state import SegmentationState
from .segments_in_box import all_segments
from .surface_renewal import renew_surfaces
from .ticker import Stop, Ticker
from .turns import POLL_MILLISECONDS
from .volume_node import volume_from_node

OnProgress = Callable[[float, str, float | None], None]


@dataclass(eq=False)
class Preview:
    """A result that waits for *Accept* or *Discard*.

    Attributes:
        run: Where it comes from.
        node: Shows it.
    """

    run: Run
    node: slicer.vtkMRMLSegmentationNode


class SegmentationLogic:
    """The logic of the module on one scene.

    Args:
        scene: Where scans are and results go.
        worker: Makes or finds the worker, when the first run starts.
        ticker: The event loop.
        keeper: The journal; None in scripts that want none.
        shown_editor: Finds the Segment Editor that a person works with.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        worker: Callable[[], SegmentWorker],
        ticker: Ticker,
        keeper: JournalKeeper | None = None,
        shown_editor: ShownEditor = lambda: None,
    ) -> None:
        self._scene = scene
        self._worker = worker
        self._ticker = ticker
        self._keeper = keeper
        self.editors = SegmentEditors(scene, shown_editor)
        self.queue = RunQueue(scene, worker, ticker)
        self._history = ResultHistory(scene, ticker, on_change=self._renew_surfaces)
        self._previews: list[Preview] = []
        self._writing: list[CommitUnderWay] = []
        self._tags = [
            scene.AddObserver(scene.StartSaveEvent, lambda *_: self._finish_writing()),
            scene.AddObserver(scene.StartCloseEvent, lambda *_: self._on_scene_closed()),
        ]

    def segment(
        self,
        volume_node: slicer.vtkMRMLVolumeNode,
        network_id: str,
        others: Mapping[str, slicer.vtkMRMLVolumeNode] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> slicer.vtkMRMLSegmentationNode:
        """Return a new segmentation of a scan; waits until the network is done.

        Raises:
            SegmentationAIError: The network is not installed, does not fit, or was interrupted.
        """
        asked = Asked(volume_node, network_id, dict(others or {}), dict(options or {}))
        witness = witness_of(volume_node)
        channels = {role: volume_from_node(node) for role, node in asked.others.items()}
        call = self._worker().segment(
            volume_from_node(volume_node), channels, network_id, asked.options
        )
        answer = call.result()
        witness.check(self._scene)
        run = Run(asked, lambda *_: None, lambda _: None, "done")
        run.result, run.witnesses = prepared_result(answer.labelmap), (witness,)
        return finished(self._commit(run)).node

    def start(
        self, asked: Asked, on_progress: OnProgress, on_end: Callable[[Run, Preview | None], None]
    ) -> Run:
        """Queue a run; its result is shown as a preview, which ``on_end`` is given.

        Args:
            asked: What is wanted.
            on_progress: Told a fraction, a sentence and the seconds left, on the GUI thread.
            on_end: Given the run, and its preview when there is a result.
        """

        def ended(run: Run) -> None:
            preview = None
            if run.state == "done" and run.result is not None:
                name = f"{_name_of_result(run.asked)} (preview)"
                node = show_preview(run.result, run.asked.volume_node, self._scene, name)
                preview = Preview(run, node)
                self._previews.append(preview)
            on_end(run, preview)

        return self.queue.add(asked, on_progress, ended)

    def cancel(self, run: Run) -> None:
        """End a run; everything stays as it was."""
        self.queue.cancel(run)

    def accept(
        self,
        preview: Preview,
        on_end: Callable[[Committed | None, BaseException | None], None],
        rule: Rule | None = None,
        target: slicer.vtkMRMLSegmentationNode | None = None,
    ) -> None:
        """Commit a preview in the background of the event loop, as one undo state.

        Args:
            preview: Is gone from the scene when this returns.
            on_end: Given what was done, or why it was not.
            rule: Replaces the rule that was asked for.
            target: Replaces the segmentation that was asked for.

        Raises:
            SegmentationAIError: The scan or the target was removed, moved or changed meanwhile, or
                segments of the target lie on other voxels; the preview is still there.
        """
        run = preview.run
        if rule is not None:
            run.asked = replace(run.asked, rule=rule, target=target)
        self._check(run)
        self.discard(preview)

        def ended(done: Committed | None, error: BaseException | None) -> None:
            if done is not None and done.lacks_surfaces:
                self._renew_surfaces(done.node)
            on_end(done, error)

        writing = CommitUnderWay(self._commit(run), ended)
        self._writing.append(writing)

        def step() -> None:
            if writing.step():
                stop()
                self._writing.remove(writing)

        stop: Stop = self._ticker.every(POLL_MILLISECONDS, step)

    def accept_now(self, preview: Preview) -> Committed:
        """Commit a preview before returning; see `accept`."""
        self._check(preview.run)
        self.discard(preview)
        return finished(self._commit(preview.run))

    def discard(self, preview: Preview) -> None:
        """Throw a preview away; the scene is as it was before the run."""
        if preview in self._previews:
            self._previews.remove(preview)
            remove_preview(preview.node)

    def undo(self) -> slicer.vtkMRMLSegmentationNode:
        """Take the last accepted result back, all its segments at once; return its segmentation.

        Results are taken back in the order of their acceptance, the last one first, whichever
        segmentations they are in; what was edited after a result goes with it.

        Raises:
            SegmentationAIError: There is none.
        """
        return self._by_program(self._history.undo)

    def redo(self) -> slicer.vtkMRMLSegmentationNode:
        """Bring back what was taken back last, with what had been edited after it.

        Raises:
            SegmentationAIError: There is none, or its segmentation was edited since.
        """
        return self._by_program(self._history.redo)

    def correction_written(
        self, node: slicer.vtkMRMLSegmentationNode, before: SegmentationState
    ) -> None:
        """Let `undo` take a correction back, and make the surfaces anew that it cost."""
        self._history.accepted(node, before)
        if before.has_surfaces:
            self._renew_surfaces(node)

    def can_undo(self) -> bool:
        """Return whether there is a result to take back."""
        return self._history.can_undo()

    def can_redo(self) -> bool:
        """Return whether there is a result to bring back."""
        return self._history.can_redo()

    def close(self) -> None:
        """Cancel runs, finish what is being written, remove previews and observers."""
        self.queue.close()
        self._finish_writing()
        for preview in list(self._previews):
            self.discard(preview)
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._history.forget()
        self.editors.forget_all()

    def _check(self, run: Run) -> None:
        """Raise while the result is still shown, and nothing of it lost, what a commit would."""
        run.check(self._scene)
        asked = run.asked
        if asked.target is not None and asked.rule != "new":
            assert run.result is not None
            check_commit(run.result, asked.volume_node, self.editors, asked.rule, asked.target)

    def _commit(self, run: Run) -> Commit:
        """Write a run's result where it was asked for; the journal has it when this ends."""
        assert run.result is not None
        asked = run.asked
        rule: Rule = "new" if asked.target is None else asked.rule
        node = asked.target
        is_new = node is None or rule == "new"
        if is_new:
            node = new_segmentation(self._scene, asked.volume_node, _name_of_result(asked))
        steps = commit(run.result, asked.volume_node, self.editors, rule, node)
        try:
            written = self._keeper.result_written(node, steps) if self._keeper else steps
            done = yield from written
        except BaseException:
            if is_new:
                self._remove_if_empty(node)
            raise
        if done.before is not None:
            self._history.accepted(node, done.before)
        return done

    def _by_program(
        self, act: Callable[[], slicer.vtkMRMLSegmentationNode]
    ) -> slicer.vtkMRMLSegmentationNode:
        """Change a segmentation without calling that a person's correction."""
        if self._keeper is None:
            return act()
        self._keeper.flush()
        node = act()
        self._keeper.changed_by_program(node)
        return node

    def _renew_surfaces(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        renew_surfaces(node, self._ticker)

    def _remove_if_empty(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Leave no empty segmentation behind when its commit was given up."""
        if is_in_scene(node, self._scene) and not node.GetSegmentation().GetNumberOfSegments():
            self.editors.forget(node.GetID())
            remove_preview(node)

    def _finish_writing(self) -> None:
        """A scene that is saved has whole results in it."""
        for writing in self._writing:
            writing.finish()

    def _on_scene_closed(self) -> None:
        for writing in self._writing:
            writing.give_up()
        self._previews.clear()
        self._history.forget()
        self.editors.forget_all()


def made_by(node: slicer.vtkMRMLSegmentationNode) -> tuple[str, ...]:
    """Return a sentence for each network and version that made segments of a segmentation."""
    makers: dict[tuple[str, str], int] = {}
    segmentation = node.GetSegmentation()
    for identifier in all_segments(segmentation):
        segment = segmentation.GetSegment(identifier)
        network = tag_of(segment, "SegmentationAI.Network")
        if network:
            key = network, tag_of(segment, "SegmentationAI.WeightsSha256")
            makers[key] = makers.get(key, 0) + 1
    return tuple(
        f"{count} segment{'s' if count != 1 else ''} by '{network}', weights {sha256[:12] or '?'}"
        for (network, sha256), count in makers.items()
    )


def _name_of_result(asked: Asked) -> str:
    return f"{asked.volume_node.GetName()} {asked.network_id}"
