"""The layout manager and its slice views: real interactors and real slice nodes, without a window.

It does not check: layouts, what a view shows, the focus of keys, and whether a cursor is drawn.
"""

from collections.abc import Callable
from typing import Any

import vtk
from PySide6 import QtGui


class SliceView:
    """``qMRMLSliceView``: an interactor and a cursor."""

    def __init__(self, interactor: Any) -> None:
        self._interactor = interactor
        self.cursor: Any = None

    def interactor(self) -> Any:
        """Return the interactor."""
        return self._interactor

    def setViewCursor(self, cursor: Any) -> None:  # noqa: N802
        """Show a cursor."""
        assert isinstance(cursor, QtGui.QCursor), cursor
        self.cursor = cursor

    def unsetViewCursor(self) -> None:  # noqa: N802
        """Show the usual one."""
        self.cursor = None


class SliceWidget:
    """``qMRMLSliceWidget``: a view and its node, and the hands of a person on it."""

    def __init__(self, node: Any, interactor: Any) -> None:
        self._node, self._view = node, SliceView(interactor)

    def sliceView(self) -> SliceView:  # noqa: N802
        """Return the view."""
        return self._view

    def mrmlSliceNode(self) -> Any:  # noqa: N802
        """Return the node."""
        return self._node

    def className(self) -> str:  # noqa: N802
        """Return the class in C++."""
        return "qMRMLSliceWidget"

    def pixel_of(self, place: Any) -> tuple[int, int]:
        """Return where a place, RAS mm, is shown; the view is moved to it."""
        self._node.JumpSliceByOffsetting(*place)
        back = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self._node.GetXYToRAS(), back)
        x, y, *_ = back.MultiplyPoint((*place, 1.0))
        return round(x), round(y)

    def mouse(
        self, event: str, pixel: tuple[int, int], control: bool = False, **keys: bool
    ) -> None:
        """Send an event of the mouse."""
        interactor = self._view.interactor()
        interactor.SetEventInformation(*pixel, int(control), int(keys.get("shift", False)))
        interactor.InvokeEvent(event)

    def click(self, place: Any, control: bool = False) -> None:
        """Click at a place."""
        pixel = self.pixel_of(place)
        self.mouse("LeftButtonPressEvent", pixel, control)
        self.mouse("LeftButtonReleaseEvent", pixel, control)

    def drag(self, places: Any, control: bool = False) -> None:
        """Drag over places of one slice."""
        pixels = [self.pixel_of(place) for place in places]
        self.mouse("LeftButtonPressEvent", pixels[0], control)
        for pixel in pixels[1:]:
            self.mouse("MouseMoveEvent", pixel, control)
        self.mouse("LeftButtonReleaseEvent", pixels[-1], control)

    def key(self, name: str) -> None:
        """Press a key while the mouse is over the view."""
        self._view.interactor().SetKeySym(name)
        self._view.interactor().InvokeEvent("KeyPressEvent")


class LayoutManager:
    """``qSlicerLayoutManager`` as far as slice views go."""

    def __init__(self) -> None:
        self._widgets: dict[str, SliceWidget] = {}
        self._slots: list[Callable[..., object]] = []

    def add_view(
        self, scene: Any, name: str, orientation: str = "Axial", interactor: Any = None
    ) -> SliceWidget:
        """Add a view of 400 x 400 pixels and 200 mm."""
        node = scene.CreateNodeByClass("vtkMRMLSliceNode")
        node.UnRegister(None)
        node.SetLayoutName(name)
        node.SetName(name)
        node = scene.AddNode(node)
        node.SetOrientation(orientation)
        node.SetDimensions(400, 400, 1)
        node.SetFieldOfView(200.0, 200.0, 1.0)
        return self.add_widget(name, node, interactor or vtk.vtkRenderWindowInteractor())

    def add_widget(self, name: str, node: Any, interactor: Any) -> SliceWidget:
        """Add a view that is there already."""
        self._widgets[name] = SliceWidget(node, interactor)
        for slot in list(self._slots):
            slot(0)
        return self._widgets[name]

    def sliceViewNames(self) -> tuple[str, ...]:  # noqa: N802
        """Return the names of all slice views."""
        return tuple(self._widgets)

    def sliceWidget(self, name: str) -> SliceWidget:  # noqa: N802
        """Return a slice view."""
        return self._widgets[name]

    def connect(self, signature: str, slot: Callable[..., object]) -> bool:
        """Remember a slot."""
        assert signature == "layoutChanged(int)", signature
        self._slots.append(slot)
        return True

    def disconnect(self, signature: str, slot: Callable[..., object]) -> bool:
        """Forget a slot."""
        assert signature == "layoutChanged(int)", signature
        self._slots.remove(slot)
        return True
