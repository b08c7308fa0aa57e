"""What mouse and keys in a slice view mean: clicks, scribbles, boxes and lassos in RAS mm.

The panel and the Segment Editor effect hand the events of their views to the same hand. Left adds,
Ctrl + left removes; Shift and Alt are left to Slicer (panning and the like).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import vtk

from ..core.prompts import (
    DEFAULT_RADIUS_MM,
    BoxPrompt,
    LassoPrompt,
    PointPrompt,
    PointRas,
    Prompt,
    ScribblePrompt,
)

Tool = Literal["draw", "box", "lasso"]
# A hand that clicks moves the mouse by a few pixels.
CLICK_PIXELS: Final = 4
EVENTS: Final = (
    vtk.vtkCommand.LeftButtonPressEvent,
    vtk.vtkCommand.LeftButtonReleaseEvent,
    vtk.vtkCommand.MouseMoveEvent,
    vtk.vtkCommand.KeyPressEvent,
    vtk.vtkCommand.KeyReleaseEvent,
)
_CONTROL_KEYS: Final = ("Control_L", "Control_R")


class PromptHand:
    """One person's hand.

    Args:
        give: Given each prompt, and whether it is finished.
        draw: Shows what is being drawn: points, whether they are closed, whether it adds.
        show_cursor: Told whether the next click adds.
        key: Told the name of a key that was pressed; returns whether it meant something.

    Attributes:
        tool: A box and a lasso are drawn once, then clicks and scribbles come again.
        radius_mm: Of the scribble.
        is_live: Whether a scribble is given while it is drawn.
    """

    def __init__(
        self,
        give: Callable[[Prompt, bool], None],
        draw: Callable[[Sequence[PointRas], bool, bool], None],
        show_cursor: Callable[[bool], None],
        key: Callable[[str], bool],
    ) -> None:
        self.tool: Tool = "draw"
        self.radius_mm = DEFAULT_RADIUS_MM
        self.is_live = False
        self._give, self._draw = give, draw
        self._show_cursor, self._key = show_cursor, key
        self._points: list[PointRas] = []
        self._pixels: list[tuple[int, int]] = []
        self._positive = True
        self._adds = True

    @property
    def is_down(self) -> bool:
        """Whether something is being drawn."""
        return bool(self._points)

    def handle(self, interactor: Any, event: int, slice_node: Any) -> bool:
        """Do what an event means; return whether nobody else shall hear of it.

        Args:
            interactor: ``vtkRenderWindowInteractor`` of a slice view.
            event: Number of the VTK event.
            slice_node: Of the view.
        """
        command = vtk.vtkCommand
        if event in (command.KeyPressEvent, command.KeyReleaseEvent):
            return self._handle_key(interactor, event == command.KeyPressEvent)
        is_removing = bool(interactor.GetControlKey())
        if event == command.LeftButtonPressEvent:
            if interactor.GetShiftKey() or interactor.GetAltKey():
                return False
            self._press(_pixel(interactor), slice_node, not is_removing)
            return True
        if event == command.MouseMoveEvent:
            if not self.is_down:
                self._turn_cursor(not is_removing)
                return False
            self._move(_pixel(interactor), slice_node)
            return True
        if event == command.LeftButtonReleaseEvent and self.is_down:
            self._release(_pixel(interactor), slice_node)
            return True
        return False

    def drop(self) -> None:
        """Forget what is being drawn."""
        if self.is_down:
            self._points, self._pixels = [], []
            self._draw((), False, True)

    def _press(self, pixel: tuple[int, int], node: Any, positive: bool) -> None:
        self._positive = positive
        self._points, self._pixels = [ras_of_pixel(node, pixel)], [pixel]

    def _move(self, pixel: tuple[int, int], node: Any) -> None:
        if pixel == self._pixels[-1]:
            return
        self._points.append(ras_of_pixel(node, pixel))
        self._pixels.append(pixel)
        if self.tool == "box":
            self._draw(self._rectangle(node), True, self._positive)
            return
        self._draw(self._points, self.tool == "lasso", self._positive)
        if self.tool == "draw" and self.is_live and not self._is_click():
            self._give(self._scribble(), False)

    def _release(self, pixel: tuple[int, int], node: Any) -> None:
        if pixel != self._pixels[-1]:
            self._points.append(ras_of_pixel(node, pixel))
            self._pixels.append(pixel)
        prompt = self._prompt()
        self.drop()
        self.tool = "draw"
        if prompt is not None:
            self._give(prompt, True)

    def _prompt(self) -> Prompt | None:
        if self._is_click():
            # A click with the box or the lasso encloses nothing: it is a click.
            return PointPrompt(self._points[0], self._positive)
        if self.tool == "box":
            return BoxPrompt((self._points[0], self._points[-1]), self._positive)
        if self.tool == "lasso":
            return LassoPrompt(tuple(self._points), self._positive) if self._has_area() else None
        return self._scribble()

    def _scribble(self) -> ScribblePrompt:
        return ScribblePrompt(tuple(self._points), self.radius_mm, self._positive)

    def _is_click(self) -> bool:
        (x, y), *others = self._pixels
        return all(max(abs(a - x), abs(b - y)) < CLICK_PIXELS for a, b in others)

    def _has_area(self) -> bool:
        xs, ys = zip(*self._pixels, strict=True)
        twice = sum(xs[n - 1] * ys[n] - xs[n] * ys[n - 1] for n in range(len(xs)))
        return bool(abs(twice) >= 2 * CLICK_PIXELS)

    def _rectangle(self, node: Any) -> list[PointRas]:
        (x0, y0), (x1, y1) = self._pixels[0], self._pixels[-1]
        return [ras_of_pixel(node, xy) for xy in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]

    def _handle_key(self, interactor: Any, is_press: bool) -> bool:
        name = interactor.GetKeySym() or ""
        if name in _CONTROL_KEYS:
            self._turn_cursor(not is_press)
            return False
        return is_press and self._key(name)

    def _turn_cursor(self, adds: bool) -> None:
        if adds != self._adds:
            self._adds = adds
            self._show_cursor(adds)


def ras_of_pixel(slice_node: Any, pixel: Sequence[int]) -> PointRas:
    """Return where a pixel of a slice view lies, RAS mm."""
    r, a, s, _ = slice_node.GetXYToRAS().MultiplyPoint((pixel[0], pixel[1], 0.0, 1.0))
    return r, a, s


def _pixel(interactor: Any) -> tuple[int, int]:
    x, y = interactor.GetEventPosition()
    return int(x), int(y)
