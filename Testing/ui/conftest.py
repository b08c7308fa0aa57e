"""A running Slicer as far as the panel sees one, and the panel in it."""

import sys
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import slicer
import slicer.util
from panel_stand_in import StandInLogic
from PySide6 import QtCore, QtTest, QtWidgets
from slicer_adapter.application import RunningSlicer, running_slicer

from SegmentationAILib.scene.volume_node import node_from_volume

PANEL_WIDTH = 400


@pytest.fixture
def a_slicer(a_home, monkeypatch):
    """A scene with its logics and the application on it; fails the test when a slot raised.

    A question that no test answers fails it too: outside the application it would be a yes.
    """

    def nobody_answers(text, **_):
        raise AssertionError(f"nobody answers: {text}")

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", nobody_answers)
    with running_slicer() as slicer_application:
        yield slicer_application


@dataclass
class OpenModule:
    """The module's widget in a window, and the hands of a person."""

    widget: Any
    window: Any
    running: RunningSlicer

    @property
    def panel(self) -> Any:
        return self.widget.panel

    def find(self, name: str) -> Any:
        """Return the widget of that object name, which exists once."""
        found = self.window.findChildren(QtWidgets.QWidget, name)
        assert len(found) == 1, f"{len(found)} widgets are called {name}"
        return found[0]

    def click(self, name: str) -> None:
        """Click a button that a person can see and press."""
        button = self.find(name)
        assert QtWidgets.QWidget.isVisible(button), f"{name} is not to be seen"
        assert QtWidgets.QWidget.isEnabled(button), f"{name} cannot be pressed"
        # A check box takes clicks on its mark and its text alone.
        place = QtCore.QPoint(10, QtWidgets.QWidget.height(button) // 2)
        QtTest.QTest.mouseClick(button, QtCore.Qt.LeftButton, pos=place)
        QtWidgets.QApplication.processEvents()

    def choose(self, name: str, text: str) -> None:
        """Choose an entry of a box by its text."""
        box = self.find(name)
        assert box.findText(text) >= 0, f"{name} does not offer {text}"
        box.setCurrentIndex(box.findText(text))

    def check(self, name: str, text: str) -> None:
        """Tick an entry of a list by its text."""
        names = self.find(name)
        (item,) = names.findItems(text, QtCore.Qt.MatchExactly)
        item.setCheckState(QtCore.Qt.Checked)

    def is_shown(self, name: str) -> bool:
        """Return whether a person sees a widget."""
        return QtWidgets.QWidget.isVisible(self.find(name))

    def press(self, key: Any) -> None:
        """Press a key in the window."""
        QtTest.QTest.keyClick(self.window, key)
        QtWidgets.QApplication.processEvents()

    def wait_until(self, is_reached: Any, seconds: float = 20.0) -> None:
        """Run the event loop until something holds."""
        deadline = time.monotonic() + seconds
        while not is_reached():
            said = self.find("sentenceLabel").text, self.find("progressLabel").text
            assert time.monotonic() < deadline, f"too late; the panel says {said}"
            QtTest.QTest.qWait(5)


@pytest.fixture
def opened(a_slicer, monkeypatch):
    """Opens the module on a logic, the real one by default; closes all at the end."""
    made = []

    def open_module(logic: Any = None) -> OpenModule:
        import qt

        from SegmentationAI import SegmentationAILogic, SegmentationAIWidget

        if logic is not None:
            monkeypatch.setattr(SegmentationAILogic, "for_panel", lambda self: logic)
        window = qt.QWidget()
        window.setLayout(qt.QVBoxLayout())
        window.resize(PANEL_WIDTH, 900)
        widget = SegmentationAIWidget(window)
        widget.setup()
        window.show()
        # Offscreen windows are active only when told; shortcuts work in the active one alone.
        window.activateWindow()
        QtWidgets.QApplication.processEvents()
        made.append((widget, window))
        return OpenModule(widget, window, a_slicer)

    yield open_module
    for widget, window in made:
        widget.cleanup()
        window.close()
        window.deleteLater()
    sys.modules.pop("SampleData", None)


@pytest.fixture
def a_scan(a_slicer, a_sphere_volume):
    return node_from_volume(a_sphere_volume, a_slicer.scene, "Scan")


@pytest.fixture
def a_module(a_scan, opened):
    """The panel on a logic that answers from memory (`logic`), with one scan and one result."""
    logic = StandInLogic()
    module = opened(logic)
    module.logic = logic
    logic.result = module.running.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Result")
    return module


@pytest.fixture
def a_sample_data_module(monkeypatch):
    """Stands in for Slicer's Sample Data module; it does not check addresses, it remembers."""
    registered: list[dict[str, Any]] = []

    class SampleDataLogic:
        @staticmethod
        def registerCustomSampleDataSource(  # noqa: N802
            category="Custom", sampleName=None, uris=None, fileNames=None, nodeNames=None,  # noqa: N803
            customDownloader=None, thumbnailFileName=None, loadFileTypes=None, loadFiles=None,  # noqa: N803
            loadFileProperties=None, checksums=None,  # noqa: N803
        ):  # fmt: skip
            registered.append({"name": sampleName, "uri": uris, "checksum": checksums})

    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=SampleDataLogic))
    return registered


@pytest.fixture(scope="module")
def the_process(tmp_path_factory):
    """One worker for all tests of a file: it takes seconds to start."""
    from SegmentationAILib.worker.client import LocalWorker

    worker = LocalWorker(home=tmp_path_factory.mktemp("worker-home"))
    yield worker
    worker.close()


@pytest.fixture
def a_panel_worker(the_process, a_slicer, monkeypatch):
    """The worker, which the panel gets; the panel's end does not end it."""
    from SegmentationAI import SegmentationAILogic

    monkeypatch.setattr(the_process, "close", lambda: None)
    monkeypatch.setattr(SegmentationAILogic.__init__, "__defaults__", (the_process,))
    return the_process
