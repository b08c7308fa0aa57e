"""What every step of the panel offers."""

from typing import Any, Protocol

from .panel_state import PanelState


class Step(Protocol):
    """One collapsible section of the panel."""

    section: Any
    """Its root widget."""

    def show(self, state: PanelState) -> None:
        """Show what another parameter node says, as after a scene was loaded."""

    def open(self) -> None:
        """Bring everything up to date: the person sees the step now."""

    def close(self) -> None:
        """Let go of views, keys and observers: another step or module was opened."""
