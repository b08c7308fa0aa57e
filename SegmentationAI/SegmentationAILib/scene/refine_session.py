"""A correction of one segment on one scan: prompts go to a worker, differences come into a preview.

Prompts are answered one after the other; a line that is still growing waits with its last state
alone. Nothing is written into the segment before it is accepted. When the worker is lost, the
correction goes on from what is shown.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import slicer
import vtk

from ..core.errors import Cancelled, SegmentationAIError
from ..core.mask_history import Mask
from ..core.prompt_file import prompt_from_row, row_of_prompt
from ..core.prompts import PointPrompt, Prompt
from ..worker.client import Call, RefineAnswer, RefineAsked, Worker, WorkerError
from .call_watch import watch_call
from .refine_commit import check_unlocked, frozen_voxels, segment_mask
from .refine_facts import (
    CorrectionAsked,
    CorrectionFacts,
    doubts_of,
    kept_in_words,
    place_in_words,
    prompt_in_words,
    removed_in_words,
)
from .refine_preview import CorrectionPreview
from .refine_step import NO_ANSWER, CorrectionStep
from .scan_witness import is_in_scene, witness_of
from .ticker import Stop, Ticker
from .translation import tr as _
from .volume_node import volume_from_node

# A third of the time in which a click should be answered is too long to be asleep.
LOOK_MILLISECONDS: Final = 10
OnChange = Callable[[], None]
OnDoubt = Callable[[PointPrompt | None], None]
OnKept = Callable[[str], None]


class Correction:
    """One segment while it is corrected.

    Args:
        asked: What is corrected, and how.
        scene: Of the nodes.
        worker: Makes or finds the worker.
        ticker: The event loop.
        on_change: Called when the facts have changed, by the event loop or within a call.

    Raises:
        SegmentationAIError: The segment is locked, is gone, or lies on other voxels than the scan.
    """

    def __init__(
        self,
        asked: CorrectionAsked,
        scene: slicer.vtkMRMLScene,
        worker: Callable[[], Worker],
        ticker: Ticker,
        on_change: OnChange,
    ) -> None:
        self.asked = asked
        self._scene, self._worker, self._ticker, self._on_change = scene, worker, ticker, on_change
        self._witness = witness_of(asked.volume)
        check_unlocked(asked)
        self._start = segment_mask(asked)
        self._name = asked.node.GetSegmentation().GetSegment(asked.segment_id).GetName()
        self.preview = CorrectionPreview(asked.volume, self._start, self._name)
        adapts, sentence = asked.engine == "adapt", _("Click into the scan.")
        self.facts = CorrectionFacts(is_open=True, sentence=sentence, adapts=adapts)
        self.prompts: tuple[Prompt, ...] = ()
        self._line: deque[CorrectionStep] = deque()
        self._step: CorrectionStep | None = None
        self._call: Call[RefineAnswer] | None = None
        self._stop: Stop = lambda: None
        self._session = ""
        self._looked_at: list[list[float]] = []
        self._tags = [
            scene.AddObserver(scene.StartCloseEvent, lambda *_: self._scene_closed()),
            scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._node_removed),
        ]
        self._open(self._start)

    # What a person does

    def add(self, prompt: Prompt, is_finished: bool = True) -> None:
        """Let a prompt be answered; one that is still drawn replaces what waits of it."""
        if self._line and not self._line[-1].is_finished:
            self._line.pop()
        values = {"prompt": row_of_prompt(prompt), "is_finished": is_finished}
        self._put(CorrectionStep("prompt", values, is_finished))

    def apply(self) -> None:
        """Let all prompts that wait be answered, as one step."""
        self._put(CorrectionStep("apply"))

    def remove(self, index: int) -> None:
        """Take one prompt out; those after it are answered anew."""
        self._put(CorrectionStep("remove", {"index": index}))

    def undo(self) -> None:
        """Take the last step back."""
        self._put(CorrectionStep("undo"))

    def redo(self) -> None:
        """Do the step again that was taken back last."""
        self._put(CorrectionStep("redo"))

    def set_rules(self, mode: str, run_mode: str) -> None:
        """Say what later prompts may do, and when they are answered."""
        self.asked = replace(self.asked, mode=mode, run_mode=run_mode)
        self._put(CorrectionStep("rules", {"mode": mode, "run_mode": run_mode}))

    def next_doubt(self, on_doubt: OnDoubt) -> None:
        """Find the most doubtful place that was not looked at; None when there is no other."""

        def found(answer: RefineAnswer) -> None:
            row = answer.facts.get("prompt")
            prompt = None if row is None else prompt_from_row(row)
            if not isinstance(prompt, PointPrompt):
                self._tell(_("No other place is in doubt."), proposed=None)
                on_doubt(None)
                return
            self._looked_at.append(list(prompt.position_ras))
            said = _("Belongs to it?") if prompt.positive else _("Does not belong to it?")
            where = place_in_words(prompt.position_ras)
            self._tell(f"{where}: {said}", proposed=prompt, **doubts_of(answer.facts))
            on_doubt(prompt)

        self._put(CorrectionStep("doubt", {"looked_at": self._looked_at}, then=found))

    def keep_network(self, network_id: str, on_kept: OnKept) -> None:
        """Install the network as it was last adapted; ``on_kept`` is told that in a sentence."""
        step = CorrectionStep("keep", {"id": network_id})
        step.then = lambda answer: on_kept(kept_in_words(answer.facts))
        self._put(step)

    def when_answered(self, act: Callable[[], None]) -> None:
        """Call ``act`` once everything that waits has been answered."""
        self._put(CorrectionStep("local", then=lambda answer: act()))

    def check(self) -> None:
        """Raise unless scan and segment are what they were.

        Raises:
            SegmentationAIError: They are not; the sentence says what has changed.
        """
        for node in (self.asked.volume, self.asked.node):
            if not is_in_scene(node, self._scene):
                raise SegmentationAIError(removed_in_words(node.GetName()))
        self._witness.check(self._scene)
        check_unlocked(self.asked)

    def close(self) -> None:
        """End it: the preview goes, the worker forgets it; the segment is as it is."""
        if not self.facts.is_open:
            return
        self._end("")
        if self._session:
            self._worker().refine(RefineAsked("close", self._session))

    # The line of what waits

    def _put(self, step: CorrectionStep) -> None:
        if not self.facts.is_open:
            raise SegmentationAIError(_("This correction is over; begin another one."))
        self._line.append(step)
        self._next()

    def _next(self) -> None:
        while self._call is None and self._line and self.facts.is_open:
            step = self._line.popleft()
            if step.action == "local":
                step.then(NO_ANSWER)
                continue
            if not self._session:
                # The last worker was lost, and no other came in its place so far.
                self._line.appendleft(step)
                self._open(self.preview.mask, is_again=True)
                break
            self._step = step
            self._ask(RefineAsked(step.action, self._session, step.values))  # type: ignore[arg-type]
        self._tell(self.facts.sentence)

    def _ask(self, asked: RefineAsked) -> None:
        self._call = self._worker().refine(asked)
        self._stop = watch_call(
            self._call, self._ticker, self._progress, self._ended, LOOK_MILLISECONDS
        )

    def _open(self, start: Mask, is_again: bool = False) -> None:
        asked = self.asked
        values = {"engine": asked.engine, "network": asked.network, "mode": asked.mode,
                  "run_mode": asked.run_mode}  # fmt: skip
        masks = {"start": start}
        frozen = frozen_voxels(asked)
        if frozen is not None:
            masks["frozen"] = frozen
        self._step = CorrectionStep("open", is_retried=is_again)
        self._ask(RefineAsked("open", "", values, volume_from_node(asked.volume), masks))

    def _progress(self, fraction: float, sentence: str, seconds_left: float | None) -> None:
        if fraction > 0:
            self._tell(f"{sentence} ({fraction:.0%})")

    def _ended(self, call: Call[RefineAnswer]) -> None:
        step, self._step, self._call = self._step, None, None
        assert step is not None
        try:
            answer = call.result(0)
            self.check()
        except WorkerError as error:
            self._lost(step, error)
        except Cancelled:
            self._tell(_("Canceled; what is shown is as it was."))
        except SegmentationAIError as error:
            self._refused(step, error)
        except Exception:
            self._end(_("Something unforeseen happened; nothing was written."))
            raise
        else:
            self._take(step, answer)
        self._next()

    def _take(self, step: CorrectionStep, answer: RefineAnswer) -> None:
        self._session, self.prompts = answer.session, answer.prompts
        if answer.mask is not None:
            self.preview.show(answer.box, answer.mask)
            self._looked_at.clear()
        if step.action == "open" and step.is_retried:
            sentence = self.facts.sentence
        else:
            sentence = " ".join(answer.notes)
        self._tell(
            sentence,
            prompts=tuple(prompt_in_words(prompt) for prompt in answer.prompts),
            waiting=len(answer.waiting),
            can_undo=answer.undo_levels > 0,
            can_redo=answer.redo_levels > 0,
            has_change=self.preview.has_change,
            proposed=None if answer.mask is not None else self.facts.proposed,
        )
        step.then(answer)

    def _refused(self, step: CorrectionStep, error: SegmentationAIError) -> None:
        """A prompt that cannot be answered leaves all as it was; without a scan nothing goes on."""
        try:
            self.check()
        except SegmentationAIError as gone:
            self._end(str(gone))
            return
        if step.action == "open":
            self._go_without(str(error))
        else:
            self._tell(str(error))

    def _lost(self, step: CorrectionStep, error: WorkerError) -> None:
        """Go on from what is shown in a new worker; the step is asked once more."""
        if step.is_retried or step.action == "open":
            self._go_without(str(error))
            return
        self._forget_session(
            _("The worker was lost; the correction goes on from what is shown. Earlier steps can "
              "no longer be undone.")
        )  # fmt: skip
        if step.action in ("prompt", "rules", "doubt"):
            step.is_retried = True
            self._line.appendleft(step)
        self._open(self.preview.mask, is_again=True)

    def _go_without(self, reason: str) -> None:
        """Keep what is shown where no worker can be had: it can be accepted without one."""
        if not self.preview.has_change:
            self._end(reason)
            return
        self._line.clear()
        more = _("What is shown can still be accepted; the next click asks a new worker.")
        self._forget_session(f"{reason} {more}")

    def _forget_session(self, sentence: str) -> None:
        self._session, self.prompts = "", ()
        self._tell(sentence, prompts=(), waiting=0, can_undo=False, can_redo=False, proposed=None)

    def _tell(self, sentence: str, **changed: Any) -> None:
        is_busy = self._call is not None
        self.facts = replace(self.facts, sentence=sentence, is_busy=is_busy, **changed)
        self._on_change()

    # The end

    def _end(self, sentence: str) -> None:
        self._stop()
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._line.clear()
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags = []
        self.preview.remove()
        self.facts = CorrectionFacts(sentence=sentence)
        self._on_change()

    def _scene_closed(self) -> None:
        if self.facts.is_open:
            self._end(_("The scene was closed; the correction was dropped."))

    @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator,unused-ignore]
    def _node_removed(self, scene: Any, event: str, node: Any) -> None:
        if self.facts.is_open and node in (self.asked.volume, self.asked.node):
            self._end(removed_in_words(node.GetName()))
