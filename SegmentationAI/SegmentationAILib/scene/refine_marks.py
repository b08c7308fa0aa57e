"""Marks in the views while a segment is corrected: prompts, what is being drawn, a ring of doubt.

They are Markups nodes, which Slicer's own views show; they are locked, neither saved nor offered.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import slicer

from ..core.prompts import BoxPrompt, PointPrompt, PointRas, Prompt
from .refine_preview import CORRECTED_COLOR, TAKEN_COLOR

# Percent of the view's height.
_PROMPT_SIZE: Final = 2.5
# The points of a line are not to be seen, the line is.
_NO_GLYPH: Final = 0.1
_LINE_MM: Final = 0.8
_RING_MM: Final = 6.0
_RING_POINTS: Final = 24
_RING_COLOR: Final = (0.2, 0.9, 1.0)


class CorrectionMarks:
    """The marks of one correction.

    The ring is three circles, across the axes of the patient, so that each view shows one.

    Args:
        scene: Gets the nodes, when there is something to mark.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self._nodes: dict[str, Any] = {}
        self._marked: tuple[Prompt, ...] = ()

    def show_prompts(self, prompts: Sequence[Prompt]) -> None:
        """Mark where prompts were given: a cross adds, a dash removes.

        Nothing is done anew for what is marked already: this is called several times a click.
        """
        wanted, marked = tuple(prompts), self._marked
        are_there = all(node.GetScene() is self._scene for node in self._nodes.values())
        if wanted == marked and are_there:
            return
        self._marked = wanted
        grows = are_there and bool(marked) and wanted[: len(marked)] == marked
        for key, positive in (("Adds", True), ("Removes", False)):
            shown = wanted[len(marked) :] if grows else wanted
            places = [_place(prompt) for prompt in shown if prompt.positive is positive]
            if not grows:
                self._set_points(key, places)
            elif places:
                _put(self._node(key), places, keep=True)

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
        for axis in range(3):
            self._set_points(f"Doubt {axis}", [] if place is None else _circle(place, axis))

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
        self._marked = ()

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
        is_ring = key.startswith("Doubt")
        if is_ring:
            node = slicer.vtkMRMLMarkupsClosedCurveNode()
        elif key == "Drawing":
            node = slicer.vtkMRMLMarkupsCurveNode()
        else:
            node = slicer.vtkMRMLMarkupsFiducialNode()
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
        if is_ring or key == "Drawing":
            node.SetCurveTypeToLinear()
            display.SetGlyphScale(_NO_GLYPH)
            display.SetCurveLineSizeMode(display.UseLineDiameter)
            display.SetLineDiameter(_LINE_MM)
        else:
            display.SetGlyphType(display.ThickCross2D if key == "Adds" else display.Dash2D)
            display.SetGlyphScale(_PROMPT_SIZE)
        color = TAKEN_COLOR if key == "Removes" else CORRECTED_COLOR
        display.SetSelectedColor(*(_RING_COLOR if is_ring else color))
        return node


def _put(node: Any, places: Sequence[PointRas], keep: bool = False) -> None:
    was_modifying = node.StartModify()
    try:
        if not keep:
            node.RemoveAllControlPoints()
        for place in places:
            node.AddControlPoint(*place)
    finally:
        node.EndModify(was_modifying)


def _circle(place: PointRas, axis: int) -> list[PointRas]:
    """Return points around a place, across an axis of the patient."""
    first, second = (n for n in range(3) if n != axis)
    points = []
    for n in range(_RING_POINTS):
        angle = 2 * math.pi * n / _RING_POINTS
        point = list(place)
        point[first] += _RING_MM * math.cos(angle)
        point[second] += _RING_MM * math.sin(angle)
        points.append((point[0], point[1], point[2]))
    return points


def _place(prompt: Prompt) -> PointRas:
    if isinstance(prompt, PointPrompt):
        return prompt.position_ras
    if isinstance(prompt, BoxPrompt):
        first, second = prompt.corners_ras
        r, a, s = ((one + other) / 2 for one, other in zip(first, second, strict=True))
        return r, a, s
    return prompt.points_ras[0]
