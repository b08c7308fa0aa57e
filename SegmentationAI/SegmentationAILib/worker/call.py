"""A call as the host holds it: wait for it, cancel it, take its result."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from ..core.errors import Cancelled
from .protocol import Event

T = TypeVar("T")
OnEvent = Callable[[Event], None]
logger = logging.getLogger(__name__)


def ignore_event(event: Event) -> None:
    """Take no notice."""


class Call(Generic[T]):
    """Something asked of a worker; every method can be used from any thread and returns at once.

    Args:
        on_event: Called for each event, in order, on a thread of the call's own; it has to return
            soon. Progress that was on its way can still come right after a cancel.
    """

    def __init__(self, on_event: OnEvent = ignore_event) -> None:
        self.last_event = Event("queued")
        self._on_event = on_event
        self._lock = threading.Lock()
        self._finished = threading.Event()
        self._released = threading.Event()
        self._outcome: T | None = None
        self._error: BaseException | None = None
        self._canceled_at: float | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the outcome is known."""
        return self._finished.is_set()

    @property
    def canceled_at(self) -> float | None:
        """When it was canceled, in seconds of the monotonic clock; None when it was not."""
        return self._canceled_at

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the outcome, at most ``seconds``; return whether it is known."""
        return self._finished.wait(seconds)

    def wait_until_released(self, seconds: float | None = None) -> bool:
        """Wait until the worker is free and the call's files are gone, also after `cancel`."""
        return self._released.wait(seconds)

    def cancel(self) -> None:
        """End the call: it is finished at once, and the worker is freed in the background."""
        with self._lock:
            if self.is_finished:
                return
            self._canceled_at = time.monotonic()
        self.finish(error=Cancelled())

    def result(self, seconds: float | None = None) -> T:
        """Return what the call brought; waits for it.

        Raises:
            Cancelled: It was canceled.
            SegmentationAIError: It failed; the sentence says why.
            TimeoutError: The outcome is not known after ``seconds``.
        """
        if not self.wait(seconds):
            raise TimeoutError("the call has no outcome yet")
        if self._error is not None:
            raise self._error
        return self._outcome  # type: ignore[return-value]  # T may itself be None

    def tell(self, event: Event) -> None:
        """Pass an event on; for the call's own threads."""
        if self.is_finished:
            return
        self.last_event = event
        self._pass_on(event)

    def finish(self, outcome: T | None = None, error: BaseException | None = None) -> None:
        """Set the outcome unless it is known; for the call's own threads."""
        with self._lock:
            if self.is_finished:
                return
            self._outcome, self._error = outcome, error
            self._finished.set()
        self._pass_on(_last_event(error))

    def release(self) -> None:
        """Say that nothing of the call is left; for the call's own threads."""
        self._released.set()

    def _pass_on(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception:  # the listener's fault must not cost the run
            logger.exception("the listener of a call failed")


def _last_event(error: BaseException | None) -> Event:
    if error is None:
        return Event("done", 1.0, "Done", 0.0)
    if isinstance(error, Cancelled):
        return Event("canceled", sentence="Canceled")
    return Event("failed", sentence=str(error))
