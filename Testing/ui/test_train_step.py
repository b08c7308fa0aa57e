"""The step *Train*: cases, plan, curves and the finished network, by real clicks."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6 import QtCore, QtWidgets
from training_sets import sphere_case

from SegmentationAILib.core.files import read_volume
from SegmentationAILib.learn.dataset import read_dataset
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.scene.panel_facts import Table
from SegmentationAILib.scene.segmentation_node import node_from_labelmap
from SegmentationAILib.scene.training_facts import (
    CaseFound,
    Curves,
    SceneCase,
    Trained,
    TrainingAsked,
    TrainingFacts,
)
from SegmentationAILib.scene.volume_node import node_from_volume

WIDTH, HEIGHT = 360, 180
PLANNED = TrainingFacts(
    "planned", plan="A dynunet learns 2 structures; about 4 min and 700 MiB on this computer."
)
CURVES = Curves(
    tuple((float(n), 2.0 / n) for n in range(1, 41)),
    ((20.0, 0.25), (40.0, 0.75)), 80, 0.75, (("Shell", 0.8), ("Core", 0.7)),
)  # fmt: skip


def a_png(width=40, height=30, color=(200, 20, 20)):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), color).save(stream, "PNG")
    return stream.getvalue()


def pixels_of(pixmap):
    image = pixmap.toImage().convertToFormat(pixmap.toImage().Format.Format_RGB32)
    shape = (image.height(), image.bytesPerLine() // 4, 4)
    return np.frombuffer(image.constBits(), np.uint8).reshape(shape)[:, : image.width(), 2::-1]


@pytest.fixture
def a_train_step(a_module):
    """The step open on the stand-in, with three cases of the scene."""
    logic, node = a_module.logic, a_module.logic.result
    logic.collected = tuple(
        SceneCase(f"scan_{n}", f"Scan {n}: Mine, 2 segments", node, node) for n in (1, 2, 3)
    )
    a_module.panel.open("Train")
    return a_module


def tell(module, **changes):
    module.logic.trained = replace(module.logic.trained, **changes)
    module.logic.on_training(module.logic.trained)
    QtWidgets.QApplication.processEvents()


def rows(module):
    cases = module.find("trainCases")
    return [cases.item(row).text() for row in range(cases.count)]


def test_ticked_cases_of_the_scene_are_planned_with_what_was_chosen(a_train_step):
    module = a_train_step
    assert module.find("trainKindSelector").currentText == "CT"
    assert not module.is_shown("trainFolderLine")
    assert not module.is_shown("trainFreezeSelector"), "nothing is kept of nothing"
    module.find("trainCases").item(1).setCheckState(QtCore.Qt.Unchecked)
    module.choose("trainStartSelector", "Brain structures, MR")
    module.choose("trainFreezeSelector", "What it knows about texture; learn where it lies")
    module.find("trainNameLine").text = "liver-mr"
    module.find("trainMinutesSpin").value = 2.5
    module.click("planButton")
    asked = module.logic.asked[-1]
    assert isinstance(asked, TrainingAsked)
    assert [case.id for case in asked.cases] == ["scan_1", "scan_3"]
    assert (asked.name, asked.kind, asked.folder) == ("liver-mr", "CT", None)
    assert asked.values(resume=True) == {
        "data": "", "base": "t1", "architecture": "", "freeze": "encoder", "minutes": 2.5,
        "left_out": [], "resume": True,
    }  # fmt: skip


def test_a_folder_is_asked_for_before_it_is_checked_and_cases_of_it_can_be_left_out(
    a_train_step, tmp_path
):
    module = a_train_step
    module.choose("trainDataSelector", "A data set on the disk")
    assert rows(module) == []
    assert not module.is_shown("trainKindSelector")
    module.click("planButton")
    assert "Choose the folder" in module.find("sentenceLabel").text
    module.find("trainFolderLine").currentPath = str(tmp_path)
    tell(module, cases=(CaseFound("a", "good", "", True), CaseFound("b", "good", "", True)))
    module.find("trainCases").item(0).setCheckState(QtCore.Qt.Unchecked)
    module.click("planButton")
    assert module.logic.asked[-1].folder == Path(tmp_path)
    assert module.logic.asked[-1].left_out == ("a",)
    assert module.logic.asked[-1].cases == ()


def test_findings_are_signs_and_sentences_and_the_chosen_case_is_shown(a_train_step):
    module = a_train_step
    sentence = "The labels of scan_2 lie elsewhere than its volume: 4 mm apart."
    module.logic.training_picture = a_png(900, 300)
    tell(
        module,
        cases=(
            CaseFound("scan_1", "good", "", True),
            CaseFound("scan_2", "bad", sentence, True),
            CaseFound("scan_3", "left out", "scan_3 is left out: damaged.", False),
        ),
        sentence=sentence,
    )
    assert [text[0] for text in rows(module)] == ["✓", "✗", "–"]
    module.find("trainCases").setCurrentRow(1)
    assert module.find("trainFindingLabel").text == sentence
    assert ("show case", "scan_2") in module.logic.asked
    shown = module.find("trainCasePicture").pixmap
    assert (shown.width(), shown.height()) == (WIDTH, WIDTH // 3)
    module.find("trainCases").setCurrentRow(2)
    assert "damaged" in module.find("trainFindingLabel").text
    assert not module.is_shown("trainCasePicture")
    assert not module.find("startTrainingButton").enabled


def test_a_plan_is_shown_in_words_and_is_forgotten_when_something_else_is_chosen(a_train_step):
    module = a_train_step
    module.logic.asked.clear()
    tell(module, state="planned", plan=PLANNED.plan)
    assert "4 min and 700 MiB" in module.find("trainPlanLabel").text
    module.click("startTrainingButton")
    assert module.logic.asked[-1] == ("start training", False)
    module.find("trainMinutesSpin").value = 7
    assert module.logic.asked[-1] == "forget plan"
    tell(module, can_resume=True)
    assert module.find("startTrainingButton").text == "Go on"
    module.click("anewButton")
    assert module.logic.asked[-1] == ("start training", True)


def test_a_training_shows_curves_a_sample_and_the_time_left_and_is_paused_and_ended(a_train_step):
    module = a_train_step
    tell(module, state="training", plan=PLANNED.plan, fraction=0.5, seconds_left=100.0,
         sentence="Epoch 2 of 4, loss 0.051", curves=CURVES)  # fmt: skip
    assert module.find("trainingLabel").text == "Epoch 2 of 4, loss 0.051, about 2 min left"
    assert module.find("trainingBar").value == 50
    assert module.is_shown("curvesLabel")
    drawn = pixels_of(module.find("curvesLabel").pixmap)
    tell(module, curves=replace(CURVES, losses=((1.0, 5.0), (80.0, 0.1))))
    assert np.array_equal(drawn, pixels_of(module.find("curvesLabel").pixmap)), "not so soon again"
    assert not module.is_shown("sampleLabel")
    assert not module.find("planButton").enabled
    tell(module, sample=a_png(color=(10, 200, 30)), sample_case="case_7")
    assert "case_7" in module.find("sampleCaption").text
    assert pixels_of(module.find("sampleLabel").pixmap)[5, 5].tolist() == [10, 200, 30]
    module.click("pauseButton")
    tell(module, state="paused")
    assert not np.array_equal(drawn, pixels_of(module.find("curvesLabel").pixmap))
    assert module.find("pauseButton").text == "Go on"
    module.click("cancelTrainingButton")
    assert module.logic.asked[-2:] == ["pause", "cancel training"]


def test_the_finished_network_is_used_kept_out_or_put_in_the_place_of_the_old(a_train_step):
    module = a_train_step
    table = Table(("Case", "t1", "new"), (("case_12", "0.800", "0.700"), ("Mean", "0.8", "0.7")))
    trained = Trained("new", "Learned from 8 cases.", "Better on 7 of 8, worse on case_12.", table,
                      "t1", can_replace=False)  # fmt: skip
    tell(module, state="finished", plan=PLANNED.plan, trained=trained)
    assert "Better on 7 of 8, worse on case_12." in module.find("trainedLabel").text
    assert module.find("trainedTable").item(0, 2).text() == "0.700"
    assert not module.is_shown("replaceBox")
    module.click("keepOldButton")
    module.click("useButton")
    assert module.logic.asked[-2:] == ["drop", ("keep", False)]
    tell(module, trained=replace(trained, can_replace=True))
    module.click("replaceBox")
    module.click("useButton")
    assert module.logic.asked[-1] == ("keep", True)
    tell(module, trained=None, state="idle", can_go_back="t1")
    module.click("goBackButton")
    assert module.logic.asked[-1] == "go back"


def test_curves_are_drawn_where_their_numbers_say(a_slicer):
    from SegmentationAILib.ui.curve_picture import curve_picture

    # A loss that stays at its highest lies on the upper edge, a Dice of 0.5 in the middle.
    flat = Curves(((0.0, 2.0), (100.0, 2.0)), ((0.0, 0.5), (100.0, 0.5)), 100, 0.5)
    seen = pixels_of(curve_picture(flat)).astype(int)
    assert seen.shape == (HEIGHT, WIDTH, 3)
    middle = seen[:, WIDTH // 2]
    blue = np.flatnonzero((middle[:, 2] - middle[:, 0]) > 60)
    orange = np.flatnonzero((middle[:, 0] - middle[:, 2]) > 60)
    assert set(blue[blue < HEIGHT // 2]) & {19, 20, 21}
    assert set(orange) & {90, 91, 92}
    assert curve_picture(Curves()).width() == WIDTH


def test_what_came_out_is_told_in_sentences_and_a_table_with_and_without_a_base(a_slicer):
    from SegmentationAILib.scene.training_facts import curves_of, trained_of

    assert curves_of({}) == Curves()
    row = {
        "id": "new", "title": "", "base": "", "seconds": 90.0, "cases": 8, "hold_out": 2,
        "steps": 60, "structures": [["Shell", 0.8], ["Core", None]], "limits": ["Few cases."],
        "compared": [["a", None, 0.75]], "base_mean": None, "trained_mean": 0.75,
        "verdict": "Mean Dice 0.750 on 1 held-out case.", "can_replace": False,
    }  # fmt: skip
    found = trained_of(row)
    assert found.table == Table(("Case", "new"), (("a", "0.750"), ("Mean", "0.750")))
    assert "60 steps and 1.5 min" in found.card
    assert "Shell 0.800, Core –" in found.card
    with_base = trained_of({**row, "base": "old", "base_mean": 0.5, "compared": [["a", 0.5, 0.75]]})
    assert with_base.table.headings == ("Case", "old", "new")
    assert with_base.table.rows[0] == ("a", "0.500", "0.750")


# With the real logic and a real worker


@pytest.fixture
def a_real_step(a_worker, a_worker_home, a_slicer, opened, monkeypatch):
    """The step open on a scene with three scans and their segmentations, and one without."""
    import SegmentationAI

    monkeypatch.setenv("SEGMENTATIONAI_HOME", str(a_worker_home))
    monkeypatch.setattr(SegmentationAI.SegmentationAILogic.__init__, "__defaults__", (a_worker,))
    monkeypatch.setattr(a_worker, "close", lambda: None)
    for seed in (1, 2, 3):
        volume, labelmap = sphere_case(seed)
        scan = node_from_volume(volume, a_slicer.scene, f"Knee {seed}")
        node_from_labelmap(labelmap, a_slicer.scene, scan, "Mine")
    node_from_volume(sphere_case(9)[0], a_slicer.scene, "Without labels")
    module = opened()
    module.panel.open("Train")
    return module


def wait_for(module, state, seconds=120):
    module.wait_until(lambda: module.panel._logic.training().state == state, seconds)
    QtWidgets.QApplication.processEvents()


def test_cases_of_the_scene_reach_the_worker_voxel_for_voxel_and_are_planned(a_real_step):
    module = a_real_step
    assert rows(module) == [f"Knee {n}: Mine, 2 segments" for n in (1, 2, 3)]
    module.find("trainNameLine").text = "knee"
    module.choose("trainKindSelector", "MR")
    module.click("planButton")
    wait_for(module, "planned")
    assert rows(module) == [f"✓ Knee {n}: Mine, 2 segments" for n in (1, 2, 3)]
    assert "MiB on this computer" in module.find("trainPlanLabel").text
    assert "2 cases to learn from, 1 held out" in module.find("trainPlanLabel").text
    found = read_dataset(NetworkStore().home / "training-data" / "knee")
    assert [label.name for label in found.labels] == ["Shell", "Core"]
    volume, _ = sphere_case(2)
    back = read_volume(found.cases[1].volumes[0])
    np.testing.assert_array_equal(back.voxels, volume.voxels)
    np.testing.assert_allclose(back.affine, volume.affine, atol=1e-4)
    module.find("trainCases").setCurrentRow(1)
    module.wait_until(lambda: module.is_shown("trainCasePicture"))


def test_a_segmentation_that_lies_on_other_voxels_is_a_sentence_and_nothing_is_sent(a_real_step):
    module = a_real_step
    scene = module.running.scene
    volume, labelmap = sphere_case(5)
    affine = labelmap.affine.copy()
    affine[0, 3] += 2.3
    scan = node_from_volume(volume, scene, "Knee 5")
    node = node_from_labelmap(replace(labelmap, affine=affine), scene, None, "Elsewhere")
    node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), scan.GetID())
    module.panel.open("Segment")
    module.panel.open("Train")
    assert rows(module)[-1] == "Knee 5: Elsewhere, 2 segments"
    module.find("trainNameLine").text = "elsewhere"
    module.click("planButton")
    module.wait_until(lambda: "voxels" in module.find("trainingLabel").text)
    assert module.find("trainingLabel").text.startswith("Knee 5: Elsewhere, 2 segments: ")
    assert [text[0] for text in rows(module)] == ["K", "K", "K", "✗"]
    assert module.find("trainPlanLabel").text == ""
    assert not (NetworkStore().home / "training-data" / "elsewhere").exists()


@pytest.mark.slow
def test_a_training_from_the_scene_runs_is_ended_goes_on_and_is_used(a_real_step):
    module = a_real_step
    module.find("trainNameLine").text = "knee-short"
    module.find("trainMinutesSpin").value = 0.3
    module.click("planButton")
    wait_for(module, "planned")
    module.click("startTrainingButton")
    module.wait_until(lambda: module.panel._logic.training().curves.losses, 60)
    module.click("cancelTrainingButton")
    wait_for(module, "planned")
    assert "Go on continues" in module.find("trainingLabel").text
    assert module.find("startTrainingButton").text == "Go on"
    module.click("startTrainingButton")
    wait_for(module, "finished")
    assert module.is_shown("curvesLabel")
    module.wait_until(lambda: module.is_shown("sampleLabel"))
    assert "Learned from 2 cases, 1 held out" in module.find("trainedLabel").text
    module.click("useButton")
    wait_for(module, "idle")
    assert "knee-short is installed" in module.find("trainingLabel").text
    assert NetworkStore().find("knee-short").state == "installed"
    module.panel.open("Segment")
    names = module.find("networkSelector")
    assert names.findText("knee-short", QtCore.Qt.MatchContains) >= 0
