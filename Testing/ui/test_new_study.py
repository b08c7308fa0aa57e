"""A study made in the step *Relabel*, on a real worker, by clicks of a person."""

import numpy as np
import pytest
from panel_stand_in import StandInLogic
from relabel_study import BASE
from relabel_work import trainable_base
from study_files import study_folders, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.learn.study.versions import read_version
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.scene.panel_new_study import StudyWanted


@pytest.fixture(scope="module")
def a_base(the_process, tmp_path_factory):
    """A network that can be trained, where the worker finds it."""
    folder = trainable_base(tmp_path_factory.mktemp("base"))
    install(NetworkStore(the_process._home), InstallRequest(str(folder)), lambda *_: None)


@pytest.fixture
def the_folders(tmp_path):
    return study_folders(tmp_path, 4)


@pytest.fixture
def a_step(a_panel_worker, a_base, the_folders, tmp_path, opened):
    """The step with the box open and everything but the labels filled in."""
    module = opened()
    module.panel.open("Relabel")
    assert not module.is_shown("newStudyBox")
    module.click("newStudyButton")
    module.wait_until(lambda: module.find("newBaseSelector").count == 1, 60)
    module.find("newImagesLine").currentPath = str(the_folders["images"])
    module.find("newParentLine").currentPath = str(tmp_path)
    module.find("newNameLine").text = "hippocampi"
    return module


def said(module):
    return module.find("sentenceLabel").text


def make(module):
    module.click("makeStudyButton")
    logic = module.widget.logic.for_panel()
    # A worker that had to be ended starts anew: seconds, on a busy machine many.
    module.wait_until(lambda: not logic.is_making_study() and not logic.is_study_busy(), 180)


def test_a_study_of_two_folders_is_made_and_open(a_step, the_folders, tmp_path):
    a_step.find("newLabelsLine").currentPath = str(the_folders["weak"])
    a_step.find("newReferencesLine").currentPath = str(the_folders["references"])
    a_step.find("newHoldOutSpin").value = 50
    make(a_step)
    a_step.wait_until(lambda: a_step.find("casesTable").rowCount == 4)
    assert said(a_step) == "hippocampi: 4 cases, 2 held out."
    assert not a_step.is_shown("newStudyBox")
    assert a_step.find("studyLine").currentPath == str(tmp_path / "hippocampi")
    study = open_study(tmp_path / "hippocampi")
    assert study.facts.base == BASE
    assert study.facts.references == str(the_folders["references"])
    for number in range(4):
        first = read_version(study, study.current_version(f"case {number}"))
        np.testing.assert_array_equal(first.layers[0], np.roll(truth(number).layers[0], 1, 0))


def test_first_labels_are_made_of_each_scan_and_a_bad_scan_is_named(a_step, the_folders, tmp_path):
    (the_folders["images"] / "case 3.nii.gz").write_bytes(b"no volume")
    a_step.choose("newLabelsSelector", "The largest bright piece (Otsu)")
    assert not a_step.is_shown("newLabelsLine")
    make(a_step)
    a_step.wait_until(lambda: "1 cannot be used" in said(a_step))
    assert a_step.find("detailsText").plainText.startswith("case 3: ")
    study = open_study(tmp_path / "hippocampi")
    found = read_version(study, study.current_version("case 1")).layers[0] != 0
    true = truth(1).layers[0] != 0
    assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.98
    assert [case.state for case in study.cases()] == ["weak", "weak", "weak", "failed"]


def test_what_is_wrong_is_said_and_nothing_is_left(a_step, the_folders, tmp_path):
    make(a_step)
    assert said(a_step).startswith("Choose the folder with the first labels")
    a_step.find("newLabelsLine").currentPath = str(the_folders["weak"])
    for name, sentence in (("", "names no folder"), ("a/b", "names no folder"),
                           ("images", "holds other files")):  # fmt: skip
        a_step.find("newNameLine").text = name
        make(a_step)
        a_step.wait_until(lambda sentence=sentence: sentence in said(a_step))
    a_step.find("newNameLine").text = "new"
    a_step.find("newImagesLine").currentPath = str(tmp_path / "nowhere")
    make(a_step)
    a_step.wait_until(lambda: "nowhere is not a folder" in said(a_step))
    assert a_step.is_shown("newStudyBox"), "what was typed stays"
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir() and "home" not in p.name) == [
        "images", "references", "weak",
    ]  # fmt: skip


def test_a_canceled_study_leaves_nothing_and_can_be_made_again(
    a_step, the_folders, tmp_path, the_process
):
    a_step.choose("newLabelsSelector", "What the base network answers as it is")
    a_step.click("makeStudyButton")
    a_step.click("cancelMakingButton")
    logic = a_step.widget.logic.for_panel()
    a_step.wait_until(lambda: not logic.is_making_study())
    assert said(a_step) == "Canceled; everything is as it was."
    # A worker that does not end by itself is ended; what it had begun is no study.
    a_step.wait_until(lambda: not (tmp_path / "hippocampi" / "study.sqlite").exists())
    make(a_step)
    a_step.wait_until(lambda: a_step.find("casesTable").rowCount == 4, 60)
    assert len(open_study(tmp_path / "hippocampi").cases()) == 4


def test_without_a_network_to_train_the_button_stays_off_and_a_sentence_says_why(a_scan, opened):
    logic = StandInLogic()
    logic.study_bases = lambda on_bases, on_end: on_bases(())
    module = opened(logic)
    module.panel.open("Relabel")
    module.click("newStudyButton")
    assert module.find("makeStudyButton").enabled is False
    assert "step Train" in said(module)


def test_a_name_is_a_folder_on_every_system(tmp_path):
    wanted = StudyWanted("images", "otsu", "base", 0.2, "", str(tmp_path), "liver 2")
    assert wanted.folder() == tmp_path / "liver 2"
    for name in ("..", "a\\b", "c:", "what?", "", "a\0"):
        with pytest.raises(SegmentationAIError, match="names no folder"):
            StudyWanted("images", "otsu", "base", 0.2, "", str(tmp_path), name).folder()
