"""Slicer's side of a scripted Segment Editor effect, as strict about it as the C++ class is.

It checks the types that methods return, which properties can be set, and the names by which the
source is loaded (module from the folder, class from the file). It does not check: when the editor
calls, the icons and the help on the screen, the views' own handling of events, and undo.
"""

import importlib.util
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtGui, QtWidgets

_PROPERTIES = frozenset(
    ("name", "title", "perSegment", "requireSegments", "showEffectCursorInSliceView")
)
_OWN = frozenset(("_source", "_self", "_node", "options", "saved_states"))


class AbstractScriptedSegmentEditorEffect:
    """The base class that effects written in Python have."""

    def __init__(self, scriptedEffect: Any) -> None:  # noqa: N803
        self.scriptedEffect = scriptedEffect

    def register(self) -> None:
        """Offer the effect in editors that are made from now on."""
        EffectFactory.registered.append(self.scriptedEffect)


class EffectFactory:
    """The effects that were registered."""

    registered: list[Any] = []  # noqa: RUF012


class ScriptedEffect:
    """``qSlicerSegmentEditorScriptedEffect``."""

    def __init__(self, parent: Any) -> None:
        assert parent is None
        self._source, self._self, self._node = "", None, None
        self.options: list[Any] = []
        self.saved_states = 0

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _PROPERTIES | _OWN:
            raise AttributeError(f"qSlicerSegmentEditorScriptedEffect has no property {name}")
        super().__setattr__(name, value)

    def setPythonSource(self, source: str) -> bool:  # noqa: N802
        """Load a file and make the class that is named as the file, as Slicer does."""
        path = Path(source)
        if path.suffix not in (".py", ".pyc") or "\\" in source:
            return False
        module_name, class_name = path.parent.name, path.stem
        if not class_name.endswith("Effect"):
            class_name += "Effect"
        module = sys.modules.get(module_name)
        if module is None or not hasattr(module, class_name):
            spec = importlib.util.spec_from_file_location(module_name, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[module_name] = module
            spec.loader.exec_module(module)
        self._self = getattr(module, class_name)(self)
        self._source = source
        return True

    def self(self) -> Any:
        """Return the Python object."""
        return self._self

    def clone(self) -> "ScriptedEffect":
        """Return another effect for another editor."""
        made = self._self.clone()
        assert isinstance(made, ScriptedEffect), "clone returns no effect"
        made._self.setupOptionsFrame()
        return made

    def icon(self) -> Any:
        """Return the icon."""
        icon = self._self.icon()
        assert isinstance(icon, QtGui.QIcon)
        return icon

    def help_text(self) -> str:
        """Return the help."""
        text = self._self.helpText()
        assert isinstance(text, str)
        return text

    def create_cursor(self, view_widget: Any) -> Any:
        """Return the cursor of a view."""
        cursor = self._self.createCursor(view_widget)
        assert isinstance(cursor, QtGui.QCursor)
        return cursor

    def process(self, interactor: Any, event: int, view_widget: Any) -> bool:
        """Hand an event over, as the editor does while the effect is active."""
        is_aborted = self._self.processInteractionEvents(interactor, event, view_widget)
        assert isinstance(is_aborted, bool), "an effect returns a boolean"
        return is_aborted

    def addOptionsWidget(self, widget: Any) -> None:  # noqa: N802
        """Put a widget into the effect's frame."""
        assert isinstance(widget, QtWidgets.QWidget | QtWidgets.QLayout)
        self.options.append(widget)

    def setParameterSetNode(self, node: Any) -> None:  # noqa: N802
        """Choose the editor's node."""
        assert node is None or node.IsA("vtkMRMLSegmentEditorNode")
        self._node = node

    def parameterSetNode(self) -> Any:  # noqa: N802
        """Return the editor's node."""
        return self._node

    def saveStateForUndo(self) -> None:  # noqa: N802
        """Let the editor keep what can be taken back."""
        self.saved_states += 1


@contextmanager
def segment_editor_effects(module_widget: Any) -> Iterator[type[EffectFactory]]:
    """Offer what effects import, and ``slicer.util.getModuleWidget`` for one module."""
    effects = types.ModuleType("qSlicerSegmentationsEditorEffectsPythonQt")
    effects.qSlicerSegmentEditorScriptedEffect = ScriptedEffect
    python = types.ModuleType("SegmentEditorEffects")
    python.AbstractScriptedSegmentEditorEffect = AbstractScriptedSegmentEditorEffect
    made = {module.__name__: module for module in (effects, python)}
    before = getattr(slicer.util, "getModuleWidget", None)
    EffectFactory.registered = []
    sys.modules.update(made)
    slicer.util.getModuleWidget = {"SegmentationAI": module_widget}.__getitem__
    try:
        yield EffectFactory
    finally:
        slicer.util.getModuleWidget = before
        for name in made:
            del sys.modules[name]
        for name in list(sys.modules):
            if name == "SegmentationAIRefine" or name.endswith(".segment_editor_effect"):
                del sys.modules[name]
