"""The adapter is as strict as PythonQt: what would go wrong in Slicer goes wrong here."""

import pytest
import slicer
from PySide6 import QtCore, QtTest, QtWidgets
from slicer_adapter import pythonqt_manners
from slicer_adapter.pythonqt_manners import UnknownSignatureError, slot_errors

from SegmentationAILib.scene.volume_node import node_from_volume


def test_a_property_is_read_and_written_as_an_attribute(a_slicer):
    import qt

    button = qt.QPushButton()
    button.text = "Go"
    assert (button.text, button.enabled) == ("Go", True)
    with pytest.raises(TypeError):
        button.text()


def test_an_unknown_attribute_is_refused_and_a_known_one_of_a_subclass_is_not(a_slicer):
    import ctk
    import qt

    for widget in (qt.QLabel(), ctk.ctkCollapsibleButton(), slicer.qMRMLNodeComboBox()):
        with pytest.raises(AttributeError, match="txet"):
            widget.txet = "x"

    class Own(qt.QWidget):
        pass

    own = Own()
    own.anything = 3
    assert own.anything == 3


def test_a_read_only_property_and_a_value_of_another_kind_are_refused(a_slicer):
    import qt

    with pytest.raises(AttributeError, match="cannot be written"):
        qt.QComboBox().count = 3
    with pytest.raises(TypeError, match="maximum"):
        qt.QProgressBar().maximum = "many"


def test_a_signal_is_connected_by_its_signature_alone(a_slicer):
    import qt

    button, heard = qt.QPushButton(), []
    button.connect("clicked(bool)", lambda is_checked: heard.append(is_checked))
    button.connect("clicked()", lambda: heard.append("nothing"))
    for wrong in ("clicked(int)", "cliked()", "clicked"):
        with pytest.raises(UnknownSignatureError):
            button.connect(wrong, heard.append)
    button.click()
    assert heard == [False, "nothing"]
    button.disconnect("clicked()")
    button.click()
    assert heard == [False, "nothing", False]


def test_a_slot_gets_as_many_arguments_as_it_takes_and_its_error_is_seen(a_slicer):
    import qt

    box, heard = qt.QComboBox(), []
    box.addItems(["a", "b"])
    box.connect("currentIndexChanged(int)", lambda: heard.append(box.currentText))
    box.connect("currentIndexChanged(int)", lambda first, second: heard.append("never"))
    box.currentIndex = 1
    assert heard == ["b"]
    (error,) = slot_errors
    assert isinstance(error, TypeError)
    pythonqt_manners.slot_errors.clear()


def test_a_ui_file_with_an_unknown_property_or_class_is_refused(a_slicer, tmp_path):
    path = tmp_path / "Bad.ui"
    for content in (
        '<widget class="QLabel" name="label"><property name="txet"><string>x</string></property>'
        "</widget>",
        '<widget class="QLable" name="label"/>',
    ):
        path.write_text(f'<ui version="4.0"><class>Bad</class>{content}</ui>')
        with pytest.raises(AssertionError):
            slicer.util.loadUI(str(path))
    path.write_text('<ui version="4.0"><class>Good</class><widget class="QLabel" name="l"/></ui>')
    assert slicer.util.loadUI(str(path)).name == "l"


def test_a_node_selector_follows_the_scene(a_slicer, a_sphere_volume):
    selector, heard = slicer.qMRMLNodeComboBox(), []
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = True
    selector.setMRMLScene(a_slicer.scene)
    selector.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
    node = node_from_volume(a_sphere_volume, a_slicer.scene, "Scan")
    assert selector.currentNode() is None
    selector.setCurrentNode(node)
    a_slicer.scene.RemoveNode(node)
    assert heard == [node, None]
    assert selector.nodeCount() == 0


def test_a_folded_box_keeps_what_was_hidden_in_it_hidden(a_slicer):
    import ctk
    import qt

    box = ctk.ctkCollapsibleButton()
    layout = qt.QVBoxLayout(box)
    hidden, plain, later = qt.QLabel("a"), qt.QLabel("b"), qt.QLabel("c")
    for label in (hidden, plain, later):
        layout.addWidget(label)
    hidden.visible = False
    box.show()
    box.collapsed = True
    later.visible = False  # no event tells the box, neither here nor in CTK
    assert not plain.visible
    box.collapsed = False
    assert [label.visible for label in (hidden, plain, later)] == [False, True, True]


def test_a_parameter_node_keeps_types_and_nodes_through_a_saved_scene(a_slicer, tmp_path):
    from slicer.parameterNodeWrapper import parameterNodeWrapper
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    @parameterNodeWrapper
    class State:
        volume: slicer.vtkMRMLScalarVolumeNode
        words: list[str]
        number: int = 3

    class SomethingLogic(ScriptedLoadableModuleLogic):
        pass

    state = State(SomethingLogic().getParameterNode())
    node = a_slicer.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Scan")
    state.volume, state.words, state.number = node, ["a", 'b"'], 4
    again = State(SomethingLogic().getParameterNode())
    assert (again.volume, again.words, again.number) == (node, ["a", 'b"'], 4)
    a_slicer.scene.RemoveNode(node)
    assert again.volume is None


def test_keys_reach_a_shortcut(a_slicer):
    import qt

    window, heard = qt.QWidget(), []
    shortcut = qt.QShortcut(qt.QKeySequence("Esc"), window)
    shortcut.connect("activated()", lambda: heard.append("esc"))
    window.show()
    window.activateWindow()
    QtWidgets.QApplication.processEvents()
    QtTest.QTest.keyClick(window, QtCore.Qt.Key_Escape)
    shortcut.enabled = False
    QtTest.QTest.keyClick(window, QtCore.Qt.Key_Escape)
    assert heard == ["esc"]
