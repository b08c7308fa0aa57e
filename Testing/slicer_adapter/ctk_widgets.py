"""The module ``ctk``: the few CTK widgets that the panel uses, with the properties they have."""

import types
from typing import Any

from PySide6 import QtCore, QtWidgets

from .pythonqt_manners import Manners, strict

_HEADER_HEIGHT = 24


class ctkCollapsibleButton(Manners, QtWidgets.QWidget):  # noqa: N801
    """A titled box whose content is hidden while ``collapsed``."""

    contentsCollapsed = QtCore.Signal(bool)  # noqa: N815

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._adapter_is_collapsed = False
        self._adapter_is_folding = False
        self._adapter_wanted: dict[int, bool] = {}
        self._adapter_header = None
        header = QtWidgets.QToolButton(self)
        QtCore.QObject.setObjectName(header, "")
        header.setArrowType(QtCore.Qt.DownArrow)
        header.setToolButtonStyle(QtCore.Qt.ToolButtonTextBesideIcon)
        header.clicked.connect(lambda: self._set_collapsed(not self._adapter_is_collapsed))
        self._adapter_header = header
        self.setContentsMargins(6, _HEADER_HEIGHT + 2, 6, 6)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802
        self._adapter_header.setGeometry(0, 0, event.size().width(), _HEADER_HEIGHT)

    def childEvent(self, event: Any) -> None:  # noqa: N802
        if event.added() and event.child().isWidgetType():
            event.child().installEventFilter(self)

    def eventFilter(self, child: Any, event: Any) -> bool:  # noqa: N802
        """Remember what was shown and hidden by itself, as the real box does."""
        shown = {QtCore.QEvent.ShowToParent: True, QtCore.QEvent.HideToParent: False}
        wanted = shown.get(event.type())
        if wanted is not None and not self._adapter_is_folding and child is not self._header():
            self._adapter_wanted[id(child)] = wanted
            if wanted and self._adapter_is_collapsed:
                self._fold(child, is_shown=False)
        return False

    def _header(self) -> Any:
        return self._adapter_header

    def _fold(self, child: Any, is_shown: bool) -> None:
        self._adapter_is_folding = True
        QtWidgets.QWidget.setVisible(child, is_shown)
        self._adapter_is_folding = False

    def _set_collapsed(self, is_collapsed: bool) -> None:
        if is_collapsed == self._adapter_is_collapsed:
            return
        self._adapter_is_collapsed = is_collapsed
        arrow = QtCore.Qt.RightArrow if is_collapsed else QtCore.Qt.DownArrow
        self._adapter_header.setArrowType(arrow)
        self.setMaximumHeight(_HEADER_HEIGHT if is_collapsed else 16777215)
        direct = QtCore.Qt.FindDirectChildrenOnly
        for child in self.findChildren(QtWidgets.QWidget, options=direct):
            if child is not self._adapter_header:
                self._fold(child, not is_collapsed and self._adapter_wanted.get(id(child), True))
        self.contentsCollapsed.emit(is_collapsed)

    def _set_text(self, text: str) -> None:
        self._adapter_header.setText(text)

    text = QtCore.Property(str, lambda self: self._adapter_header.text(), _set_text)
    collapsed = QtCore.Property(bool, lambda self: self._adapter_is_collapsed, _set_collapsed)


class ctkPathLineEdit(Manners, QtWidgets.QWidget):  # noqa: N801
    """A line for a path; the button that opens a file dialog is not made here."""

    currentPathChanged = QtCore.Signal(str)  # noqa: N815

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        line = QtWidgets.QLineEdit(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(line)
        layout.addWidget(QtWidgets.QToolButton(self, text="..."))
        line.textChanged.connect(self.currentPathChanged.emit)
        self._adapter_line = line
        self._adapter_settings_key = ""
        self._adapter_filters = self.Dirs | self.Files

    def _set_settings_key(self, key: str) -> None:
        self._adapter_settings_key = key

    currentPath = QtCore.Property(  # noqa: N815
        str,
        lambda self: self._adapter_line.text(),
        lambda self, path: self._adapter_line.setText(path),
    )
    settingKey = QtCore.Property(  # noqa: N815
        str, lambda self: self._adapter_settings_key, _set_settings_key
    )

    def _set_filters(self, filters: int) -> None:
        self._adapter_filters = filters

    # As QDir's: both by default, and then the real button asks for a file.
    Dirs, Files = 1, 2
    filters = QtCore.Property(int, lambda self: self._adapter_filters, _set_filters)


def ctk_module() -> types.ModuleType:
    """Return a new ``ctk``."""
    module = types.ModuleType("ctk", __doc__)
    module.ctkCollapsibleButton = strict(ctkCollapsibleButton)
    module.ctkPathLineEdit = strict(ctkPathLineEdit)
    return module
