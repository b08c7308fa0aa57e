"""Pictures of *Relabel* on real scans: the worklist, the loop while it runs, and a blind review.

Eight public MR scans of the hippocampus; their weak labels are the reference, two voxels off. A
small network that has learned nothing before is trained by real iterations of a real worker.
Called by `make_screenshots`.
"""

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pictured_panel import PicturedPanel, pictured_panel, rest, wait

CASES = 8
REVIEW_SIZE = (1280, 760)
EPOCHS = 60


def picture_relabelling(data: Path, folder: Path) -> None:
    """Write ``panel-relabel-worklist.png``, ``-loop.png`` and ``-review.png``.

    Args:
        data: Folder with the real volumes.
        folder: Gets the pictures.
    """
    from slicer_adapter.application import running_slicer

    home = Path(os.environ["SEGMENTATIONAI_HOME"])
    study = _study(data / "hippocampus", home / "hippocampus-study")
    with running_slicer(), pictured_panel() as pictured:
        import slicer

        asks = slicer.util.confirmOkCancelDisplay
        slicer.util.confirmOkCancelDisplay = lambda text: True
        try:
            _drive(pictured, study, folder)
        finally:
            slicer.util.confirmOkCancelDisplay = asks


def _drive(pictured: PicturedPanel, study: Any, folder: Path) -> None:
    module = pictured.module
    module.panel.open("Relabel")
    ui, logic = module.panel.relabel._ui, module.logic.for_panel()
    ui.studyLine.currentPath = str(study.folder)
    ui.openStudyButton.click()
    ui.readerLine.text = "Dr. Example"
    wait(lambda: ui.casesTable.rowCount == CASES)
    ui.epochsSpin.value = EPOCHS
    ui.proposeButton.click()
    wait(lambda: len(logic.study().iterations) == 2, 600)
    ui.studyLine.currentPath = study.folder.name
    # The second one is pictured and canceled: it would go on when it is asked for again.
    ui.proposeButton.click()
    wait(lambda: ui.loopBar.value >= 10 and "left" in ui.loopLabel.text, 600)
    pictured.save(folder / "panel-relabel-loop.png")
    ui.cancelLoopButton.click()
    wait(lambda: not logic.is_proposing())
    _decide(module, ui, logic)
    pictured.save(folder / "panel-relabel-worklist.png")
    _review(module, ui, folder / "panel-relabel-review.png")
    for one in logic.study().iterations:
        print(f"iteration {one.number}: held-out Dice {one.holdout_dice}")


def _decide(module: Any, ui: Any, logic: Any) -> None:
    """Accept two cases, skip one, correct one by a stroke, and leave one open."""
    names = [case.id for case in logic.study().cases if not case.is_held_out]
    accepted, skipped = ui.acceptCaseButton, ui.skipCaseButton
    acts = ((accepted, "accepted"), (accepted, "accepted"), (skipped, "skipped"))
    for name, (button, state) in zip(names, acts, strict=False):
        _open(module, logic, name)
        button.click()
        wait(lambda name=name, state=state: logic.study().case(name).state == state)
        wait(lambda: not logic.is_study_busy())
    _open(module, logic, names[3])
    _paint(module)
    _open(module, logic, names[4])
    wait(lambda: logic.study().case(names[3]).state == "corrected")


def _open(module: Any, logic: Any, name: str) -> None:
    logic.open_case(name, module.panel.relabel._case_opened)
    wait(lambda: logic.open_case_id() == name and not logic.is_study_busy())


def _paint(module: Any) -> None:
    """Paint a small box beside the labels into the first structure, by the Segment Editor."""
    import slicer

    from SegmentationAILib.scene.placement import matrix_from_affine
    from SegmentationAILib.scene.segment_editors import SegmentEditors
    from SegmentationAILib.scene.segmentation_node import labelmap_from_node
    from SegmentationAILib.scene.volume_node import grid_of_node
    from SegmentationAILib.scene.vtk_voxels import scalars_from_voxels

    state = module.logic.state()
    node, volume = state.result, state.volume
    labels = labelmap_from_node(node, volume)
    middle = np.argwhere(labels.layers[0]).mean(0).astype(int)
    mask = np.zeros(labels.grid.shape, np.uint8)
    mask[tuple(slice(m - 3, m + 3) for m in middle)] = 1
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*mask.shape)
    image.GetPointData().SetScalars(scalars_from_voxels(np.asfortranarray(mask)[None]))
    image.SetImageToWorldMatrix(matrix_from_affine(grid_of_node(volume, world=False).affine))
    editor = SegmentEditors(node.GetScene()).editor_of(node)
    mode = slicer.vtkSlicerSegmentEditorLogic.ModificationModeAdd
    first = node.GetSegmentation().GetNthSegmentID(0)
    editor.ModifySegmentByLabelmap(node, first, image, mode, False, False)


