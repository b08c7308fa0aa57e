"""Pictures of the panel's steps on a real CT and a real MR, and the whole story in `Screenshots/`.

Needs the public volumes beside the repository (`../shared/data`), or the folder that
`SEGMENTATIONAI_SHARED` names. On MR runs the network that ships, on CT the one of the tests, which
is trained on a crop of that scan.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SEGMENTATIONAI_SHARED", ROOT.parent / "shared")) / "data"
SCREENSHOTS = ROOT / "Screenshots"
SCANS = {"mr": SHARED / "brain-t1" / "t1.nii.gz", "ct": SHARED / "ct-torso-3mm" / "ct.nii.gz"}
NETWORKS = {"mr": "brain-any-contrast", "ct": "ct-organs"}
WIDTH, LEAST_HEIGHT = 400, 560


def main() -> int:
    """Make all pictures; return the exit status."""
    missing = [str(path) for path in SCANS.values() if not path.is_file()]
    if missing:
        print(f"error: {', '.join(missing)} is not there; pictures need real scans")
        return 2
    sys.path[:0] = [str(ROOT / "Testing"), str(ROOT / "SegmentationAI")]
    SCREENSHOTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SEGMENTATIONAI_HOME"] = folder
        for kind, path in SCANS.items():
            _steps_of(kind, path, Path(folder))
        from refine_pictures import picture_corrections
        from relabel_pictures import picture_relabelling
        from train_pictures import picture_training

        picture_corrections(SHARED, SCREENSHOTS)
        picture_training(SHARED, SCREENSHOTS)
        picture_relabelling(SHARED, SCREENSHOTS)
    return 0


def _steps_of(kind: str, path: Path, home: Path) -> None:
    """Go through the steps with one scan, and picture each."""
    from ct_network import ct_network_folder
    from slicer_adapter.application import running_slicer

    from SegmentationAILib.core.files import read_volume
    from SegmentationAILib.scene.volume_node import node_from_volume
    from SegmentationAILib.worker.client import LocalWorker

    network = home / "networks" / NETWORKS["ct"]
    if not network.exists():
        ct_network_folder(network, SHARED)
    with running_slicer() as running:
        import qt

        from SegmentationAI import SegmentationAILogic, SegmentationAIWidget

        node_from_volume(read_volume(path), running.scene, path.parent.name)
        worker = LocalWorker(home=home)
        SegmentationAILogic.__init__.__defaults__ = (worker,)
        window = qt.QWidget()
        window.setLayout(qt.QVBoxLayout())
        window.resize(WIDTH, LEAST_HEIGHT)
        module = SegmentationAIWidget(window)
        module.setup()
        window.show()
        _drive(kind, module, window)
        module.cleanup()
        worker.close()


def _drive(kind: str, module: object, window: object) -> None:
    panel = module.panel
    segment = panel.segment._ui
    # The MR is a NIfTI file and says nothing of its kind: all networks are listed for it.
    box = segment.networkSelector
    box.setCurrentIndex(box.findData(NETWORKS[kind]))
    _picture(window, f"{kind}-1-segment")
    segment.segmentButton.click()
    _wait(lambda: "left" in segment.progressLabel.text or segment.previewBox.visible)
    _picture(window, f"{kind}-2-progress")
    _wait(lambda: segment.previewBox.visible)
    _picture(window, f"{kind}-3-preview")
    segment.acceptButton.click()
    _wait(lambda: not panel.correct.section.collapsed)
    _picture(window, f"{kind}-4-correct")
    panel.open("Measure")
    _wait(lambda: panel.measure._ui.measureTable.rowCount > 0)
    _picture(window, f"{kind}-5-measure")
    _compare(kind, module, window)
    _queue(kind, module, window)
    panel.open("Export")
    panel.export._ui.folderLine.currentPath = "results"
    _picture(window, f"{kind}-8-export")
    panel.open("Networks")
    panel.networks._ui.networksTable.selectRow(0)
    _picture(window, f"{kind}-9-networks")
    panel.open("Settings")
    panel.settings._ui.dataFolderLabel.text = "(the data folder of this person)"
    _picture(window, f"{kind}-10-settings")


def _compare(kind: str, module: object, window: object) -> None:
    """Compare the result with itself, moved by a voxel along each axis."""
    import numpy as np

    from SegmentationAILib.core.labelmap import Labelmap
    from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap

    state = module.logic.state()
    now = labelmap_from_node(state.result, state.volume)
    moved = tuple(np.asfortranarray(np.roll(layer, 1, (0, 1, 2))) for layer in now.layers)
    labels = Labelmap(moved, now.labels, now.affine)
    earlier = node_from_labelmap(labels, state.result.GetScene(), state.volume, "Earlier version")
    module.panel.open("Compare")
    compare = module.panel.compare._ui
    compare.firstSelector.setCurrentNode(earlier)
    compare.compareButton.click()
    _wait(lambda: compare.compareTable.rowCount > 0)
    compare.compareTable.selectRow(0)
    _picture(window, f"{kind}-6-compare")


def _queue(kind: str, module: object, window: object) -> None:
    from PySide6 import QtCore

    module.panel.open("Queue")
    queue, chosen = module.panel.queue._ui, module.panel.segment._ui.networkSelector.currentText
    for names in (queue.queueScans, queue.queueNetworks):
        for row in range(names.count):
            if names.item(row).text() in (module.logic.state().volume.GetName(), chosen):
                names.item(row).setCheckState(QtCore.Qt.Checked)
    queue.enqueueButton.click()
    queue.enqueueButton.click()
    _wait(lambda: queue.queueTable.item(0, 2).text() == "done")
    queue.queueTable.selectRow(0)
    _picture(window, f"{kind}-7-queue")
    queue.cancelAllButton.click()


def _picture(window: object, name: str) -> None:
    from PySide6 import QtTest

    QtTest.QTest.qWait(50)
    window.resize(WIDTH, max(LEAST_HEIGHT, window.sizeHint().height()))
    QtTest.QTest.qWait(50)
    window.grab().save(str(SCREENSHOTS / f"panel-{name}.png"))


def _wait(is_reached: object, seconds: float = 240.0) -> None:
    from PySide6 import QtTest

    deadline = time.monotonic() + seconds
    while not is_reached():
        assert time.monotonic() < deadline, "the step was not reached in time"
        QtTest.QTest.qWait(20)


if __name__ == "__main__":
    sys.exit(main())
