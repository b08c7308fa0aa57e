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
        self._followed: tuple[slicer.vtkSegmentation | None, tuple[int, ...]] = (None, ())
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
        segmentation, tags = self._followed
        for tag in tags:
            segmentation.RemoveObserver(tag)  # type: ignore[union-attr]  # tags came from it
        self._followed, self._on_segments = (None, ()), on_change
        segmentation = None if node is None else node.GetSegmentation()
        if segmentation is not None:
            tags = tuple(segmentation.AddObserver(event, self._changed) for event in _EVENTS)
            self._followed = segmentation, tags

    def _changed(self, *_: object) -> None:
        if not self._is_told_soon:
            self._is_told_soon = True
            self._following_ticker.soon(self._tell)

    def _tell(self) -> None:
        self._is_told_soon = False
        if self._followed[0] is not None:
            self._on_segments()
