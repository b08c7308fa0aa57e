"""The panel on the real logic and a real worker, by clicks: from a scan to files, and back."""

import hashlib
import math
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import slicer
from loopback_server import loopback_server
from PySide6 import QtCore, QtTest
from threshold_network import threshold_network_folder

from SegmentationAILib.core.files import read_labelmap, read_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.offline import OFFLINE_VARIABLE
from SegmentationAILib.core.volume import Box, Volume
from SegmentationAILib.scene.segment_protection import set_locked
from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap
from SegmentationAILib.scene.volume_node import node_from_volume
from SegmentationAILib.worker.client import LocalWorker, WorkerPython

from phantoms import sphere_volume

BRIGHT = "Bright things"


def choose(module, title):
    module.choose("networkSelector", title)


@pytest.fixture(scope="module")
def a_worker_home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    threshold_network_folder(home / "networks" / "threshold", patch_size=[64, 64, 64])
    slow = {"title": "Slow things", "patch_size": [16, 16, 16], "overlap": 0.75}
    threshold_network_folder(home / "networks" / "slow", **slow)
    return home


@pytest.fixture(scope="module")
def a_worker(a_worker_home, tmp_path_factory):
    # Without OpenVINO, which compiles for longer than these networks run: the first module that
    # the worker imports is replaced by one that hides it and steps aside.
    # It also writes down whom the worker wants to speak with beyond this machine.
    folder = tmp_path_factory.mktemp("without-openvino")
    (folder / "uvicorn.py").write_text(
        "import importlib, socket, sys\n"
        "real = socket.socket.connect\n"
        "def connect(self, address):\n"
        "    if not isinstance(address, tuple) or address[0] not in ('127.0.0.1', '::1'):\n"
        f"        open({str(a_worker_home / 'reached-out')!r}, 'a').write(str(address))\n"
        "    return real(self, address)\n"
        "socket.socket.connect = connect\n"
        "sys.modules['openvino'] = None\n"
        f"sys.path.remove({str(folder)!r})\n"
        "del sys.modules['uvicorn']\n"
        "importlib.import_module('uvicorn')\n"
    )
    worker = LocalWorker(WorkerPython(paths=(folder,)), a_worker_home)
    worker.device().result(120)  # starting torch is no part of any test's time
    yield worker
    worker.close()


@pytest.fixture
def open_on(a_worker, a_worker_home, a_slicer, opened, monkeypatch):
    """Opens the module on a volume, with the worker that all tests of this file share."""
    monkeypatch.setenv("SEGMENTATIONAI_HOME", str(a_worker_home))

    def open_module(volume):
        import SegmentationAI

        monkeypatch.setattr(
            SegmentationAI.SegmentationAILogic.__init__, "__defaults__", (a_worker,)
        )
        monkeypatch.setattr(a_worker, "close", lambda: None)
        node = node_from_volume(volume, a_slicer.scene, "Scan")
        module = opened()
        choose(module, BRIGHT)
        return module, node

    return open_module


def test_a_scan_becomes_segments_that_are_undone_measured_and_exported(open_on, tmp_path):
    module, node = open_on(sphere_volume())
    state = module.widget.logic.state()
    module.click("segmentButton")
    assert module.is_shown("cancelButton")
    seen = set()

    def has_preview():
        seen.add(module.find("progressLabel").text)
        return module.is_shown("previewBox")

    module.wait_until(has_preview)
    assert len(seen - {""}) > 1, "no progress was shown"
    assert "1 structure in" in module.find("previewLabel").text
    module.click("acceptButton")
    module.wait_until(lambda: module.is_shown("segmentsTable"))
    result = state.result
    assert result.GetName() == "Scan threshold"
    sphere = labelmap_from_node(result, node)
    assert [label.name for label in sphere.labels] == ["Sphere", "Never"]

    module.click("undoButton")
    assert result.GetSegmentation().GetNumberOfSegments() == 0
    module.click("redoButton")
    assert np.array_equal(labelmap_from_node(result, node).layers[0], sphere.layers[0])

    module.panel.open("Measure")
    table = module.find("measureTable")
    module.wait_until(lambda: table.rowCount == 2)
    voxels = int(sphere.mask(sphere.labels[0]).sum())
    expected = voxels * sphere.grid.voxel_volume_ml
    assert math.isclose(float(table.item(0, 1).text()), expected, rel_tol=1e-3)
    result.GetSegmentation().RemoveSegment(result.GetSegmentation().GetNthSegmentID(1))
    module.wait_until(lambda: table.rowCount == 1)

    module.panel.open("Export")
    module.find("folderLine").currentPath = str(tmp_path)
    module.click("exportButton")
    assert "read back" in module.find("sentenceLabel").text
    written = read_labelmap(tmp_path / "Scan threshold.seg.nrrd")
    assert [label.name for label in written.labels] == ["Sphere"]
    assert np.array_equal(written.mask(written.labels[0]), sphere.mask(sphere.labels[0]))


