"""What scene code asks of an event loop: a Qt timer in the application, a plain loop in scripts."""

import time
from collections.abc import Callable
from typing import Protocol

Stop = Callable[[], None]


class Ticker(Protocol):
    """Calls back on the thread that owns the scene."""

    def soon(self, call: Callable[[], None]) -> None:
        """Call once, in a later turn of the event loop."""

    def every(self, milliseconds: int, call: Callable[[], None]) -> Stop:
        """Call again and again until the returned function is called."""


class PlainTicker:
    """A ticker for scripts and the console: its owner turns it by hand."""

    def __init__(self) -> None:
        self._soon: list[Callable[[], None]] = []
        self._repeated: list[Callable[[], None]] = []

    def soon(self, call: Callable[[], None]) -> None:
        """Call once, in the next turn."""
        self._soon.append(call)

    def every(self, milliseconds: int, call: Callable[[], None]) -> Stop:
        """Call in every turn until the returned function is called, however fast they come."""
        self._repeated.append(call)
        return lambda: self._repeated.remove(call) if call in self._repeated else None

    def turn(self) -> None:
        """Run one turn of the loop."""
        calls, self._soon = self._soon, []
        for call in [*calls, *self._repeated]:
            call()

    def run_until(self, is_done: Callable[[], bool], pause_seconds: float = 0.005) -> None:
        """Turn until ``is_done`` says so, and once more for what that has called for."""
        while not is_done():
            self.turn()
            time.sleep(pause_seconds)
        self.turn()
