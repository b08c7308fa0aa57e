"""Pictures of the step *Train* on ten hippocampus cases: plan, curves, sample, finished network.

The network that it starts from is trained first, from nothing, on ten other cases of the same data
set, by the same clicks; the curves are of that training. Called by `make_screenshots`.
"""

import time
from pathlib import Path
from typing import Any

PANEL_WIDTH, LEAST_HEIGHT = 400, 560
CASES = 10
STEPS_SEEN = 12
BEFORE, AFTER = "hippocampus-first", "hippocampus-ours"
# Minutes of training, on two cores.
MINUTES = {BEFORE: 2.0, AFTER: 3.0}


def picture_training(data: Path, folder: Path) -> None:
    """Write ``panel-train-1.png`` to ``panel-train-4.png``.

    Args:
        data: Folder with the real volumes.
        folder: Gets the pictures.
    """
    from slicer_adapter.application import running_slicer

    from SegmentationAILib.worker.client import LocalWorker

    for name, first in ((BEFORE, CASES), (AFTER, 0)):
        worker = LocalWorker()
        try:
            with running_slicer() as running:
                _train(data / "hippocampus", folder, running, worker, name, first)
        finally:
            worker.close()


def _train(
    data: Path, folder: Path, running: Any, worker: Any, name: str, first: int
) -> None:  # fmt: skip
    """Load ten cases, train on them and install what comes out; picture the second training."""
    import qt

    from SegmentationAI import SegmentationAILogic, SegmentationAIWidget

    _load(data, running.scene, first)
    SegmentationAILogic.__init__.__defaults__ = (worker,)
    window = qt.QWidget()
    window.setLayout(qt.QVBoxLayout())
    window.resize(PANEL_WIDTH, LEAST_HEIGHT)
    module = SegmentationAIWidget(window)
    module.setup()
    window.show()
    module.panel.open("Train")
    ui, logic = module.panel.train._ui, module.logic.for_panel()

    def see(number: int, of: str = AFTER) -> None:
        if name == of:
            _picture(window, folder / f"panel-train-{number}.png")

    ui.trainNameLine.text = name
    ui.trainMinutesSpin.value = MINUTES[name]
    if name == AFTER:
        titles = [one.base for one in logic.training_starts()]
        ui.trainStartSelector.setCurrentIndex(titles.index(BEFORE))
    ui.planButton.click()
    _wait(lambda: logic.training().state == "planned")
    see(1)
    ui.startTrainingButton.click()
    _wait(lambda: len(logic.training().curves.losses) >= STEPS_SEEN)
    see(2, of=BEFORE)
    _wait(lambda: logic.training().sample)
    see(3)
    _wait(lambda: logic.training().state == "finished")
    see(4)
    print(name, logic.training().sentence, logic.training().trained)
    if name == BEFORE:
        ui.useButton.click()
        _wait(lambda: logic.training().state == "idle")
    module.cleanup()


def _load(data: Path, scene: Any, first: int) -> None:
    """Put ten cases of the data set into the scene, as scans with segmentations."""
    from SegmentationAILib.core.files import read_labelmap, read_volume
    from SegmentationAILib.learn.dataset import read_dataset
    from SegmentationAILib.scene.segmentation_node import node_from_labelmap
    from SegmentationAILib.scene.volume_node import node_from_volume

    found = read_dataset(data)
    for case in found.cases[first : first + CASES]:
        volume, labelmap = read_volume(case.volumes[0]), read_labelmap(case.label)
        scan = node_from_volume(volume, scene, case.id)
        node_from_labelmap(labelmap.with_names(found.labels), scene, scan, "Reference")


def _picture(window: Any, path: Path) -> None:
    from PySide6 import QtTest

    QtTest.QTest.qWait(50)
    window.resize(PANEL_WIDTH, max(LEAST_HEIGHT, window.sizeHint().height()))
    QtTest.QTest.qWait(50)
    window.grab().save(str(path))


def _wait(is_reached: Any, seconds: float = 900.0) -> None:
    from PySide6 import QtTest

    deadline = time.monotonic() + seconds
    while not is_reached():
        assert time.monotonic() < deadline, "the step was not reached in time"
        QtTest.QTest.qWait(20)
