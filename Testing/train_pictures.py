"""Pictures of the step *Train* on ten hippocampus cases: plan, curves, sample, finished network.

The network that it starts from is trained first, from nothing, on ten other cases of the same data
set, by the same clicks; the curves are of that training. Called by `make_screenshots`.
"""

from pathlib import Path
from typing import Any

from pictured_panel import PicturedPanel, pictured_panel, wait

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

    for name, first in ((BEFORE, CASES), (AFTER, 0)):
        with running_slicer() as running:
            _load(data / "hippocampus", running.scene, first)
            with pictured_panel() as pictured:
                _train(pictured, name, folder)


def _train(pictured: PicturedPanel, name: str, folder: Path) -> None:
    """Train on the loaded cases and install what comes out; picture the second training."""
    panel, logic = pictured.module.panel, pictured.module.logic.for_panel()
    panel.open("Train")
    ui = panel.train._ui

    def see(number: int, of: str = AFTER) -> None:
        if name == of:
            pictured.save(folder / f"panel-train-{number}.png")

    ui.trainNameLine.text = name
    ui.trainMinutesSpin.value = MINUTES[name]
    if name == AFTER:
        titles = [one.base for one in logic.training_starts()]
        ui.trainStartSelector.setCurrentIndex(titles.index(BEFORE))
    ui.planButton.click()
    wait(lambda: logic.training().state == "planned")
    see(1)
    ui.startTrainingButton.click()
    wait(lambda: len(logic.training().curves.losses) >= STEPS_SEEN)
    see(2, of=BEFORE)
    wait(lambda: logic.training().sample)
    see(3)
    wait(lambda: logic.training().state == "finished")
    see(4)
    print(name, logic.training().sentence, logic.training().trained)
    if name == BEFORE:
        ui.useButton.click()
        wait(lambda: logic.training().state == "idle")


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
