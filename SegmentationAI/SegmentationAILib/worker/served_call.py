"""One call as the server holds it: who made it, what it does, its events and its outcome."""

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final

from ..core.errors import Cancelled
from ..core.progress import Progress
from .history import RemainingTime
from .protocol import HEARTBEAT_SECONDS, Event, failure, line_of_event

# More often than this nobody can read them.
SECONDS_BETWEEN_EVENTS: Final = 0.05

Work = Callable[["ServedCall"], dict[str, Any]]
logger = logging.getLogger(__name__)


class ServedCall:
    """A call that waits, runs or is finished; made on the server's event loop.

    Args:
        owner: Who made it.
        work: Does it, on a lane's thread, and returns facts for the ``done`` event.
    """

    def __init__(self, owner: str, work: Work) -> None:
        self.id = secrets.token_hex(16)
        self.owner = owner
        self.result: list[memoryview] = []
        self.finished_at: float | None = None
        self.remaining = RemainingTime()
        self._work: Work | None = work
        self._cancel = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._pending: list[Event] = []
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        self._last, self._last_at = Event("queued"), time.monotonic()

    @property
    def is_finished(self) -> bool:
        """Whether its outcome is known."""
        return self.finished_at is not None

    @property
    def is_canceled(self) -> bool:
        """Whether it was asked to end."""
        return self._cancel.is_set()

    def cancel(self) -> None:
        """Ask it to end; its next progress call raises."""
        self._cancel.set()

    def progress(self) -> Progress:
        """Return the receiver of progress for what does the work."""
        return Progress(self._report)

    def expect(self, seconds: float | None) -> None:
        """Begin to count the time that is left; None when nothing is known of it."""
        self.remaining = RemainingTime(seconds)

    def run(self) -> None:
        """Do the work and post how it ended; called on a lane's thread."""
        work, self._work = self._work, None
        try:
            if work is None or self.is_canceled:
                raise Cancelled
            outcome = Event("done", 1.0, "Done", 0.0, work(self))
        except Cancelled:
            outcome = Event("canceled", sentence="Canceled")
        except Exception as error:
            logger.debug("a call failed", exc_info=True)
            outcome = failure(error)
        # What was worked on is freed before the host hears of the end.
        del work
        self.finished_at = time.monotonic()
        self.post(outcome)

    def post(self, event: Event) -> None:
        """Send an event to who listens; called from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._accept, event)
        except RuntimeError:  # the server has stopped: nobody listens, and the work can end
            self._cancel.set()

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield the events as lines until the outcome, with a heartbeat when there is none."""
        yield line_of_event(Event("started", facts={"id": self.id}))
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield line_of_event(self._heartbeat())
                continue
            self._wake.clear()
            events, self._pending = self._pending, []
            for event in events:
                yield line_of_event(event)
                if event.is_final:
                    return
            # The outcome does not wait for its turn: a prompt is answered sooner than that.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), SECONDS_BETWEEN_EVENTS)

    def _report(self, fraction: float, sentence: str) -> None:
        if self.is_canceled:
            raise Cancelled
        self.post(Event("progress", fraction, sentence, self.remaining.left(fraction)))

    def _accept(self, event: Event) -> None:
        """Keep an event until it is sent; progress that nobody has read yet is replaced."""
        if self._pending and self._pending[-1].kind == event.kind:
            self._pending.pop()
        self._pending.append(event)
        self._last, self._last_at = event, time.monotonic()
        self._wake.set()
        if event.is_final:
            self._over.set()

    def _heartbeat(self) -> Event:
        last, left = self._last, self._last.seconds_left
        if left is not None:
            # Counted down: a long patch says nothing yet about the ones after it.
            left = round(max(left - (time.monotonic() - self._last_at), 0.0), 1)
        return Event("heartbeat", last.fraction, last.sentence, left)
