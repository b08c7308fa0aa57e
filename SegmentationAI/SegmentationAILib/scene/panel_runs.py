"""One run at a time as a panel follows it: start, progress, cancel, preview, accept, undo."""

from collections.abc import Callable
from typing import Any

import slicer

from ..core.errors import Cancelled, SegmentationAIError
from .call_watch import OnProgress
from .commit import Committed
from .commit_plan import Rule
from .jobs import Asked, Run
from .logic import Preview, SegmentationLogic
from .panel_facts import Accepted, Outcome, Request

OnEnd = Callable[[Outcome], None]
OnAccepted = Callable[[Accepted], None]


class PanelRuns:
    """The panel's view of `logic.SegmentationLogic`.

    Args:
        scene: Has the scans and the results.
        logic: Runs, shows and commits.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, logic: SegmentationLogic) -> None:
        self._scene, self._logic = scene, logic
        self._run: Run | None = None
        self._preview: Preview | None = None
        self._sentence = ""
        self._notes: tuple[str, ...] = ()
        self._last_id = ""

    def start(self, request: Request, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Queue a run; a preview that still waits is thrown away."""
        self.discard()

        def ended(run: Run, preview: Preview | None) -> None:
            self._run, self._preview = None, preview
            self._sentence = _sentence(run) if preview is not None else ""
            self._notes = tuple(run.report.get("notes", ()))
            on_end(_outcome(run, self._sentence))

        self._run = self._logic.start(_asked(request), on_progress, ended)

    def cancel(self) -> None:
        """End the run; the scene stays as it is."""
        if self._run is not None:
            self._logic.cancel(self._run)

    def accept(self, on_accepted: OnAccepted) -> None:
        """Commit the preview in the background of the event loop.

        Raises:
            SegmentationAIError: There is no preview, or the scan or the target was removed, moved
                or changed meanwhile; the preview stays then.
        """
        preview = self._preview
        if preview is None or preview.node.GetScene() is None:
            raise SegmentationAIError("There is no result to accept; segment the scan again.")

        def written(done: Committed | None, error: BaseException | None) -> None:
            if done is None:
                on_accepted(Accepted(None, str(error)))
                return
            self._last_id = done.node.GetID()
            sentence = " ".join((self._sentence, *done.notes))
            on_accepted(Accepted(done.node, sentence, "\n".join(self._notes)))

        self._logic.accept(preview, written)
        self._preview = None

    def discard(self) -> None:
        """Throw the preview away."""
        preview, self._preview = self._preview, None
        if preview is not None:
            self._logic.discard(preview)

    def segment(
        self, volume_node: slicer.vtkMRMLScalarVolumeNode, network_id: str
    ) -> slicer.vtkMRMLSegmentationNode:
        """Return a new segmentation node, for scripts; see `logic.SegmentationLogic.segment`."""
        return self._logic.segment(volume_node, network_id)

    def undo(self) -> None:
        """Take the last accepted result back, all its segments at once.

        Raises:
            SegmentationAIError: There is none.
        """
        self._editor().Undo()

    def redo(self) -> None:
        """Bring it back.

        Raises:
            SegmentationAIError: There is none.
        """
        self._editor().Redo()

    def can_undo(self) -> bool:
        """Return whether there is something to take back."""
        return self._has_last() and bool(self._editor().CanUndo())

    def can_redo(self) -> bool:
        """Return whether there is something to bring back."""
        return self._has_last() and bool(self._editor().CanRedo())

    def _has_last(self) -> bool:
        return bool(self._last_id) and self._scene.GetNodeByID(self._last_id) is not None

    def _editor(self) -> slicer.vtkSlicerSegmentEditorLogic:
        if not self._has_last():
            raise SegmentationAIError("There is nothing to take back.")
        return self._logic.editors.editor_of(self._scene.GetNodeByID(self._last_id))


def _asked(request: Request) -> Asked:
    options: dict[str, Any] = {}
    if request.structures is not None:
        options["structures"] = request.structures
    if request.roi is not None:
        bounds = [0.0] * 6
        request.roi.GetRASBounds(bounds)
        options["roi_ras"] = tuple(bounds)
    rule: Rule = "replace" if request.replaces_work else "merge"
    return Asked(
        request.volume,
        request.network_id,
        dict(request.others),
        options,
        "new" if request.into is None else rule,
        request.into,
    )


def _outcome(run: Run, sentence: str) -> Outcome:
    if run.state == "done":
        return Outcome(sentence, has_preview=True)
    cause = run.error.__cause__ if run.error is not None else None
    return Outcome(
        run.sentence,
        was_cancelled=isinstance(run.error, Cancelled),
        details="" if cause is None else repr(cause),
    )


def _sentence(run: Run) -> str:
    """Return what was done, such as "32 structures in 38 s on cpu."."""
    report = run.report
    found = sum(1 for label in report.get("labels", ()) if label.get("voxels"))
    seconds = max(1, round(float(report.get("seconds", {}).get("total", 0.0))))
    structures = "1 structure" if found == 1 else f"{found} structures"
    device = str(report.get("device", "")).replace("cpu", "CPU") or "the worker"
    return f"{structures} in {seconds} s on {device}."