def test_cancel_gives_control_back_at_once_and_the_next_run_works(open_on, the_data):
    scan = read_volume(the_data / "brain-t1" / "t1.nii.gz")
    crop = Box((35, 35, 25), (105, 105, 75))
    module, _node = open_on(Volume(scan.voxels[:, *crop.slices], scan.grid.cropped(crop).affine))
    choose(module, "Slow things")
    before = module.running.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    module.click("segmentButton")
    QtTest.QTest.qWait(120)
    clock = QtCore.QElapsedTimer()
    clock.start()
    module.click("cancelButton")
    assert clock.elapsed() < 500
    assert not module.is_shown("runningBox")
    assert "as it was" in module.find("sentenceLabel").text
    after = module.running.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    assert after == before
    choose(module, BRIGHT)
    module.click("segmentButton")
    module.wait_until(lambda: module.is_shown("previewBox"))


def test_a_locked_neighbor_and_a_discarded_preview_change_nothing(open_on):
    volume = sphere_volume()
    module, node = open_on(volume)
    mask = np.zeros(volume.grid.shape, np.uint8, order="F")
    mask[25:35, 20:30, 12:20] = 7
    mine = Labelmap((mask,), (Label(7, "Sphere"),), volume.affine)
    target = node_from_labelmap(mine, module.running.scene, node, "Mine")
    set_locked(target.GetSegmentation().GetNthSegment(0), True)
    module.find("outputSelector").setCurrentNode(target)
    module.click("segmentButton")
    module.wait_until(lambda: module.is_shown("previewBox"))
    module.click("discardButton")
    assert target.GetSegmentation().GetNumberOfSegments() == 1
    module.click("segmentButton")
    module.wait_until(lambda: module.is_shown("previewBox"))
    module.press(QtCore.Qt.Key_Return)
    module.wait_until(lambda: module.is_shown("segmentsTable"))
    found = labelmap_from_node(target, node)
    assert len(found.labels) > 1
    assert np.array_equal(found.mask(found.labels[0]), mask.astype(bool))
    assert "locked and was kept" in module.find("sentenceLabel").text


def states(module):
    table = module.find("queueTable")
    return [table.item(row, 2).text() for row in range(table.rowCount)]


