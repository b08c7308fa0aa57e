"""Slicer's event loop for scene code: single calls and repeated ones, by Qt's timers."""

from collections.abc import Callable

import qt

from ..scene.ticker import Stop


class QtTicker:
    """A `scene.ticker.Ticker` on Qt.

    An exception in a call is Slicer's to show: PythonQt prints it in the console.
    """

    def soon(self, call: Callable[[], None]) -> None:
        """Call once, in a later turn of the event loop."""
        qt.QTimer.singleShot(0, call)

    def every(self, milliseconds: int, call: Callable[[], None]) -> Stop:
        """Call again and again until the returned function is called."""
        timer = qt.QTimer()
        timer.setInterval(milliseconds)
        timer.connect("timeout()", call)
        timer.start()

        def stop() -> None:
            timer.stop()

        return stop
