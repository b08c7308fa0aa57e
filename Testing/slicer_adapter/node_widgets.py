"""The node widgets of ``slicer``, on the real MRML scene."""

import weakref
from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets
from shiboken6 import isValid

from .pythonqt_manners import Manners, strict

_WATCHED = ("NodeAddedEvent", "NodeRemovedEvent", "EndCloseEvent", "EndImportEvent")


_following: "weakref.WeakSet[Any]" = weakref.WeakSet()


def leave_scenes() -> None:
    """Remove the observers of all selectors, before their scene goes."""
    for selector in list(_following):
        for tag in selector._adapter_tags:
            selector._adapter_scene.RemoveObserver(tag)
        selector._adapter_tags = []
    _following.clear()


def _kept(name: str, kind: type | str, value: Any) -> QtCore.Property:
    """Return a property that only remembers, as options of menus do."""
    key = f"_adapter_{name}"

    def write(self: Any, given: Any) -> None:
        setattr(self, key, given)
        self._adapter_refresh()

    return QtCore.Property(kind, lambda self: getattr(self, key, value), write)


class qMRMLNodeComboBox(Manners, QtWidgets.QComboBox):  # noqa: N801
    """Chooses among the nodes of a scene; follows nodes that come, go and are renamed."""

    currentNodeChanged = QtCore.Signal(object)  # noqa: N815
    _adapter_signals = {"currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged"}  # noqa: RUF012

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._adapter_scene = None
        self._adapter_tags: list[int] = []
        _following.add(self)
        self.currentIndexChanged.connect(lambda _: self.currentNodeChanged.emit(self.currentNode()))

    noneEnabled = _kept("noneEnabled", bool, False)  # noqa: N815
    noneDisplay = _kept("noneDisplay", str, "None")  # noqa: N815
    addEnabled = _kept("addEnabled", bool, True)  # noqa: N815
    removeEnabled = _kept("removeEnabled", bool, True)  # noqa: N815
    renameEnabled = _kept("renameEnabled", bool, False)  # noqa: N815
    nodeTypes = _kept("nodeTypes", "QStringList", ())  # noqa: N815

    @property
    def currentNodeID(self) -> str:  # noqa: N802
        return QtWidgets.QComboBox.currentData(self) or ""

    def setMRMLScene(self, scene: Any) -> None:  # noqa: N802
        for tag in self._adapter_tags:
            self._adapter_scene.RemoveObserver(tag)
        self._adapter_scene, self._adapter_tags = scene, []
        if scene is not None:
            self._adapter_tags = [
                scene.AddObserver(getattr(scene, name), lambda *_: self._adapter_refresh())
                for name in _WATCHED
            ]
        self._adapter_refresh()

    def mrmlScene(self) -> Any:  # noqa: N802
        return self._adapter_scene

    def currentNode(self) -> Any:  # noqa: N802
        identifier = self.currentNodeID
        return self._adapter_scene.GetNodeByID(identifier) if identifier else None

    def setCurrentNode(self, node: Any) -> None:  # noqa: N802
        self.setCurrentNodeID("" if node is None else node.GetID())

    def setCurrentNodeID(self, identifier: str) -> None:  # noqa: N802
        box = QtWidgets.QComboBox
        box.setCurrentIndex(self, box.findData(self, identifier))

    def nodeCount(self) -> int:  # noqa: N802
        return len(self._adapter_nodes())

    def _adapter_nodes(self) -> list[Any]:
        scene, found = self._adapter_scene, []
        for kind in self.nodeTypes if scene is not None else ():
            for index in range(scene.GetNumberOfNodesByClass(kind)):
                node = scene.GetNthNodeByClass(index, kind)
                # Subclasses count, as in the real selector unless it is told otherwise.
                if not node.GetHideFromEditors() and node not in found:
                    found.append(node)
        return found

    def _adapter_refresh(self) -> None:
        if not isValid(self):
            return  # Qt has deleted the widget; the real one takes its observers with it
        box = QtWidgets.QComboBox
        before = self.currentNodeID
        self.blockSignals(True)
        box.clear(self)
        if self.noneEnabled:
            box.addItem(self, self.noneDisplay, "")
        for node in self._adapter_nodes():
            box.addItem(self, node.GetName(), node.GetID())
        index = box.findData(self, before)
        box.setCurrentIndex(self, index if index >= 0 else min(0, box.count(self) - 1))
        self.blockSignals(False)
        if before != self.currentNodeID:
            self.currentNodeChanged.emit(self.currentNode())


class qMRMLWidget(Manners, QtWidgets.QWidget):  # noqa: N801
    """Hands a scene on to the node selectors in it."""

    def setMRMLScene(self, scene: Any) -> None:  # noqa: N802
        for child in self.findChildren(qMRMLNodeComboBox):
            child.setMRMLScene(scene)


class qMRMLSegmentEditorWidget(Manners, QtWidgets.QWidget):  # noqa: N801
    """Remembers what the real editor is told, and undoes by Slicer's own logic; has no effects.

    It checks that only functions of the real widget are called; of what they do, only undo.
    """

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(QtWidgets.QLabel("(the Segment Editor, in the application)", self))
        self._adapter_told: dict[str, Any] = {}
        self._adapter_logic = slicer.vtkSlicerSegmentEditorLogic()

    def setMRMLScene(self, scene: Any) -> None:  # noqa: N802
        self._adapter_told["scene"] = scene
        self._adapter_logic.SetMRMLScene(scene)

    def setMRMLSegmentEditorNode(self, node: Any) -> None:  # noqa: N802
        self._adapter_told["node"] = node
        self._adapter_logic.SetSegmentEditorNode(node)

    def setSegmentationNode(self, node: Any) -> None:  # noqa: N802
        assert "node" in self._adapter_told or node is None, "an editor node has to be set first"
        self._adapter_told["segmentation"] = node
        if "node" in self._adapter_told:
            self._adapter_told["node"].SetAndObserveSegmentationNode(node)

    def setSourceVolumeNode(self, node: Any) -> None:  # noqa: N802
        self._adapter_told["volume"] = node

    def segmentationNode(self) -> Any:  # noqa: N802
        return self._adapter_told.get("segmentation")

    def saveStateForUndo(self) -> None:  # noqa: N802
        self._adapter_logic.SaveStateForUndo()

    def undo(self) -> None:
        self._adapter_logic.Undo()

    def redo(self) -> None:
        self._adapter_logic.Redo()

    def setActiveEffectByName(self, name: str) -> None:  # noqa: N802
        self._adapter_told["effect"] = name

    def installKeyboardShortcuts(self, parent: Any = None) -> None:  # noqa: N802
        self._adapter_told["shortcuts"] = True

    def uninstallKeyboardShortcuts(self) -> None:  # noqa: N802
        self._adapter_told["shortcuts"] = False

    def setupViewObservations(self) -> None:  # noqa: N802
        self._adapter_told["views"] = True

    def removeViewObservations(self) -> None:  # noqa: N802
        self._adapter_told["views"] = False


def add_node_widgets() -> None:
    """Put the widgets where Slicer has them."""
    for kind in (qMRMLNodeComboBox, qMRMLWidget, qMRMLSegmentEditorWidget):
        setattr(slicer, kind.__name__, strict(kind))
