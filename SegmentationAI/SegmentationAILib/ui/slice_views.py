"""The slice views of the application: their events for a hand, and the cursor that it shows."""

from functools import partial
from typing import Any, Final

import slicer

from .prompt_cursor import prompt_cursor
from .prompt_hand import EVENTS, PromptHand

# Before Slicer's own interactor style, which has 0.
PRIORITY: Final = 10.0


class SliceViews:
    """Watches all slice views between `start` and `stop`.

    Args:
        hand: Gets the events.
    """

    def __init__(self, hand: PromptHand) -> None:
        self._hand = hand
        self._watched: list[tuple[Any, Any, int]] = []
        self._is_on = False

    def start(self) -> None:
        """Watch the views that are there now, and those of any layout that is chosen later."""
        if self._is_on:
            return
        self._is_on = True
        manager = slicer.app.layoutManager()
        if manager is not None:
            manager.connect("layoutChanged(int)", self._layout_changed)
        self._watch()

    def stop(self) -> None:
        """Let go of the views."""
        if not self._is_on:
            return
        self._is_on = False
        manager = slicer.app.layoutManager()
        if manager is not None:
            manager.disconnect("layoutChanged(int)", self._layout_changed)
        self._let_go()

    def show_cursor(self, adds: bool) -> None:
        """Show what the next click does."""
        cursor = prompt_cursor(adds)
        for view in {id(view): view for view, _, _ in self._watched}.values():
            view.setViewCursor(cursor)

    def _layout_changed(self, layout: int) -> None:
        self._let_go()
        self._watch()

    def _watch(self) -> None:
        manager = slicer.app.layoutManager()
        for name in () if manager is None else manager.sliceViewNames():
            widget = manager.sliceWidget(name)
            view, node = widget.sliceView(), widget.mrmlSliceNode()
            interactor = view.interactor()
            for event in EVENTS:
                tag: list[int] = []
                heard = partial(self._heard, event, node, tag)
                tag.append(interactor.AddObserver(event, heard, PRIORITY))
                self._watched.append((view, interactor, tag[0]))
        self.show_cursor(adds=True)

    def _heard(self, event: int, node: Any, tag: list[int], caller: Any, name: str) -> None:
        if self._hand.handle(caller, event, node):
            caller.GetCommand(tag[0]).SetAbortFlag(1)

    def _let_go(self) -> None:
        for view, interactor, tag in self._watched:
            interactor.RemoveObserver(tag)
            view.unsetViewCursor()
        self._watched = []
