"""A worker's stand-in: the real segmenter on a thread of this process, held at a gate.

It does not check: the wire, other processes and machines, tokens, what happens when a worker dies
or is silent, seconds left, and networks that are not installed. The labels are the network's own.
"""

import threading
from dataclasses import replace
from types import SimpleNamespace

from SegmentationAILib.core.errors import Cancelled, SegmentationAIError
from SegmentationAILib.core.progress import Progress


class ThreadCall:
    """A run on its own thread; it waits at the gate before it starts and before it ends."""

    def __init__(self, work, gate):
        self._work = work
        self._gate = gate
        self._finished = threading.Event()
        self._answer = None
        self._error = None
        self.was_cancelled = False
        self.last_event = SimpleNamespace(fraction=0.0, sentence="Waiting", seconds_left=None)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def is_finished(self):
        return self._finished.is_set()

    def cancel(self):
        if not self.is_finished:
            self.was_cancelled = True
            self._error = Cancelled()
            self._finished.set()

    def result(self, seconds=None):
        if not self._finished.wait(seconds):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._answer

    def _run(self):
        def report(fraction, sentence):
            if self.was_cancelled:
                raise Cancelled
            self.last_event = SimpleNamespace(
                fraction=fraction, sentence=sentence, seconds_left=None
            )

        try:
            answer = self._work(Progress(report))
            self._gate.wait(20)
            self._answer = answer
        except (SegmentationAIError, Cancelled) as error:
            self._error = error
        finally:
            self._finished.set()


class ThreadWorker:
    """Runs a `Segmenter`; ``gate`` lets answers out, and is open unless a test closes it."""

    def __init__(self, segmenter):
        self._segmenter = segmenter
        self.gate = threading.Event()
        self.gate.set()
        self.calls = []
        # As in the worker, one run at a time: a canceled one ends at its next patch.
        self._lane = threading.Lock()

    def segment(self, volume, others, network_id, options=None, on_event=None):
        # As the worker's shared memory, a copy: the scan may be edited while the thread reads.
        volume = replace(volume, voxels=volume.voxels.copy())

        def work(progress):
            if network_id != self._segmenter.card.id:
                raise SegmentationAIError(f"There is no network '{network_id}'; install it.")
            with self._lane:
                found = self._segmenter.segment(volume, others, progress=progress)
            return SimpleNamespace(
                labelmap=found.labelmap, report=self._segmenter.report(found, found.seconds)
            )

        call = ThreadCall(work, self.gate)
        self.calls.append(call)
        return call
