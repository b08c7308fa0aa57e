"""A Slicer application as far as a scripted module sees one, for the length of a test."""

import importlib
import os
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtWidgets

from SegmentationAILib.scene.bootstrap import HeadlessSlicer, headless_slicer

from . import pythonqt_manners
from .ctk_widgets import ctk_module
from .node_widgets import add_node_widgets, leave_scenes
from .parameter_node import parameter_node_module
from .qt_module import qt_module
from .scripted_module import scripted_modules
from .slice_views import LayoutManager

ORIGINALS = "SLICER_BASE_PYTHON"
_SIGNALS = ("startupCompleted()", "moduleAboutToBeUnloaded(QString)")


@dataclass
class Application:
    """``slicer.app`` and its module manager: signals by text, settings, events."""

    slots: dict[str, list[Callable[..., object]]] = field(default_factory=dict)
    layout: LayoutManager = field(default_factory=LayoutManager)

    def connect(self, signature: str, slot: Callable[..., object]) -> bool:
        """Remember a slot; the test emits by `emit`."""
        assert signature in _SIGNALS, f"the application has no signal {signature}"
        self.slots.setdefault(signature, []).append(slot)
        return True

    def disconnect(self, signature: str, slot: Callable[..., object]) -> bool:
        """Forget a slot."""
        self.slots[signature].remove(slot)
        return True

    def emit(self, signature: str, *arguments: object) -> None:
        """Call the slots of a signal, as the application does."""
        for slot in self.slots.get(signature, []):
            slot(*arguments)

    def layoutManager(self) -> LayoutManager:  # noqa: N802
        """Return what owns the views."""
        return self.layout

    def moduleManager(self) -> "Application":  # noqa: N802
        """Return the sender of the unload signal."""
        return self

    def processEvents(self) -> None:  # noqa: N802
        """Run what waits in the event loop."""
        QtWidgets.QApplication.processEvents()

    def translate(self, context: str, text: str) -> str:
        """Return the text; no translation is loaded."""
        return text

    def documentationUrl(self) -> str:  # noqa: N802
        """Return nothing: there is no documentation here."""
        return ""


@dataclass(frozen=True)
class RunningSlicer:
    """What a test gets: the headless scene with its logics, and the application."""

    headless: HeadlessSlicer
    app: Application

    @property
    def scene(self) -> Any:
        """The MRML scene."""
        return self.headless.scene


@contextmanager
def running_slicer() -> Iterator[RunningSlicer]:
    """Offer ``qt``, ``ctk``, ``slicer.app``, ``slicer.mrmlScene`` and Slicer's base classes.

    Raises:
        AssertionError: On leaving, when a slot raised.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    headless = headless_slicer()
    app = Application()
    modules = {"qt": _once("qt", qt_module), "ctk": _once("ctk", ctk_module)}
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    add_node_widgets()
    _offer_base_classes()
    slicer.app, slicer.mrmlScene = app, headless.scene
    pythonqt_manners.slot_errors.clear()
    try:
        yield RunningSlicer(headless, app)
        raised = list(pythonqt_manners.slot_errors)
        assert not raised, f"slots raised: {raised!r}"
    finally:
        leave_scenes()
        del slicer.app, slicer.mrmlScene
        for name, module in before.items():
            if module is None:
                del sys.modules[name]


_made: dict[str, types.ModuleType] = {}


def _once(name: str, make: Callable[[], types.ModuleType]) -> types.ModuleType:
    """Return the one module of that name: classes imported by earlier tests stay the same."""
    if name not in _made:
        _made[name] = make()
    return _made[name]


def _offer_base_classes() -> None:
    """Put Slicer's Python base classes where modules import them from."""
    originals = os.environ.get(ORIGINALS)
    if originals:
        folder = str(Path(originals) / "slicer")
        if folder not in slicer.__path__:
            slicer.__path__.append(folder)
        for name in ("i18n", "ScriptedLoadableModule", "parameterNodeWrapper"):
            importlib.import_module(f"slicer.{name}")
        return
    stand_ins = {**scripted_modules(), "slicer.parameterNodeWrapper": parameter_node_module()}
    for name, module in stand_ins.items():
        sys.modules.setdefault(name, module)
        setattr(slicer, name.partition(".")[2], sys.modules[name])