def test_a_queue_places_each_result_beside_its_scan_and_one_loss_costs_no_other(open_on):
    module, _node = open_on(sphere_volume())
    scene = module.running.scene
    other = node_from_volume(sphere_volume(), scene, "Other")
    gone = node_from_volume(sphere_volume(), scene, "Gone")
    module.panel.open("Queue")
    for name in ("Scan", "Other", "Gone"):
        module.check("queueScans", name)
    module.check("queueNetworks", BRIGHT)
    module.click("enqueueButton")
    scene.RemoveNode(gone)
    module.wait_until(lambda: states(module) == ["done", "done", "not done"])
    module.find("queueTable").selectRow(2)
    assert "removed" in module.find("queueLabel").text
    names = [
        scene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode").GetName()
        for n in range(scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"))
    ]
    assert names == ["Scan threshold", "Other threshold"]
    result = scene.GetFirstNodeByName("Other threshold")
    assert result.GetNodeReference(result.GetReferenceImageGeometryReferenceRole()) is other
    assert labelmap_from_node(result, other).layers[0].any()


def test_the_queue_is_canceled_as_a_whole_and_goes_on_after_one(open_on):
    module, _node = open_on(sphere_volume())
    module.panel.open("Queue")
    module.check("queueScans", "Scan")
    module.check("queueNetworks", BRIGHT)
    module.check("queueNetworks", "Slow things")
    module.click("enqueueButton")
    module.click("enqueueButton")
    table = module.find("queueTable")
    assert table.rowCount == 4
    assert [table.item(row, 1).text() for row in range(4)] == [BRIGHT, "Slow things"] * 2
    table.selectRow(1)
    module.click("cancelOneButton")
    assert states(module)[1] == "canceled"
    module.click("cancelAllButton")
    assert states(module) == ["canceled"] * 4
    assert module.running.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    table.selectRow(2)
    module.click("repeatButton")
    module.wait_until(lambda: states(module)[2] == "done")
    assert states(module) == ["canceled", "canceled", "done", "canceled"]


def test_two_segmentations_are_compared_as_counted_and_their_difference_shown(open_on, tmp_path):
    """The second box is the first, moved by two voxels of 2.5 mm along k."""
    volume = sphere_volume()
    module, node = open_on(volume)
    scene = module.running.scene
    nodes = []
    for name, start in (("A", 10), ("B", 12)):
        mask = np.zeros(volume.grid.shape, np.uint8, order="F")
        mask[20:30, 20:28, start : start + 4] = 5
        labelmap = Labelmap((mask,), (Label(5, "Box"),), volume.affine)
        nodes.append(node_from_labelmap(labelmap, scene, node, name))
    module.panel.open("Compare")
    for name, one in zip(("firstSelector", "secondSelector"), nodes, strict=True):
        module.find(name).setCurrentNode(one)
    module.click("compareButton")
    table = module.find("compareTable")
    module.wait_until(lambda: table.rowCount == 1)
    ml = 10 * 8 * 4 * volume.grid.voxel_volume_ml
    cells = [table.item(0, column).text() for column in range(6)]
    assert cells[:3] == ["Box", "0.500", "5.0"]
    assert [float(cell) for cell in cells[4:]] == pytest.approx([ml, ml], abs=0.006)

    views = [scene.AddNewNodeByClass("vtkMRMLSliceNode") for _ in range(2)]
    table.selectRow(0)
    module.click("jumpButton")
    middle = volume.affine @ (24.5, 23.5, 10.0, 1.0)
    for view in views:
        matrix = view.GetSliceToRAS()
        normal, place = ([matrix.GetElement(row, column) for row in range(3)] for column in (2, 3))
        assert abs(np.dot(np.subtract(place, middle[:3]), normal)) < 1e-6
    module.click("differencesButton")
    shown = labelmap_from_node(scene.GetFirstNodeByName("A to B"), node)
    lost, gained = (int(shown.mask(label).sum()) for label in shown.labels)
    assert (lost, gained) == (160, 160)


def test_a_network_is_installed_from_a_folder_and_an_address_and_removed(
    open_on, a_worker_home, tmp_path, monkeypatch
):
    folder = threshold_network_folder(tmp_path / "third", id="third", title="From a folder")
    threshold_network_folder(tmp_path / "fourth", id="fourth", title="From an address")
    packed = shutil.make_archive(str(tmp_path / "fourth"), "zip", tmp_path / "fourth")
    data = Path(packed).read_bytes()
    module, _node = open_on(sphere_volume())
    module.panel.open("Networks")
    said = module.find("sentenceLabel")

    def install(source, sha256=""):
        module.find("sourceLine").text = source
        module.find("shaLine").text = sha256
        module.click("installFromButton")

    install(str(folder))
    module.wait_until(lambda: said.text == "From a folder is installed.")
    with loopback_server(lambda request: request.send(data)) as server:
        install(f"{server.url}/fourth.zip", "0" * 64)
        module.wait_until(lambda: "not the one expected" in said.text)
        install(f"{server.url}/fourth.zip", hashlib.sha256(data).hexdigest())
        module.wait_until(lambda: said.text == "From an address is installed.")
    module.panel.open("Segment")
    choose(module, "From an address")

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: True)
    module.panel.open("Networks")
    table = module.find("networksTable")
    for title in ("From a folder", "From an address"):
        row = next(r for r in range(table.rowCount) if table.item(r, 0).text() == title)
        table.selectRow(row)
        module.click("removeButton")
    assert not {"third", "fourth"} & {p.name for p in (a_worker_home / "networks").iterdir()}


