"""Sets up the worker's own environment in the background, and starts the worker in it."""

import threading
from contextlib import ExitStack
from typing import Final

from ..core.progress import Progress
from ..worker.client import Call, Event, LocalWorker
from ..worker.environment import EnvironmentState, WorkerEnvironment
from ..worker.environment_error import WorkerEnvironmentError
from ..worker.gpu_proof import GpuProof
from ..worker.nvidia_driver import read_driver
from ..worker.package_source import PackageSource
from ..worker.preflight import preflight
from ..worker.torch_build import choose_build

SET_UP_FIRST: Final = "Set it up in the step Settings: Slicer's own Python stays untouched."


class WorkerSetup:
    """The environment and the one worker that runs in it.

    Args:
        environment: None for the person's own.
        worker: A worker that is there already, such as one of a test; its environment is its own.
    """

    def __init__(
        self, environment: WorkerEnvironment | None = None, worker: LocalWorker | None = None
    ) -> None:
        self.environment = environment or WorkerEnvironment()
        self._worker = worker
        self._until_closed = ExitStack()

    def state(self) -> EnvironmentState:
        """Return whether the environment is there."""
        return self.environment.state()

    def worker(self) -> LocalWorker:
        """Return the worker, started with its first call.

        Raises:
            WorkerEnvironmentError: Its environment is absent, outdated or broken.
        """
        if self._worker is None:
            state = self.state()
            if state.kind != "ready":
                raise WorkerEnvironmentError("absent", state.sentence, SET_UP_FIRST)
            python = self._until_closed.enter_context(self.environment.in_use())
            self._worker = LocalWorker(python)
        return self._worker

    def make(self) -> Call[GpuProof]:
        """Start to make the environment; the call can be followed and canceled."""
        self.close()
        call: Call[GpuProof] = Call()
        threading.Thread(target=self._make, args=(call,), name="worker set-up", daemon=True).start()
        return call

    def delete(self) -> None:
        """End the worker and delete its environment.

        Raises:
            WorkerEnvironmentError: Another worker runs in it.
        """
        self.close()
        self.environment.delete()

    def close(self) -> None:
        """End the worker."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()
        self._until_closed.close()

    def _make(self, call: Call[GpuProof]) -> None:
        """Run on a thread of its own; touches files and processes, never the scene."""

        def report(fraction: float, sentence: str) -> None:
            if call.canceled_at is not None:
                call.result(0)  # raises Cancelled
            call.tell(Event("progress", fraction, sentence))

        try:
            driver = read_driver()
            source = PackageSource(choose_build(driver))
            report(0.0, "Looking at this computer")
            for finding in preflight(self.environment.folder, source, driver):
                if finding.state == "stop":
                    raise WorkerEnvironmentError("not-working", finding.sentence, "Then try again.")
            call.finish(self.environment.make(source, Progress(report)))
        except BaseException as error:
            call.finish(error=error)
        finally:
            call.release()