def _review(module: Any, ui: Any, path: Path) -> None:
    ui.reviewSelector.setCurrentIndex(0)
    ui.reviewButton.click()
    review = module.panel.relabel.review.window
    for _ in range(2):
        wait(lambda: review._pair is not None)
        review._ui.tieButton.click()
    wait(lambda: review._pair is not None)
    review.widget.showNormal()
    review.widget.resize(*REVIEW_SIZE)
    rest()
    review._draw()
    rest()
    review.widget.grab().save(str(path))
    review.close()


def _study(source: Path, folder: Path) -> Any:
    """Return a study of real scans, and install the network that it starts from."""
    from SegmentationAILib.core.files import read_labelmap, write_labelmap
    from SegmentationAILib.learn.study.create import StudySource, create_study
    from SegmentationAILib.learn.study.person import Work, accept
    from SegmentationAILib.networks.install import InstallRequest, install
    from SegmentationAILib.networks.store import NetworkStore

    images, weak = (folder.with_name(f"hippocampus-{name}") for name in ("images", "weak"))
    for one in (images, weak):
        one.mkdir()
    for path in sorted((source / "imagesTr").glob("hippocampus_*.nii.gz"))[:CASES]:
        shutil.copy(path, images / path.name)
        truth = read_labelmap(source / "labelsTr" / path.name)
        moved = np.roll(truth.layers[0], 2, axis=0)
        write_labelmap(replace(truth, layers=(moved,)), weak / path.name)
    store = NetworkStore()
    ready = _base(folder.with_name("made-base"))
    install(store, InstallRequest(str(ready)), lambda *_: None)
    card = store.find("hippocampus-base").card
    study = create_study(
        folder,
        StudySource(images, weak, card.id, card.sha256, card.labels, hold_out=0.25, seed=1),
    )
    # The held-out cases are accepted first, with the reference as a person's labels.
    for case in study.cases():
        if case.is_held_out:
            truth = read_labelmap(source / "labelsTr" / case.volume)
            rows = zip(truth.labels, card.labels, strict=True)
            named = truth.with_names([replace(row, name=label.name) for row, label in rows])
            accept(study, case.id, named, Work("Dr. Example", 240.0), case.current)
    return study


def _base(folder: Path) -> Path:
    import safetensors.numpy
    import torch

    from SegmentationAILib.core.labelmap import Label
    from SegmentationAILib.learn.plan import TrainingPlan
    from SegmentationAILib.networks.card import Architecture, Channel, Intensity, License
    from SegmentationAILib.networks.card_reader import write_card
    from SegmentationAILib.networks.registry import build

    ready = folder / "hippocampus-base"
    ready.mkdir(parents=True)
    arguments = {"in_channels": 1, "out_channels": 3, "channels": (8, 16), "strides": (2,)}
    torch.manual_seed(1)
    network = build("unet", arguments)
    data = safetensors.numpy.save({n: t.numpy() for n, t in network.state_dict().items()})
    (ready / "weights.safetensors").write_bytes(data)
    plan = TrainingPlan(
        architecture=Architecture("unet", tuple(arguments.items())),
        labels=(
            Label(1, "Anterior hippocampus", (0.95, 0.75, 0.2)),
            Label(2, "Posterior hippocampus", (0.3, 0.65, 0.95)),
        ),
        channels=(Channel("t1"),), modality="MR", orientation="RAS", spacing_mm=(1.0, 1.0, 1.0),
        intensity=Intensity("zscore"), patch_size=(32, 48, 32), batch_size=2, epochs=1,
        steps_per_epoch=1, learning_rate=1e-3, validation_fraction=0.0,
    )  # fmt: skip
    card = replace(
        plan.card(), id="hippocampus-base", title="Hippocampus, untrained",
        task="Finds nothing yet.", license=License("Apache-2.0", "Made for pictures.", "free"),
        sha256=hashlib.sha256(data).hexdigest(),
    )  # fmt: skip
    write_card(card, ready / "card.json")
    return ready
