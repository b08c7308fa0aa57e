"""Runs that bring what they need first: the worker's environment, then the network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..core.errors import Cancelled, SegmentationAIError
from ..worker.client import Call
from .call_watch import OnProgress, watch_call
from .jobs import Asked, Run
from .logic import Preview, SegmentationLogic
from .ticker import Stop, Ticker
from .translation import tr as _

Begin = Callable[[], Call[Any]]
OnRunEnd = Callable[[Run, Preview | None], None]


@dataclass(eq=False)
class PreparedRun:
    """A run, or what has to be done before it.

    Attributes:
        call: What is being prepared, None once the run has been queued.
        run: None until it has been queued.
        is_over: Whether its end was told.
    """

    on_end: OnRunEnd
    asked: Asked
    call: Call[Any] | None = None
    stop: Stop = lambda: None
    run: Run | None = None
    is_over: bool = False

    def end(self, run: Run, preview: Preview | None) -> None:
        """Tell the end, once."""
        if not self.is_over:
            self.is_over = True
            self.on_end(run, preview)

    def end_unrun(self, error: BaseException) -> None:
        """Tell that there was no run, and why."""
        run = Run(self.asked, lambda *_: None, lambda _: None)
        run.error = error
        is_canceled = isinstance(error, Cancelled)
        run.state = "canceled" if is_canceled else "failed"
        run.sentence = _("Canceled; everything is as it was.") if is_canceled else str(error)
        self.end(run, None)


class PreparedRuns:
    """Starts runs of `logic.SegmentationLogic` after what they lack was brought.

    Args:
        logic: Runs networks.
        ticker: The event loop.
        lacking: Returns what has to be begun, one after the other, before a network can run.
    """

    def __init__(
        self, logic: SegmentationLogic, ticker: Ticker, lacking: Callable[[str], list[Begin]]
    ) -> None:
        self._logic, self._ticker, self._lacking = logic, ticker, lacking

    def start(self, asked: Asked, on_progress: OnProgress, on_end: OnRunEnd) -> PreparedRun:
        """Bring what is lacking, then queue the run; see `logic.SegmentationLogic.start`."""
        prepared = PreparedRun(on_end, asked)
        self._go_on(prepared, self._lacking(asked.network_id), on_progress)
        return prepared

    def cancel(self, prepared: PreparedRun) -> None:
        """End what is under way; its end is told at once."""
        if prepared.run is not None:
            self._logic.cancel(prepared.run)
        elif prepared.call is not None:
            prepared.stop()
            prepared.call.cancel()
            prepared.end_unrun(Cancelled())

    def _go_on(self, prepared: PreparedRun, lacking: list[Begin], on_progress: OnProgress) -> None:
        if not lacking:
            prepared.call = None
            prepared.run = self._logic.start(prepared.asked, on_progress, prepared.end)
            return

        def ended(call: Call[Any]) -> None:
            try:
                call.result(0)
                self._go_on(prepared, lacking[1:], on_progress)
            except (Cancelled, SegmentationAIError) as error:
                prepared.end_unrun(error)
            except Exception as error:
                prepared.end_unrun(error)
                raise

        prepared.call = lacking[0]()
        prepared.stop = watch_call(prepared.call, self._ticker, on_progress, ended)
