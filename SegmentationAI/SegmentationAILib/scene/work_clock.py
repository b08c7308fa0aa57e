"""The time that a person works on a case: pauses in which nothing in Slicer moves do not count."""

import time
from collections.abc import Callable
from typing import Any, Final

import slicer

from .segmentation_watch import EDITS

# Longer than one looks at a slice without touching anything; what is longer was a pause.
IDLE_SECONDS: Final = 60.0
_MOVED_BY_A_PERSON: Final = ("vtkMRMLSliceNode", "vtkMRMLCameraNode")


class WorkClock:
    """Counts from one sign of life to the next, as long as they are close together.

    Signs of life: slices that are scrolled, cameras that turn, the mouse over a slice view (which
    moves the crosshair's node), edits of the segmentation, and `touch`.

    Args:
        scene: Its views are followed.
        now: Seconds of a clock that never jumps.
    """

    def __init__(
        self, scene: slicer.vtkMRMLScene, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._scene, self._now = scene, now
        self._last: float | None = None
        self._seconds = 0.0
        self._tags: list[tuple[Any, int]] = []

    def start(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Begin to count for the work on a segmentation, from 0."""
        self.stop()
        self._seconds, self._last = 0.0, self._now()
        segmentation = node.GetSegmentation()
        self._follow(segmentation, *EDITS)
        for kind in _MOVED_BY_A_PERSON:
            for index in range(self._scene.GetNumberOfNodesByClass(kind)):
                self._follow(self._scene.GetNthNodeByClass(index, kind), "ModifiedEvent")
        crosshair = self._scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is not None:
            self._follow(crosshair, crosshair.CursorPositionModifiedEvent)

    def stop(self) -> None:
        """Count no more; what was counted can still be taken."""
        self.touch()
        for followed, tag in self._tags:
            followed.RemoveObserver(tag)
        self._tags, self._last = [], None

    def touch(self) -> None:
        """Say that the person is at work."""
        if self._last is None:
            return
        now = self._now()
        if now - self._last <= IDLE_SECONDS:
            self._seconds += now - self._last
        self._last = now

    def take(self) -> float:
        """Return the seconds since they were taken last, and begin again from 0."""
        self.touch()
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def give_back(self, seconds: float) -> None:
        """Count seconds again that were taken and could not be stored."""
        self._seconds += seconds

    def _follow(self, one: Any, *events: Any) -> None:
        self._tags += [(one, one.AddObserver(event, self._moved)) for event in events]

    def _moved(self, *_: Any) -> None:
        self.touch()
