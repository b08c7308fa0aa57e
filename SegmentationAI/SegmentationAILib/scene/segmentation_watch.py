"""Hearing of changes to every segmentation of a scene, and of the scene's own fate."""

from collections.abc import Callable
from typing import Any, Protocol

import slicer
import vtk

PREVIEW_ATTRIBUTE = "SegmentationAI.Preview"

_SEGMENTATION = slicer.vtkSegmentation
EDITS = (
    _SEGMENTATION.SegmentAdded,
    _SEGMENTATION.SegmentRemoved,
    _SEGMENTATION.SegmentModified,
    _SEGMENTATION.SegmentsOrderModified,
    getattr(_SEGMENTATION, "SourceRepresentationModified", None)
    or _SEGMENTATION.MasterRepresentationModified,
    _SEGMENTATION.RepresentationModified,
)


class Listener(Protocol):
    """What is told."""

    def node_appeared(self, node: slicer.vtkMRMLSegmentationNode, is_loaded: bool) -> None:
        """Hear of a segmentation that was there at the start, loaded, or is new."""

    def node_changed(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Hear that a segment was added, edited, renamed or removed."""

    def node_removed(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Hear that a segmentation leaves the scene."""

    def scene_saved(self) -> None:
        """Hear that the scene has been written to a file."""

    def scene_closed(self) -> None:
        """Hear that everything is about to be removed."""


class SegmentationWatch:
    """Observers on a scene and its segmentations, previews left out."""

    def __init__(self, scene: slicer.vtkMRMLScene, listener: Listener) -> None:
        self._scene = scene
        self._listener = listener
        self._tags: dict[str, list[tuple[vtk.vtkObject, int]]] = {}
        self._watched: dict[str, slicer.vtkSegmentation] = {}
        events: list[tuple[int, Callable[..., None]]] = [
            (scene.NodeAddedEvent, self._on_node_added),
            (scene.NodeAboutToBeRemovedEvent, self._on_node_removed),
            (scene.EndSaveEvent, lambda *_: listener.scene_saved()),
            (scene.StartCloseEvent, lambda *_: self._on_close()),
            (scene.EndImportEvent, lambda *_: self._adopt(is_loaded=True)),
        ]
        self._scene_tags = [scene.AddObserver(event, call) for event, call in events]
        self._adopt(is_loaded=True)

    def stop(self) -> None:
        """Remove all observers."""
        for tag in self._scene_tags:
            self._scene.RemoveObserver(tag)
        for node_id in list(self._tags):
            self._leave(node_id)

    def _adopt(self, is_loaded: bool) -> None:
        for index in range(self._scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")):
            node = self._scene.GetNthNodeByClass(index, "vtkMRMLSegmentationNode")
            self._follow(node, is_loaded)

    def _follow(self, node: slicer.vtkMRMLSegmentationNode, is_loaded: bool) -> None:
        if node.GetID() in self._tags or node.GetAttribute(PREVIEW_ATTRIBUTE):
            return
        node_tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_node_modified)
        self._tags[node.GetID()] = [(node, node_tag)]
        self._follow_segmentation(node)
        self._listener.node_appeared(node, is_loaded)

    def _follow_segmentation(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Observe what the node holds now; it can be exchanged as a whole."""
        segmentation = node.GetSegmentation()
        kept, *rest = self._tags[node.GetID()]
        for watched, tag in rest:
            watched.RemoveObserver(tag)
        self._watched[node.GetID()] = segmentation
        if segmentation is None:
            self._tags[node.GetID()] = [kept]
            return

        def changed(*_: Any) -> None:
            self._listener.node_changed(node)

        tags = [(segmentation, segmentation.AddObserver(event, changed)) for event in EDITS]
        self._tags[node.GetID()] = [kept, *tags]

    def _on_node_modified(self, node: slicer.vtkMRMLSegmentationNode, event: str) -> None:
        if self._watched.get(node.GetID()) is not node.GetSegmentation():
            self._follow_segmentation(node)
            self._listener.node_changed(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator,unused-ignore]
    def _on_node_added(self, scene: Any, event: str, node: Any) -> None:
        if scene.IsImporting() or not node.IsA("vtkMRMLSegmentationNode"):
            return
        self._follow(node, is_loaded=False)

    @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator,unused-ignore]
    def _on_node_removed(self, scene: Any, event: str, node: Any) -> None:
        if node.IsA("vtkMRMLSegmentationNode") and node.GetID() in self._tags:
            self._leave(node.GetID())
            self._listener.node_removed(node)

    def _on_close(self) -> None:
        for node_id in list(self._tags):
            self._leave(node_id)
        self._listener.scene_closed()

    def _leave(self, node_id: str) -> None:
        self._watched.pop(node_id, None)
        for watched, tag in self._tags.pop(node_id, []):
            watched.RemoveObserver(tag)
