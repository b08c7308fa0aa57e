"""Closed surfaces made anew in the background, from copies of the voxels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from .jobs import POLL_MILLISECONDS, BackgroundTask
from .segmentation_layers import BINARY_LABELMAP, segments_by_image
from .surfaces import CLOSED_SURFACE, surfaces_of_image
from .ticker import Stop, Ticker


@dataclass(frozen=True, eq=False)
class _Layer:
    """The image of some segments, and a copy of it for another thread."""

    source: Any
    modified_at: int
    copy: Any
    segment_ids: tuple[str, ...]
    values: tuple[int, ...]


def renew_surfaces(
    node: slicer.vtkMRMLSegmentationNode, ticker: Ticker, on_end: Callable[[], None] = lambda: None
) -> None:
    """Give every segment a closed surface soon; the event loop runs meanwhile.

    Segments that are edited before their surface is ready are made anew by a second round. VTK
    lets other threads run while it finds surfaces.

    Args:
        node: May be removed meanwhile; then nothing is done.
        ticker: The event loop.
        on_end: Called when the surfaces are there, or the node is gone.
    """
    segmentation = node.GetSegmentation()
    layers = tuple(_layers(segmentation))
    task = BackgroundTask(
        lambda: [surfaces_of_image(layer.copy, layer.values, True) for layer in layers]
    )

    def look() -> None:
        if not task.is_finished:
            return
        stop()
        if node.GetScene() is None or node.GetSegmentation() is not segmentation:
            on_end()
        elif not all(_is_as_it_was(segmentation, layer) for layer in layers):
            renew_surfaces(node, ticker, on_end)
        else:
            _attach(node, layers, task.result())
            on_end()

    stop: Stop = ticker.every(POLL_MILLISECONDS, look)


def _layers(segmentation: slicer.vtkSegmentation) -> list[_Layer]:
    layers = []
    for image, identifiers in segments_by_image(segmentation, BINARY_LABELMAP):
        copy = None
        if image is not None:
            copy = slicer.vtkOrientedImageData()
            copy.DeepCopy(image)
        values = tuple(segmentation.GetSegment(i).GetLabelValue() for i in identifiers)
        modified_at = 0 if image is None else image.GetMTime()
        layers.append(_Layer(image, modified_at, copy, tuple(identifiers), values))
    return layers


def _is_as_it_was(segmentation: slicer.vtkSegmentation, layer: _Layer) -> bool:
    """Return whether the segments of a layer still have the voxels that were copied."""
    segments = [segmentation.GetSegment(identifier) for identifier in layer.segment_ids]
    if any(
        segment is None or segment.GetRepresentation(BINARY_LABELMAP) is not layer.source
        for segment in segments
    ):
        return False
    return layer.source is None or layer.source.GetMTime() == layer.modified_at


def _attach(
    node: slicer.vtkMRMLSegmentationNode,
    layers: tuple[_Layer, ...],
    surfaces: list[list[vtk.vtkPolyData]],
) -> None:
    segmentation = node.GetSegmentation()
    was_modifying = node.StartModify()
    try:
        for layer, found in zip(layers, surfaces, strict=True):
            for identifier, surface in zip(layer.segment_ids, found, strict=True):
                segmentation.GetSegment(identifier).AddRepresentation(CLOSED_SURFACE, surface)
    finally:
        node.EndModify(was_modifying)
