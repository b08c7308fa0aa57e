"""Labels come back by file: what a person changed is told from the version the file was made of."""

import json
from dataclasses import replace

import numpy as np
import pytest
from study_files import iterate, made_study, shifted, truth

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.files import read_labelmap, write_labelmap
from SegmentationAILib.learn.study.person import Work, correct, corrected_voxels
from SegmentationAILib.learn.study.versions import read_version

WEAK, PREDICTED = shifted(truth(0)).layers[0], shifted(truth(0), 3).layers[0]
ONE, TWO = np.s_[:3, 2:5, 1:4], np.s_[:2, :2, :1]


@pytest.fixture
def the_study(tmp_path):
    return made_study(tmp_path, 2)


def exported(study, folder, ending):
    words = ["relabel", "export", str(study.folder), "--output", str(folder)]
    assert main([*words, *(["--format", ending] if ending else [])]) == 0
    return folder / f"case 0{ending or '.nii.gz'}"


def paint(file, place, target=None):
    """Change a file as a person's tool does, or save it under another name."""
    labels = read_labelmap(file)
    layer = labels.layers[0].copy()
    layer[place] = 2
    write_labelmap(replace(labels, layers=(layer,)), target or file)


def by_file(action, study, file, *words):
    return main(["relabel", action, str(study.folder), "case 0", str(file), *words])


def stored(study):
    return read_version(study, study.current_version("case 0")).layers[0]


def painted(layer, *places):
    changed = layer.copy()
    for place in places:
        changed[place] = 2
    return changed


def mask_of(*places):
    return painted(np.zeros(WEAK.shape, np.uint8), *places) != 0


@pytest.mark.parametrize("ending", ["", ".seg.nrrd", ".nrrd"])
def test_labels_drawn_on_an_export_before_an_iteration_touch_the_strokes_alone(
    the_study, tmp_path, ending, capsys
):
    file = exported(the_study, tmp_path / "out", ending)
    iterate(the_study)
    paint(file, ONE)
    assert by_file("correct", the_study, file) == 0
    said = capsys.readouterr().out
    assert "made from version 1: what differs from that was put onto version 2" in said
    np.testing.assert_array_equal(stored(the_study), painted(PREDICTED, ONE))
    touched = corrected_voxels(the_study, the_study.current_version("case 0"))
    np.testing.assert_array_equal(touched, mask_of(ONE))


def test_a_segmentation_that_is_saved_elsewhere_still_says_its_version(the_study, tmp_path):
    file = exported(the_study, tmp_path / "out", ".seg.nrrd")
    iterate(the_study)
    paint(file, ONE, tmp_path / "mine.seg.nrrd")
    assert by_file("correct", the_study, tmp_path / "mine.seg.nrrd") == 0
    np.testing.assert_array_equal(stored(the_study), painted(PREDICTED, ONE))


def test_labels_that_do_not_say_their_version_are_refused_once_there_are_several(
    the_study, tmp_path, capsys
):
    file = tmp_path / "mine.nii.gz"
    write_labelmap(shifted(truth(0)), file)
    paint(file, ONE)
    iterate(the_study)
    assert by_file("correct", the_study, file) == 2
    said = capsys.readouterr().err
    assert "mine.nii.gz does not say from which version of case 0 it was made" in said
    assert "there are: 1 (weak" in said
    assert "2 (predicted in iteration 1)" in said
    assert "--version N" in said
    assert len(the_study.versions("case 0")) == 2
    assert by_file("correct", the_study, file, "--version", "1") == 0
    np.testing.assert_array_equal(stored(the_study), painted(PREDICTED, ONE))
    assert by_file("correct", the_study, file, "--version", "9") == 2
    assert "no version 9; it has: 1, 2, 3" in capsys.readouterr().err


def test_with_one_version_nothing_has_to_be_said(the_study, tmp_path):
    file = tmp_path / "mine.nii.gz"
    write_labelmap(shifted(truth(0)), file)
    paint(file, ONE)
    assert by_file("correct", the_study, file) == 0
    np.testing.assert_array_equal(stored(the_study), painted(WEAK, ONE))


@pytest.mark.parametrize("action", ["correct", "accept"])
def test_what_another_person_has_corrected_since_the_export_is_not_replaced(
    the_study, tmp_path, action, capsys
):
    file = exported(the_study, tmp_path / "out", "")
    bens = shifted(truth(0))
    correct(the_study, "case 0", replace(bens, layers=(painted(WEAK, TWO),)), Work("Ben"), 1)
    paint(file, ONE)
    assert by_file(action, the_study, file) == 2
    said = capsys.readouterr().err
    assert "version 2 (corrected by Ben" in said
    assert "--version N" in said
    np.testing.assert_array_equal(stored(the_study), painted(WEAK, TWO))


def test_a_file_that_was_stored_and_drawn_on_again_is_stored_again(the_study, tmp_path):
    file = exported(the_study, tmp_path / "out", "")
    paint(file, ONE)
    assert by_file("correct", the_study, file) == 0
    paint(file, TWO)
    assert by_file("correct", the_study, file) == 0
    np.testing.assert_array_equal(stored(the_study), painted(WEAK, ONE, TWO))
    touched = corrected_voxels(the_study, the_study.current_version("case 0"))
    np.testing.assert_array_equal(touched, mask_of(ONE, TWO))


def test_labels_are_accepted_as_they_are_also_without_a_version(the_study, tmp_path, capsys):
    file = tmp_path / "mine.nii.gz"
    write_labelmap(shifted(truth(0), 2), file)
    iterate(the_study)
    capsys.readouterr()
    assert by_file("accept", the_study, file, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == {"case": "case 0", "state": "accepted", "version": 3}
    np.testing.assert_array_equal(stored(the_study), shifted(truth(0), 2).layers[0])


def test_the_version_of_another_study_or_an_earlier_export_says_nothing_wrong(
    the_study, tmp_path, capsys
):
    other = made_study(tmp_path / "other", 2)
    file = exported(other, tmp_path / "out", "")
    iterate(the_study)
    paint(file, ONE)
    assert by_file("correct", the_study, file) == 2
    assert "does not say from which version" in capsys.readouterr().err
    assert by_file("correct", the_study, file, "--version", "1") == 0
    # What was stored says its own number when it is exported, not that of the file it came from.
    again = exported(the_study, tmp_path / "again", "")
    tags = {value for row in read_labelmap(again).labels for _, value in row.tags}
    assert tags == {f"{the_study.facts.id} 1 3"}
