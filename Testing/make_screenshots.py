"""Pictures of the panel's steps on a real CT and a real MR, and the whole story in `Screenshots/`.

Needs the public volumes beside the repository (`../shared/data`), or the folder that
`SEGMENTATIONAI_SHARED` names. On MR runs the network that ships, on CT the one of the tests, which
is trained on a crop of that scan.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SEGMENTATIONAI_SHARED", ROOT.parent / "shared")) / "data"
SCREENSHOTS = ROOT / "Screenshots"
SCANS = {"mr": SHARED / "brain-t1" / "t1.nii.gz", "ct": SHARED / "ct-torso-3mm" / "ct.nii.gz"}
NETWORKS = {"mr": "brain-any-contrast", "ct": "ct-organs"}


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
    from pictured_panel import pictured_panel
    from slicer_adapter.application import running_slicer

    from SegmentationAILib.core.files import read_volume
    from SegmentationAILib.scene.volume_node import node_from_volume

    network = home / "networks" / NETWORKS["ct"]
    if not network.exists():
        ct_network_folder(network, SHARED)
    with running_slicer() as running:
        node_from_volume(read_volume(path), running.scene, path.parent.name)
        with pictured_panel() as pictured:
            _drive(kind, pictured)


def _drive(kind: str, pictured: object) -> None:
    from pictured_panel import wait

    panel = pictured.module.panel
    segment = panel.segment._ui
    # The MR is a NIfTI file and says nothing of its kind: all networks are listed for it.
    box = segment.networkSelector
    box.setCurrentIndex(box.findData(NETWORKS[kind]))
    _picture(pictured, f"{kind}-1-segment")
    segment.segmentButton.click()
    wait(lambda: "left" in segment.progressLabel.text or segment.previewBox.visible)
    _picture(pictured, f"{kind}-2-progress")
    wait(lambda: segment.previewBox.visible)
    _picture(pictured, f"{kind}-3-preview")
    segment.acceptButton.click()
    wait(lambda: not panel.correct.section.collapsed)
    _picture(pictured, f"{kind}-4-correct")
    panel.open("Measure")
    wait(lambda: panel.measure._ui.measureTable.rowCount > 0)
    _picture(pictured, f"{kind}-5-measure")
    _compare(kind, pictured)
    _queue(kind, pictured)
    panel.open("Export")
    panel.export._ui.folderLine.currentPath = "results"
    _picture(pictured, f"{kind}-8-export")
    panel.open("Networks")
    panel.networks._ui.networksTable.selectRow(0)
    _picture(pictured, f"{kind}-9-networks")
    panel.open("Settings")
    panel.settings._ui.dataFolderLabel.text = "(the data folder of this person)"
    _picture(pictured, f"{kind}-10-settings")


def _compare(kind: str, pictured: object) -> None:
    """Compare the result with itself, moved by a voxel along each axis."""
    import numpy as np
    from pictured_panel import wait

    from SegmentationAILib.core.labelmap import Labelmap
    from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap

    module = pictured.module
    state = module.logic.state()
    now = labelmap_from_node(state.result, state.volume)
    moved = tuple(np.asfortranarray(np.roll(layer, 1, (0, 1, 2))) for layer in now.layers)
    labels = Labelmap(moved, now.labels, now.affine)
    earlier = node_from_labelmap(labels, state.result.GetScene(), state.volume, "Earlier version")
    module.panel.open("Compare")
    compare = module.panel.compare._ui
    compare.firstSelector.setCurrentNode(earlier)
    compare.compareButton.click()
    wait(lambda: compare.compareTable.rowCount > 0)
    compare.compareTable.selectRow(0)
    _picture(pictured, f"{kind}-6-compare")


def _queue(kind: str, pictured: object) -> None:
    from pictured_panel import wait
    from PySide6 import QtCore

    module = pictured.module
    module.panel.open("Queue")
    queue, chosen = module.panel.queue._ui, module.panel.segment._ui.networkSelector.currentText
    for names in (queue.queueScans, queue.queueNetworks):
        for row in range(names.count):
            if names.item(row).text() in (module.logic.state().volume.GetName(), chosen):
                names.item(row).setCheckState(QtCore.Qt.Checked)
    queue.enqueueButton.click()
    queue.enqueueButton.click()
    wait(lambda: queue.queueTable.item(0, 2).text() == "done")
    queue.queueTable.selectRow(0)
    _picture(pictured, f"{kind}-7-queue")
    queue.cancelAllButton.click()


def _picture(pictured: object, name: str) -> None:
    pictured.save(SCREENSHOTS / f"panel-{name}.png")


if __name__ == "__main__":
    sys.exit(main())
