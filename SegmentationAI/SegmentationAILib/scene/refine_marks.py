"""Marks in the views while a segment is corrected: prompts, what is being drawn, a ring of doubt.

They are Markups nodes, which Slicer's own views show; they are locked, neither saved nor offered.
"""

from collections.abc import Sequence
from typing import Any, Final

import slicer

from ..core.prompts import BoxPrompt, PointPrompt, PointRas, Prompt
from .refine_preview import CORRECTED_COLOR, TAKEN_COLOR

# Percent of the view's height.
_PROMPT_SIZE: Final = 2.5
_RING_SIZE: Final = 6.0
_RING_COLOR: Final = (0.2, 0.9, 1.0)


class CorrectionMarks:
    """The marks of one correction.

    Args:
        scene: Gets the nodes, when there is something to mark.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self._nodes: dict[str, Any] = {}

    def show_prompts(self, prompts: Sequence[Prompt]) -> None:
        """Mark where prompts were given: a cross adds, a dash removes."""
        for key, positive in (("Adds", True), ("Removes", False)):
            places = [_place(prompt) for prompt in prompts if prompt.positive is positive]
            self._set_points(key, places)

    def show_drawing(self, points: Sequence[PointRas], is_closed: bool, positive: bool) -> None:
        """Outline what is being drawn; no points end it."""
        node = self._node("Drawing") if points else self._nodes.get("Drawing")
        if node is None:
            return
        color = CORRECTED_COLOR if positive else TAKEN_COLOR
        node.GetDisplayNode().SetSelectedColor(*color)
        drawn = [*points, points[0]] if is_closed and len(points) > 2 else points
        _put(node, drawn)

    def show_ring(self, place: PointRas | None) -> None:
        """Show a ring around a doubtful place; None hides it."""
        self._set_points("Doubt", [] if place is None else [place])

    def remove(self) -> None:
        """Take all marks out of the scene."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)
        for node in self._nodes.values():
            if node.GetScene() is not self._scene:
                continue
            item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
            if item:
                hierarchy.RemoveItem(item, False, False)
            display = node.GetDisplayNode()
            self._scene.RemoveNode(node)
            if display is not None and display.GetScene() is self._scene:
                self._scene.RemoveNode(display)
        self._nodes.clear()

    def _set_points(self, key: str, places: Sequence[PointRas]) -> None:
        node = self._node(key) if places else self._nodes.get(key)
        if node is not None:
            _put(node, places)

    def _node(self, key: str) -> Any:
        node = self._nodes.get(key)
        if node is None or node.GetScene() is not self._scene:
            node = self._nodes[key] = self._new(key)
        return node

    def _new(self, key: str) -> Any:
        is_line = key == "Drawing"
        kind = slicer.vtkMRMLMarkupsCurveNode if is_line else slicer.vtkMRMLMarkupsFiducialNode
        node = kind()
        node.SetName(f"Correction: {key}")
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        node.SetLocked(True)
        self._scene.AddNode(node)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetPointLabelsVisibility(False)
        display.SetPropertiesLabelVisibility(False)
        if is_line:
            node.SetCurveTypeToLinear()
            display.SetGlyphScale(0.2)
            return node
        color, glyph, size = {
            "Adds": (CORRECTED_COLOR, display.ThickCross2D, _PROMPT_SIZE),
            "Removes": (TAKEN_COLOR, display.Dash2D, _PROMPT_SIZE),
            "Doubt": (_RING_COLOR, display.Circle2D, _RING_SIZE),
        }[key]
        display.SetGlyphType(glyph)
        display.SetGlyphScale(size)
        display.SetSelectedColor(*color)
        display.SetColor(*color)
        return node


def _put(node: Any, places: Sequence[PointRas]) -> None:
    was_modifying = node.StartModify()
    try:
        node.RemoveAllControlPoints()
        for place in places:
            node.AddControlPoint(*place)
    finally:
        node.EndModify(was_modifying)


def _place(prompt: Prompt) -> PointRas:
    if isinstance(prompt, PointPrompt):
        return prompt.position_ras
    if isinstance(prompt, BoxPrompt):
        first, second = prompt.corners_ras
        r, a, s = ((one + other) / 2 for one, other in zip(first, second, strict=True))
        return r, a, s
    return prompt.points_ras[0]