def test_with_the_switch_on_a_run_speaks_with_this_machine_alone(
    open_on, a_worker_home, monkeypatch
):
    """Neither this program nor its worker reaches out; the worker writes down whom it calls."""
    reached, real = [], socket.socket.connect

    def connect(self, address):
        reached.append(address)
        return real(self, address)

    monkeypatch.setenv(OFFLINE_VARIABLE, "0")
    monkeypatch.setattr(socket.socket, "connect", connect)
    module, _node = open_on(sphere_volume())
    module.panel.open("Settings")
    module.click("offlineCheck")
    module.panel.open("Segment")
    module.click("segmentButton")
    module.wait_until(lambda: module.is_shown("previewBox"))
    assert {address[0] for address in reached} <= {"127.0.0.1"}
    assert not (a_worker_home / "reached-out").exists()
    module.panel.open("Settings")
    module.click("offlineCheck")


def test_settings_wait_for_a_run_that_is_under_way(open_on, a_worker_home):
    module, _node = open_on(sphere_volume())
    before = (a_worker_home / "settings.json").exists()
    module.click("segmentButton")
    module.panel.open("Settings")
    module.click("offlineCheck")
    assert module.find("sentenceLabel").text.startswith("A network is running")
    assert module.find("offlineCheck").checked is False
    assert (a_worker_home / "settings.json").exists() is before
    module.panel.open("Segment")
    module.wait_until(lambda: module.is_shown("previewBox"))


def test_a_scan_that_is_removed_during_a_run_leaves_a_sentence(open_on):
    module, node = open_on(sphere_volume())
    module.click("segmentButton")
    module.running.scene.RemoveNode(node)
    module.wait_until(lambda: not module.is_shown("runningBox"))
    assert "removed" in module.find("sentenceLabel").text
    assert module.running.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


@pytest.mark.parametrize("is_wanted", [True, False])
def test_what_a_killed_session_left_is_offered_once(open_on, a_worker_home, monkeypatch, is_wanted):
    module, node = open_on(sphere_volume())
    mask = np.zeros(sphere_volume().grid.shape, np.uint8, order="F")
    mask[25:35, 20:30, 12:20] = 1
    work = Labelmap((mask,), (Label(1, "Mine"),), sphere_volume().affine)
    node_from_labelmap(work, module.running.scene, node, "Corrected")
    QtTest.QTest.qWait(100)
    (written,) = (a_worker_home / "journal").glob("*.journal")
    # A copy that no process holds is what a kill leaves.
    (written.parent / "1-00.journal").write_bytes(written.read_bytes())
    module.running.scene.Clear()
    module.widget.enter()
    assert "'Corrected' (1 segment)" in module.find("restoreLabel").text
    if is_wanted:
        module.click("restoreButton")
        found = module.running.scene.GetFirstNodeByName("Corrected")
        assert found.GetSegmentation().GetNumberOfSegments() == 1
    else:
        monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: True)
        module.click("throwAwayButton")
        assert module.running.scene.GetFirstNodeByName("Corrected") is None
    assert not module.is_shown("restoreBox")


def test_the_console_gets_a_segmentation_node(open_on):
    module, node = open_on(sphere_volume())
    result = module.widget.logic.segment(node, "threshold")
    assert isinstance(result, slicer.vtkMRMLSegmentationNode)
    assert result.GetNodeReference(result.GetReferenceImageGeometryReferenceRole()) is node
    assert labelmap_from_node(result, node).layers[0].any()
