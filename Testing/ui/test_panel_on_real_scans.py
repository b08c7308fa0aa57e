"""The panel by clicks on a real CT and a real MR, with networks that find organs and structures."""

import numpy as np
import pytest
from ct_network import TITLE as CT_TITLE
from ct_network import ct_network_folder
from PySide6 import QtTest

from SegmentationAILib.core.files import read_labelmap, read_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.scene.segment_protection import set_locked
from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap
from SegmentationAILib.scene.volume_node import node_from_volume
from SegmentationAILib.worker.client import LocalWorker

pytestmark = pytest.mark.slow
MR_TITLE = "Brain structures on MR of any contrast"
# Scan, network, a structure that has to be there, and its volume in ml: that of the labels of this
# CT, and the range of an adult's brain stem.
CASES = {
    "ct": ("ct-torso-3mm/ct_small.nii.gz", CT_TITLE, "Liver", (0.85, 1.15)),
    "mr": ("brain-t1/t1.nii.gz", MR_TITLE, "Brain Stem", (15.0, 35.0)),
}


@pytest.fixture(scope="module")
def a_worker_home(the_data, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    ct_network_folder(home / "networks" / "ct-organs", the_data)
    return home


@pytest.fixture(scope="module")
def a_worker(a_worker_home):
    worker = LocalWorker(home=a_worker_home)
    yield worker
    worker.close()


@pytest.mark.parametrize("kind", CASES)
def test_a_real_scan_goes_from_the_first_click_to_files(
    kind, a_worker, a_worker_home, a_slicer, opened, the_data, tmp_path, monkeypatch
):
    import SegmentationAI

    path, title, structure, (least, most) = CASES[kind]
    monkeypatch.setenv("SEGMENTATIONAI_HOME", str(a_worker_home))
    monkeypatch.setattr(SegmentationAI.SegmentationAILogic.__init__, "__defaults__", (a_worker,))
    monkeypatch.setattr(a_worker, "close", lambda: None)
    volume = read_volume(the_data / path)
    scan = node_from_volume(volume, a_slicer.scene, kind)
    module = opened()
    module.choose("networkSelector", title)

    # Canceled at once, and everything is as it was.
    module.click("segmentButton")
    QtTest.QTest.qWait(300)
    module.click("cancelButton")
    assert a_slicer.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0

    # Into a segmentation whose one segment is locked: a block in the middle of the scan.
    block = np.zeros(volume.grid.shape, np.uint8, order="F")
    middle = tuple(slice(n // 2 - 3, n // 2 + 3) for n in volume.grid.shape)
    block[middle] = 9
    locked = block == 9  # the node shares the array, and what is accepted goes into it
    mine = Labelmap((block,), (Label(9, "Mine"),), volume.affine)
    target = node_from_labelmap(mine, a_slicer.scene, scan, "Mine")
    set_locked(target.GetSegmentation().GetNthSegment(0), True)
    module.find("outputSelector").setCurrentNode(target)
    told = set()
    module.click("segmentButton")

    def has_preview():
        told.add(module.find("progressLabel").text)
        return module.is_shown("previewBox")

    module.wait_until(has_preview, 240)
    assert any("left" in sentence for sentence in told), told
    module.click("acceptButton")
    module.wait_until(lambda: module.is_shown("segmentsTable"), 60)
    found = labelmap_from_node(target, scan)
    assert np.array_equal(found.mask(found.labels[0]), locked)

    module.click("undoButton")
    assert target.GetSegmentation().GetNumberOfSegments() == 1
    module.click("redoButton")
    module.panel.open("Measure")
    table = module.find("measureTable")
    module.wait_until(lambda: table.rowCount == len(found.labels), 60)
    rows = {table.item(row, 0).text(): row for row in range(table.rowCount)}
    label = next(one for one in found.labels if one.name == structure)
    ml = float(table.item(rows[structure], 1).text())
    assert ml == pytest.approx(found.mask(label).sum() * found.grid.voxel_volume_ml, rel=1e-3)
    assert float(table.item(rows[structure], 2).text()) > 0, "a surface is there without 3D"
    if kind == "ct":
        truth = read_labelmap(the_data / "ct-torso-3mm" / "ct_small_labels.nii.gz").layers[0]
        ml /= (truth == 5).sum() * volume.grid.voxel_volume_ml
    assert least < ml < most

    module.panel.open("Export")
    module.find("folderLine").currentPath = str(tmp_path)
    module.click("exportButton")
    module.wait_until(lambda: "read back" in module.find("sentenceLabel").text, 120)
    written = read_labelmap(tmp_path / "Mine.seg.nrrd")
    names = [one.name for one in written.labels]
    assert names == [one.name for one in found.labels]
    kept = written.labels[names.index(structure)]
    assert np.array_equal(written.mask(kept), found.mask(label))
