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
from .placement import world_from_local
from .prepared_runs import PreparedRun, PreparedRuns
from .segmentation_layers import labelmap_of_segmentation
from .segmentation_state import copied_state, detached, let_go
from .ticker import Ticker
from .translation import tr as _
from .turns import Steps, elsewhere, run_in_turns
from .volume_change import remember_accepted, volumes_ml
from .volume_node import grid_of_node

OnEnd = Callable[[Outcome], None]
OnAccepted = Callable[[Accepted], None]


class PanelRuns:
    """The panel's view of `logic.SegmentationLogic`.

    Args:
        scene: Has the scans and the results.
        logic: Shows and commits.
        runs: Starts runs, with what they lack.
        ticker: The event loop.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        logic: SegmentationLogic,
        runs: PreparedRuns,
        ticker: Ticker,
    ) -> None:
        self._scene, self._logic, self._runs, self._ticker = scene, logic, runs, ticker
        self._run: PreparedRun | None = None
        self._preview: Preview | None = None
        self._sentence = ""
        self._notes: tuple[str, ...] = ()

    def start(self, request: Request, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Queue a run; a preview that still waits is thrown away.

        What the run lacks (the environment, the network) is brought first: `consent` was given.
        """
        self.discard()

        def ended(run: Run, preview: Preview | None) -> None:
            self._run, self._preview = None, preview
            self._sentence = sentence_of_run(run) if preview is not None else ""
            self._notes = tuple(run.report.get("notes", ()))
            on_end(_outcome(run, self._sentence))

        self._run = self._runs.start(_asked(request), on_progress, ended)

    def cancel(self) -> None:
        """End the run; the scene stays as it is."""
        if self._run is not None:
            self._runs.cancel(self._run)

    def has_preview(self) -> bool:
        """Return whether a result waits to be accepted or thrown away."""
        return self._preview is not None and self._preview.node.GetScene() is not None

    def accept(self, on_accepted: OnAccepted) -> None:
        """Commit the preview in the background of the event loop.

        Raises:
            SegmentationAIError: There is no preview, or the scan or the target was removed, moved
                or changed meanwhile; the preview stays then.
        """
        preview = self._preview
        if preview is None or not self.has_preview():
            raise SegmentationAIError(_("There is no result to accept; segment the scan again."))

        def written(done: Committed | None, error: BaseException | None) -> None:
            if done is None:
                on_accepted(Accepted(None, str(error)))
                return
            run_in_turns(self._remember_volumes(done), self._ticker)
            sentence = " ".join((self._sentence, *done.notes))
            on_accepted(Accepted(done.node, sentence, "\n".join(self._notes)))

        self._logic.accept(preview, written)
        self._preview = None

    def _remember_volumes(self, done: Committed) -> Steps[None]:
        """Measure what was accepted, step by step, and write it into its segments."""
        volume = done.node.GetNodeReference(done.node.GetReferenceImageGeometryReferenceRole())
        if volume is None:
            return  # a segmentation of another program; changes are told against others alone
        grid, world = grid_of_node(volume), world_from_local(done.node)
        segmentation = detached((yield from copied_state(done.node)))

        def work() -> dict[str, float]:
            return volumes_ml(labelmap_of_segmentation(segmentation, world, grid, resample=False))

        try:
            volumes = yield from elsewhere(work)
        except SegmentationAIError:
            return  # the segments lie on other voxels than their scan
        finally:
            let_go(segmentation)
        if done.node.GetScene() is self._scene:
            remember_accepted(done.node, volumes, done.segment_ids)

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
        self._logic.undo()

    def redo(self) -> None:
        """Bring it back.

        Raises:
            SegmentationAIError: There is none.
        """
        self._logic.redo()

    def can_undo(self) -> bool:
        """Return whether there is something to take back."""
        return self._logic.can_undo()

    def can_redo(self) -> bool:
        """Return whether there is something to bring back."""
        return self._logic.can_redo()


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
        is_success=False,
        details="" if cause is None else repr(cause),
    )


def sentence_of_run(run: Run) -> str:
    """Return what was done, such as "32 structures in 38 s on cpu."."""
    report = run.report
    found = sum(1 for label in report.get("labels", ()) if label.get("voxels"))
    seconds = max(1, round(float(report.get("seconds", {}).get("total", 0.0))))
    structures = _("1 structure") if found == 1 else _("{n} structures").format(n=found)
    device = str(report.get("device", "")).replace("cpu", "CPU") or _("the worker")
    said = _("{structures} in {seconds} s on {device}.")
    return said.format(structures=structures, seconds=seconds, device=device)
