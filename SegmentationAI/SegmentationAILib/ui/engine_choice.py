"""The box in which what answers prompts is chosen."""

from collections.abc import Callable
from typing import Any

from ..scene.panel_refine import EngineFacts
from .panel_state import PanelState
from .refine_logic import RefineLogic


class EngineChoice:
    """Lists the engines; the choice is kept in the state.

    Args:
        selector: QComboBox.
        logic: Knows the engines.
        on_chosen: Called when a person has chosen another one.
    """

    def __init__(self, selector: Any, logic: RefineLogic, on_chosen: Callable[[], None]) -> None:
        self._selector, self._logic, self._on_chosen = selector, logic, on_chosen
        self._engines: tuple[EngineFacts, ...] = ()
        self._state: PanelState | None = None
        self._is_showing = False
        selector.connect("currentIndexChanged(int)", self._chosen)

    @property
    def current(self) -> EngineFacts | None:
        """The chosen engine, None while nothing is listed."""
        index = self._selector.currentIndex
        return self._engines[index] if 0 <= index < len(self._engines) else None

    def show(self, state: PanelState) -> None:
        """List the engines anew and choose the one that the state names, else the first."""
        self._state, self._is_showing = state, True
        try:
            self._engines = self._logic.engines(state.network)
            self._selector.clear()
            self._selector.addItems([one.title for one in self._engines])
            keys = [one.key for one in self._engines]
            if state.refine_engine in keys:
                self._selector.currentIndex = keys.index(state.refine_engine)
        finally:
            self._is_showing = False
        self._explain()

    def _chosen(self) -> None:
        engine = self.current
        if not self._is_showing and engine is not None and self._state is not None:
            self._state.refine_engine = engine.key
            self._on_chosen()
        self._explain()

    def _explain(self) -> None:
        engine = self.current
        self._selector.toolTip = "" if engine is None else engine.tip
