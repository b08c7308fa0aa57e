"""Runs of networks on scans: a queue that the event loop polls. Only this file leaves its thread.

A worker does the network's work elsewhere; what numpy has to do with its answer is done on a thread
here, and no thread but the event loop's ever touches a node.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import slicer

from ..core.errors import Cancelled, SegmentationAIError
from .background_task import BackgroundTask
from .commit_plan import Rule
from .prepared_result import PreparedResult, prepared_result
from .scan_witness import ScanWitness, is_in_scene, witness_of
from .segment_worker import Call, Event, SegmentWorker
from .ticker import Stop, Ticker
from .volume_node import volume_from_node

POLL_MILLISECONDS: Final = 50
State = Literal["queued", "running", "preparing", "done", "failed", "canceled"]


@dataclass(frozen=True, eq=False)
class Asked:
    """What a person asks for.

    Attributes:
        volume_node: The scan.
        network_id: Which network.
        others: Role to further scans.
        options: As the worker takes them: ``roi_ras``, ``structures``, ``overlap`` and more.
        rule: What becomes of the result.
        target: Segmentation for ``merge`` and ``replace``, None for ``new``.
    """

    volume_node: slicer.vtkMRMLVolumeNode
    network_id: str
    others: Mapping[str, slicer.vtkMRMLVolumeNode] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    rule: Rule = "new"
    target: slicer.vtkMRMLSegmentationNode | None = None


@dataclass(eq=False)
class Run:
    """One network on one scan.

    Attributes:
        asked: What it is for.
        state: Where it is.
        sentence: What is being done, or how it ended.
        result: Ready to be committed, once ``done``.
        report: Facts of the run, once ``done``.
    """

    asked: Asked
    on_progress: Callable[[float, str, float | None], None]
    on_end: Callable[["Run"], None]
    state: State = "queued"
    sentence: str = "Waiting for the run before it"
    result: PreparedResult | None = None
    report: dict[str, Any] = field(default_factory=dict)
    error: BaseException | None = None
    witnesses: tuple[ScanWitness, ...] = ()

    def check(self, scene: slicer.vtkMRMLScene) -> None:
        """Raise unless the result still belongs where it was asked for.

        Raises:
            SegmentationAIError: A scan or the target was removed, moved or changed.
        """
        for witness in self.witnesses:
            witness.check(scene)
        target = self.asked.target
        if target is not None and not is_in_scene(target, scene):
            raise SegmentationAIError(
                f"'{target.GetName()}' was removed while the network ran, so its result was "
                "dropped; run it again into another segmentation."
            )


class RunQueue:
    """Runs one network after another.

    Args:
        scene: Closing it drops all runs.
        worker: Does the work; asked for when the first run starts.
        ticker: The event loop.
    """

    def __init__(
        self, scene: slicer.vtkMRMLScene, worker: Callable[[], SegmentWorker], ticker: Ticker
    ) -> None:
        self._scene = scene
        self._worker = worker
        self._ticker = ticker
        self._waiting: deque[Run] = deque()
        self._current: Run | None = None
        self._call: Call | None = None
        self._preparation: BackgroundTask[PreparedResult] | None = None
        self._last_event: Event | None = None
        self._stop: Stop | None = None
        self._tag = scene.AddObserver(scene.StartCloseEvent, lambda *_: self._on_scene_closed())

    @property
    def runs(self) -> tuple[Run, ...]:
        """The run that is under way, and those that wait, in order."""
        current = () if self._current is None else (self._current,)
        return (*current, *self._waiting)

    def add(
        self,
        asked: Asked,
        on_progress: Callable[[float, str, float | None], None],
        on_end: Callable[[Run], None],
    ) -> Run:
        """Queue a run; both functions are called by the event loop, never within this call."""
        run = Run(asked, on_progress, on_end)
        self._waiting.append(run)
        if self._stop is None:
            self._stop = self._ticker.every(POLL_MILLISECONDS, self._poll)
        return run

    def cancel(self, run: Run) -> None:
        """End a run; its ``on_end`` is called at once."""
        if run in self._waiting:
            self._waiting.remove(run)
            self._end(run, Cancelled())
        elif run is self._current:
            if self._call is not None:
                self._call.cancel()
            self._end(run, Cancelled())

    def close(self) -> None:
        """Cancel everything and stop polling."""
        self._scene.RemoveObserver(self._tag)
        self._cancel_all(Cancelled())

    def _on_scene_closed(self) -> None:
        self._cancel_all(
            SegmentationAIError(
                "The scene was closed while the network ran; its result is dropped."
            )
        )

    def _cancel_all(self, error: BaseException) -> None:
        for run in self.runs:
            if run is self._current and self._call is not None:
                self._call.cancel()
            if run in self._waiting:
                self._waiting.remove(run)
            self._end(run, error)

    def _poll(self) -> None:
        run = self._current
        if run is None:
            if not self._waiting:
                self._rest()
                return
            self._current = self._waiting.popleft()
            self._guarded(self._current, self._begin)
        elif self._preparation is not None:
            if self._preparation.is_finished:
                self._guarded(run, self._take_prepared)
        elif self._call is not None and self._call.is_finished:
            self._guarded(run, self._take_answer)
        elif self._call is not None and self._call.last_event is not self._last_event:
            event = self._last_event = self._call.last_event
            run.sentence = event.sentence
            run.on_progress(event.fraction, event.sentence, event.seconds_left)

    def _guarded(self, run: Run, step: Callable[[Run], None]) -> None:
        """Take a step; whatever it raises ends this run and no other."""
        try:
            step(run)
        except (SegmentationAIError, Cancelled) as error:
            self._end(run, error)
        except Exception as error:
            self._end(run, error)
            raise

    def _begin(self, run: Run) -> None:
        nodes = [run.asked.volume_node, *run.asked.others.values()]
        for node in nodes:
            if not is_in_scene(node, self._scene):
                raise SegmentationAIError(
                    f"'{node.GetName()}' was removed before its run began; choose another scan."
                )
        run.witnesses = tuple(witness_of(node) for node in nodes)
        volume = volume_from_node(run.asked.volume_node)
        others = {role: volume_from_node(node) for role, node in run.asked.others.items()}
        run.state, run.sentence = "running", "Starting"
        run.on_progress(0.0, "Starting", None)
        self._call = self._worker().segment(
            volume, others, run.asked.network_id, dict(run.asked.options)
        )

    def _take_answer(self, run: Run) -> None:
        call, self._call = self._call, None
        assert call is not None
        answer = call.result(0)
        run.check(self._scene)
        run.report = answer.report
        run.state, run.sentence = "preparing", "Preparing the segments"
        run.on_progress(1.0, run.sentence, None)
        self._preparation = BackgroundTask(lambda: prepared_result(answer.labelmap))

    def _take_prepared(self, run: Run) -> None:
        preparation, self._preparation = self._preparation, None
        assert preparation is not None
        run.result = preparation.result()
        run.check(self._scene)
        self._end(run, None)

    def _end(self, run: Run, error: BaseException | None) -> None:
        if run is self._current:
            self._current = self._call = self._preparation = self._last_event = None
        run.error = error
        if error is None:
            run.state, run.sentence = "done", "Done"
        elif isinstance(error, Cancelled):
            run.state, run.sentence = "canceled", "Canceled; everything is as it was."
        else:
            run.state, run.sentence = "failed", str(error)
        run.on_end(run)

    def _rest(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None
