"""A part of an event loop that is left as a whole: nothing calls back into what was closed."""

from collections.abc import Callable

from .ticker import Stop, Ticker


class OwnTicker:
    """A `Ticker` on another one.

    Args:
        ticker: The event loop.
    """

    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker
        self._stops: set[Stop] = set()
        self._is_closed = False

    def soon(self, call: Callable[[], None]) -> None:
        """Call once, in a later turn of the event loop, unless this is closed by then."""
        self._ticker.soon(lambda: None if self._is_closed else call())

    def every(self, milliseconds: int, call: Callable[[], None]) -> Stop:
        """Call again and again until the returned function is called, or this is closed."""
        if self._is_closed:
            return lambda: None
        inner = self._ticker.every(milliseconds, call)

        def stop() -> None:
            self._stops.discard(stop)
            inner()

        self._stops.add(stop)
        return stop

    def close(self) -> None:
        """Stop all calls."""
        self._is_closed = True
        for stop in list(self._stops):
            stop()
