"""The module ``qt``: all of Qt's classes in one place, each with PythonQt's manners."""

import ctypes
import sys
import types
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from .pythonqt_manners import Manners, strict

_HOMES = (QtCore, QtGui, QtWidgets)


class QtModule(types.ModuleType):
    """Makes each class when it is first asked for."""

    def __getattr__(self, name: str) -> Any:
        for home in _HOMES:
            found = getattr(home, name, None)
            if found is None:
                continue
            is_object = isinstance(found, type) and issubclass(found, QtCore.QObject)
            made = strict(found) if is_object and name not in _KEPT else found
            setattr(self, name, made)
            return made
        raise AttributeError(f"qt has no {name}")


class UiLoader(QtUiTools.QUiLoader):
    """Reads ``.ui`` files into widgets of ``qt``, ``ctk`` and ``slicer``.

    Raises:
        AssertionError: A file names a class that the adapter does not have, or sets a property
            that its class does not have (Qt itself would keep the latter without a word).
    """

    def createWidget(self, class_name: str, parent: Any = None, name: str = "") -> Any:  # noqa: N802
        """Return a widget of that class."""
        import ctk
        import qt
        import slicer

        homes = (slicer,) if class_name.startswith("qMRML") else (ctk, qt)
        kind = next((getattr(h, class_name) for h in homes if hasattr(h, class_name)), None)
        assert kind is not None, f"the adapter has no widget {class_name}"
        widget = kind(parent) if parent is not None else kind()
        widget.objectName = name
        return widget

    def load(self, file: Any, parent: Any = None) -> Any:
        """Return the root widget of a ``.ui`` file."""
        Manners._adapter_is_loading = True
        try:
            root = super().load(file, parent)
        finally:
            Manners._adapter_is_loading = False
        assert root is not None, self.errorString()
        for widget in (root, *root.findChildren(QtWidgets.QWidget)):
            unknown = [
                bytes(given).decode()
                for given in widget.dynamicPropertyNames()
                if not bytes(given).startswith((b"_", b"SlicerParameterName"))
            ]
            assert not unknown, f"{QtCore.QObject.objectName(widget)} has no property {unknown}"
        return root


# Their class functions are what is used; there is one of each per process.
_KEPT = {"QObject", "QApplication", "QCoreApplication", "QGuiApplication", "QMetaObject"}


def qt_module() -> QtModule:
    """Return a new ``qt``."""
    _keep_none()
    module = QtModule("qt", __doc__)
    module.QUiLoader = UiLoader
    return module


def _keep_none() -> None:
    """Give None so many references that PySide6 6.12 cannot use them up.

    Most of its functions that return nothing give back one reference to None more than they took,
    as is right from Python 3.12 on, where None is immortal. In 3.11 a long session ends with "Fatal
    Python error: none_dealloc". This can go with Python 3.11.
    """
    if sys.version_info < (3, 12):
        ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40
