"""What the worker does for a call ``train``: collect, plan, train, and what becomes of the network.

One training runs at a time, on a thread of its own; a call that is lost or a worker that is killed
costs what came after the last checkpoint, and ``start`` with ``resume`` goes on from there.
"""

import io
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final, cast

from ..core.errors import Cancelled, MemoryBudgetError, SegmentationAIError
from ..core.progress import Progress
from ..core.staging import discard
from ..learn.case_picture import case_picture
from ..learn.case_reader import read_case
from ..learn.dataset_checks import CheckReport
from ..learn.dataset_writer import CollectedCase, write_dataset
from ..learn.networks_compared import compare_networks
from ..learn.training_job import TrainingJob, TrainingRequest, run_job
from ..networks.running import is_out_of_memory
from .frame import Frame
from .protocol import Event, WorkerError
from .served_call import ServedCall
from .train_plan import checked_cases, plan_facts, planned
from .train_values import (
    collected_folder,
    left_out_of,
    modality_of,
    request_of,
    training_folder,
)
from .trained_network import go_back, is_finished, keep, result_facts, write_comparison
from .training_story import TrainingStory
from .wire_train import (
    TRAIN_ACTIONS,
    TrainAction,
    TrainAnswer,
    frame_of_train_answer,
    scans_of_frame,
)

# The share of the progress after which both networks segment the hold-out.
TRAINED: Final = 0.95
PAUSE_SECONDS: Final = 0.1


@dataclass(eq=False)
class _Running:
    """A training that is under way."""

    owner: str
    story: TrainingStory
    is_paused: threading.Event = field(default_factory=threading.Event)
    is_stopped: threading.Event = field(default_factory=threading.Event)


