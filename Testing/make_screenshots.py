"""Pictures of the panel's steps on a real CT and a real MR, and the whole story in `Screenshots/`.

Needs the public volumes beside the repository (`../shared/data`), or the folder that
`SEGMENTATIONAI_SHARED` names. On MR runs the network that ships, on CT the one of the tests, whose
structure is what is bright.
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
WIDTH, HEIGHT = 400, 640


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
    return 0


def _steps_of(kind: str, path: Path, home: Path) -> None:
    """Go through the steps with one scan, and picture each."""
    from slicer_adapter.application import running_slicer
    from threshold_network import threshold_network_folder

    from SegmentationAILib.core.files import read_volume
    from SegmentationAILib.scene.volume_node import node_from_volume
    from SegmentationAILib.worker.client import LocalWorker

    network = home / "networks" / "bright"
    if not network.exists():
        threshold_network_folder(network, patch_size=[96, 96, 96], title="Bright things, MR")
    with running_slicer() as running:
        import qt

        from SegmentationAI import SegmentationAILogic, SegmentationAIWidget

        node_from_volume(read_volume(path), running.scene, path.parent.name)
        worker = LocalWorker(home=home)
        SegmentationAILogic.__init__.__defaults__ = (worker,)
        window = qt.QWidget()
        window.setLayout(qt.QVBoxLayout())
        window.resize(WIDTH, HEIGHT)
        module = SegmentationAIWidget(window)
        module.setup()
        window.show()
        _drive(kind, module, window)
        module.cleanup()
        worker.close()


def _drive(kind: str, module: object, window: object) -> None:
    panel = module.panel
    segment = panel.segment._ui
    segment.showAllCheck.checked = True
    box = segment.networkSelector
    shipped = box.findData("brain-any-contrast")
    box.setCurrentIndex(shipped if kind == "mr" and shipped >= 0 else box.findData("bright"))
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
    panel.open("Export")
    panel.export._ui.folderLine.currentPath = "results"
    _picture(window, f"{kind}-6-export")
    panel.open("Networks")
    panel.networks._ui.networksTable.selectRow(0)
    _picture(window, f"{kind}-7-networks")
    panel.open("Settings")
    panel.settings._ui.dataFolderLabel.text = "(the data folder of this person)"
    _picture(window, f"{kind}-8-settings")


def _picture(window: object, name: str) -> None:
    from PySide6 import QtTest

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
