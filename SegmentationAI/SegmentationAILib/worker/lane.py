"""A lane: one thread that does calls one after the other.

All that networks compute is done by one thread for good: cuDNN keeps its plans per thread, and a
prompt takes 0.11 s in the thread that ran before and 1.2 s in a new one. Listing networks must not
wait for that, so it has a lane of its own, and so have installations.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from .protocol import Event
from .served_call import ServedCall

MOST_WAITING: Final = 32


def _nothing() -> None:
    """Do nothing."""


class Lane:
    """Calls in their order, done by one thread.

    Args:
        name: Of the thread.
        first: Done on the thread before the first call; calls wait for it.
        idle: Done on the thread when no call came for ``idle_seconds``.
        idle_seconds: None for never.
    """

    def __init__(
        self,
        name: str,
        first: Callable[[], None] = _nothing,
        idle: Callable[[], None] = _nothing,
        idle_seconds: float | None = None,
    ) -> None:
        self._waiting: deque[ServedCall] = deque()
        self._running: ServedCall | None = None
        self._changed = threading.Condition()
        self._first, self._idle, self._idle_seconds = first, idle, idle_seconds
        self.is_ready = threading.Event()
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def running(self) -> int:
        """Calls that are being done: 0 or 1."""
        return int(self._running is not None)

    @property
    def waiting(self) -> int:
        """Calls that wait."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether no further call is taken now."""
        return self.waiting >= MOST_WAITING

    def add(self, call: ServedCall) -> None:
        """Put a call at the end of the line."""
        with self._changed:
            self._waiting.append(call)
            self._changed.notify()
        self._tell_places()

    def cancel(self, call: ServedCall) -> None:
        """End a call: at once when it waits, at its next progress call when it runs."""
        call.cancel()
        with self._changed:
            is_waiting = call in self._waiting
            if is_waiting:
                self._waiting.remove(call)
        if is_waiting:
            call.run()  # canceled already, so this only posts the end
            self._tell_places()

    def close(self) -> None:
        """End what runs and what waits; who listens hears of it at once."""
        with self._changed:
            self._is_closed = True
            calls = [*self._waiting, *([self._running] if self._running else [])]
            self._waiting.clear()
            self._changed.notify()
        for call in calls:
            call.cancel()
            call.post(Event("canceled", sentence="The server ends"))

    def wait_until_ended(self, seconds: float) -> bool:
        """Wait for the thread to end after `close`; return whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        self._first()
        self.is_ready.set()
        self._tell_places()
        while not self._is_closed:
            with self._changed:
                came = self._changed.wait_for(
                    lambda: bool(self._waiting) or self._is_closed, self._idle_seconds
                )
                self._running = self._waiting.popleft() if self._waiting else None
            if not came:
                self._idle()
            if self._running is not None:
                self._tell_places()
                self._running.run()
                self._running = None

    def _tell_places(self) -> None:
        with self._changed:
            waiting, running = list(self._waiting), self._running
        for place, call in enumerate(waiting):
            before = place + (running is not None)
            call.post(Event("queued", 0.0, _sentence(before, self.is_ready.is_set()),
                            facts={"before": before}))  # fmt: skip


def _sentence(before: int, is_ready: bool) -> str:
    if not is_ready:
        return "The worker is starting"
    if before == 0:
        return "Starting"
    return f"Waiting for {before} other {'call' if before == 1 else 'calls'} to finish"