class Trainings:
    """The trainings of one worker; calls come from two of its threads."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._stories: dict[str, TrainingStory] = {}
        self._reports: dict[str, CheckReport] = {}
        self._jobs: dict[str, tuple[TrainingRequest, frozenset[str], TrainingJob]] = {}

    def do(self, frame: Frame, call: ServedCall) -> Frame:
        """Return the frame of what became of a call.

        Args:
            frame: See `wire_train.TrainAsked`.
            call: Told of the progress; raises when it was canceled.

        Raises:
            WorkerError: The frame does not say what to do.
            SegmentationAIError: What is asked for cannot be done; nothing has changed then.
            Cancelled: The host asked for the end, or ``stop`` did; the folder can be resumed.
        """
        action, name = frame.header.get("action"), frame.header.get("name")
        values = frame.header.get("values")
        if action not in TRAIN_ACTIONS or not isinstance(name, str) or not isinstance(values, dict):
            known = ", ".join(TRAIN_ACTIONS)
            raise WorkerError(f"A training can {known}; {ascii(action)[:40]} came.")
        try:
            answer = self._done(cast(TrainAction, action), name, values, frame, call)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise MemoryBudgetError(
                "The memory ran out; choose a smaller network, or a machine with more."
            ) from error
        return frame_of_train_answer(answer)

    def _done(
        self, action: TrainAction, name: str, values: dict[str, Any], frame: Frame, call: ServedCall
    ) -> TrainAnswer:
        progress = call.progress()
        if action == "collect":
            return TrainAnswer(_collect(name, values, frame, progress))
        if action == "plan":
            return TrainAnswer(self._plan(name, values, progress))
        if action == "start":
            return TrainAnswer(self._start(name, values, call))
        if action in ("pause", "go on", "stop"):
            return TrainAnswer(self._tell(action, name, call.owner))
        if action == "sample":
            story = self._stories.get(name)
            return TrainAnswer({}, b"" if story is None else story.picture())
        if action == "picture":
            return TrainAnswer({}, self._picture(name, str(values.get("case", ""))))
        if action == "roll back":
            return TrainAnswer(go_back(str(values.get("id", "")), progress))
        self._check_not_running(name)
        if action == "keep":
            replaces = values.get("replaces") is True
            return TrainAnswer(keep(training_folder(name), replaces=replaces, progress=progress))
        folder = training_folder(name)
        if folder.is_dir():
            discard(folder)
        return TrainAnswer({"discarded": name})

    def _plan(self, name: str, values: dict[str, Any], progress: Progress) -> dict[str, Any]:
        request, left_out = request_of(name, values), left_out_of(values)
        self._jobs.clear()
        report = checked_cases(request, progress.part(0.0, 0.9))
        self._reports = {name: report}
        progress(0.9, "Planning")
        job, refused = planned(request, report, left_out)
        if job is not None:
            self._jobs[name] = (request, left_out, job)
        facts = plan_facts(request, report, job, refused)
        if is_finished(request.output):
            facts["result"] = result_facts(request.output)
        return facts

    def _start(self, name: str, values: dict[str, Any], call: ServedCall) -> dict[str, Any]:
        self._check_not_running(name)
        request, left_out = request_of(name, values), left_out_of(values)
        job = self._job(name, request, left_out, call.progress())
        steps = 0 if request.minutes else job.plan.steps
        story = TrainingStory(request.output, [label.name for label in job.plan.labels], steps)
        if request.resume:
            story.remember()
        running = _Running(call.owner, story)
        self._running[name] = running
        self._stories = {name: story}
        progress = _streaming(call, running)
        expected = job.plan.expected.seconds if job.plan.expected else None
        call.expect(60 * request.minutes if request.minutes else expected)
        try:
            run_job(job, progress.part(0.0, TRAINED), story.hear)
            compared = compare_networks(
                request.output, request.base, job.dataset, job.split.hold_out, request.device,
                progress=progress.part(TRAINED, 1.0),
            )  # fmt: skip
        finally:
            del self._running[name]
        write_comparison(request.output, compared)
        return {**story.facts(), "result": result_facts(request.output)}

    def _job(
        self, name: str, request: TrainingRequest, left_out: frozenset[str], progress: Progress
    ) -> TrainingJob:
        """Return what was planned, or plan it where the worker has forgotten it."""
        known = self._jobs.pop(name, None)
        if known is not None and known[:2] == (request, left_out):
            return known[2]
        job, refused = planned(request, checked_cases(request, progress.part(0.0, 0.0)), left_out)
        if job is None:
            raise SegmentationAIError(refused)
        return job

    def _tell(self, action: str, name: str, owner: str) -> dict[str, Any]:
        running = self._running.get(name)
        if running is None or running.owner != owner:
            raise WorkerError("This training does not run in the worker now; start it again.")
        if action == "pause":
            running.is_paused.set()
        elif action == "go on":
            running.is_paused.clear()
        else:
            running.is_stopped.set()
        return {}

    def _picture(self, name: str, case_id: str) -> bytes:
        report = self._reports.get(name)
        if report is None:
            raise WorkerError("The cases have to be checked before they can be shown.")
        case = read_case(report.dataset, report.dataset.case(case_id))
        sentences = [one.sentence for one in report.findings if one.case == case_id]
        caption = sentences[0] if sentences else case_id
        stream = io.BytesIO()
        case_picture(case.volume, case.labelmap, report.dataset.labels, caption).save(stream, "PNG")
        return stream.getvalue()

    def _check_not_running(self, name: str) -> None:
        if name in self._running:
            raise SegmentationAIError(f"The training {name} is under way; end it first.")


def _collect(name: str, values: dict[str, Any], frame: Frame, progress: Progress) -> dict[str, Any]:
    """Write the cases of a scene; those that were collected for this training before are gone."""
    kind, folder = modality_of(values), collected_folder(name)
    cases = [CollectedCase(one.id, one.volume, one.labelmap) for one in scans_of_frame(frame)]
    if folder.is_dir():
        discard(folder)
    write_dataset(folder, name, [kind], cases, progress)
    return {"cases": len(cases)}


def _streaming(call: ServedCall, running: _Running) -> Progress:
    """Return a receiver of progress that sends the curves along, waits in a pause and can stop."""

    def post(fraction: float, sentence: str) -> None:
        left = call.remaining.left(fraction)
        call.post(Event("progress", fraction, sentence, left, running.story.facts()))

    def report(fraction: float, sentence: str) -> None:
        _check(call, running)
        if running.is_paused.is_set():
            post(fraction, "Paused")
            began = time.monotonic()
            while running.is_paused.is_set() and not running.is_stopped.wait(PAUSE_SECONDS):
                _check(call, running)
            call.remaining.started += time.monotonic() - began
            _check(call, running)
        post(fraction, sentence)

    return Progress(report)


def _check(call: ServedCall, running: _Running) -> None:
    if call.is_canceled or running.is_stopped.is_set():
        raise Cancelled
