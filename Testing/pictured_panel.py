"""The module's panel in a window of its own, driven and pictured as a person sees it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WIDTH, LEAST_HEIGHT = 400, 560


@dataclass(frozen=True)
class PicturedPanel:
    """A panel with a real worker.

    Attributes:
        module: The module's widget.
        window: In which it stands.
        least_height: Of a picture, pixels.
    """

    module: Any
    window: Any
    least_height: int

    def fit(self) -> None:
        """Give the window the height that its content wants."""
        rest()
        self.window.resize(WIDTH, max(self.least_height, self.window.sizeHint().height()))
        rest()

    def save(self, path: Path) -> None:
        """Write a picture of the whole panel."""
        self.fit()
        self.window.grab().save(str(path))


@contextmanager
def pictured_panel(
    home: Path | None = None, least_height: int = LEAST_HEIGHT
) -> Iterator[PicturedPanel]:
    """Show the panel within `running_slicer`; worker and panel end with the block.

    Args:
        home: Data folder of the worker, None for that of the environment.
        least_height: Of pictures, pixels.
    """
    import qt

    from SegmentationAI import SegmentationAILogic, SegmentationAIWidget
    from SegmentationAILib.worker.client import LocalWorker

    worker = LocalWorker(home=home)
    SegmentationAILogic.__init__.__defaults__ = (worker,)
    window = qt.QWidget()
    window.setLayout(qt.QVBoxLayout())
    window.resize(WIDTH, least_height)
    module = SegmentationAIWidget(window)
    try:
        module.setup()
        window.show()
        yield PicturedPanel(module, window, least_height)
    finally:
        module.cleanup()
        worker.close()


def wait(is_reached: Callable[[], Any], seconds: float = 600.0) -> None:
    """Let events run until something is true.

    Raises:
        AssertionError: It was not in time.
    """
    deadline = time.monotonic() + seconds
    while not is_reached():
        assert time.monotonic() < deadline, "the step was not reached in time"
        rest()


def rest(milliseconds: int = 50) -> None:
    """Let events run for a while."""
    from PySide6 import QtTest

    QtTest.QTest.qWait(milliseconds)
