"""Closed surfaces made anew in the background, from copies of the voxels."""

from collections.abc import Callable
from dataclasses import dataclass

import slicer
import vtk

from .background_task import BackgroundTask
from .image_copies import ImageCopy, copied_in_turns, image_from_copy
from .segmentation_layers import BINARY_LABELMAP, segments_by_image
from .segmentation_state import voxels_stamp
from .surfaces import CLOSED_SURFACE, surfaces_of_image
from .ticker import Ticker
from .turns import WAITING, Steps, run_in_turns


@dataclass(frozen=True, eq=False)
class _Layer:
    """Some segments and a copy of the image that they share, for another thread."""

    copy: ImageCopy
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

    def steps() -> Steps[None]:
        yield from _renewed(node)
        on_end()

    run_in_turns(steps(), ticker)


def _renewed(node: slicer.vtkMRMLSegmentationNode) -> Steps[None]:
    segmentation = node.GetSegmentation()
    while _holds(node, segmentation):
        stamp = voxels_stamp(node)
        layers = []
        for image, identifiers in segments_by_image(segmentation, BINARY_LABELMAP):
            copy = yield from copied_in_turns(image)
            segments = [segmentation.GetSegment(identifier) for identifier in identifiers]
            if None not in segments:
                values = tuple(segment.GetLabelValue() for segment in segments)
                layers.append(_Layer(copy, tuple(identifiers), values))
        surfaces = yield from _surfaces(layers)
        if _holds(node, segmentation) and voxels_stamp(node) == stamp:
            _attach(node, layers, surfaces)
            return


def _holds(node: slicer.vtkMRMLSegmentationNode, segmentation: slicer.vtkSegmentation) -> bool:
    """Return whether a node is in its scene and holds what it held."""
    return node.GetScene() is not None and node.GetSegmentation() is segmentation


def _surfaces(layers: list[_Layer]) -> Steps[list[list[vtk.vtkPolyData]]]:
    """Find all surfaces on another thread; VTK lets this one run meanwhile."""
    images = [image_from_copy(layer.copy) for layer in layers]
    task = BackgroundTask(
        lambda: [
            surfaces_of_image(image, layer.values, True)
            for image, layer in zip(images, layers, strict=True)
        ]
    )
    while not task.is_finished:
        yield WAITING
    return task.result()


def _attach(
    node: slicer.vtkMRMLSegmentationNode,
    layers: list[_Layer],
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
