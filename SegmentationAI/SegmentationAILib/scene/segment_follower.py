"""Hearing of segments that come, go, or are renamed, in whatever editor that happens."""

from collections.abc import Callable
from typing import Final

import slicer

from .ticker import Ticker

# Voxels play no part in a list of segments.
_EVENTS: Final = (
    slicer.vtkSegmentation.SegmentAdded,
    slicer.vtkSegmentation.SegmentRemoved,
    slicer.vtkSegmentation.SegmentModified,
    slicer.vtkSegmentation.SegmentsOrderModified,
)


class SegmentFollower:
    """Follows the segments of one segmentation.

    Args:
        ticker: The event loop.
    """

    def __init__(self, ticker: Ticker) -> None:
        self._following_ticker = ticker
        self._observed_segments: list[tuple[slicer.vtkSegmentation, int]] = []
        self._on_segments: Callable[[], None] = lambda: None
        self._is_told_soon = False

    def follow_segments(
        self, node: slicer.vtkMRMLSegmentationNode | None, on_change: Callable[[], None]
    ) -> None:
        """Call ``on_change`` once for all changes of a turn of the event loop.

        Args:
            node: Whose segments are followed; None stops.
            on_change: Called in a later turn.
        """
        for segmentation, tag in self._observed_segments:
            segmentation.RemoveObserver(tag)
        self._observed_segments, self._on_segments = [], on_change
        if node is not None:
            segmentation = node.GetSegmentation()
            self._observed_segments = [
                (segmentation, segmentation.AddObserver(event, lambda *_: self._tell_soon()))
                for event in _EVENTS
            ]

    def _tell_soon(self) -> None:
        if not self._is_told_soon:
            self._is_told_soon = True
            self._following_ticker.soon(self._tell_of_segments)

    def _tell_of_segments(self) -> None:
        self._is_told_soon = False
        if self._observed_segments:
            self._on_segments()
