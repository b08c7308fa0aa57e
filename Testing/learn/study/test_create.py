"""Making a study: whole or not at all, and one bad file costs one case."""

import shutil

import numpy as np
import pytest
from study_files import LABELS, made_study, scan, study_folders, study_source, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.files import write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.learn.study.create import UNFINISHED, create_study
from SegmentationAILib.learn.study.label_table import labels_from_text
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.learn.study.versions import read_version


@pytest.fixture
def the_folders(tmp_path):
    return study_folders(tmp_path)


def states(study):
    return {case.id: case.state for case in study.cases()}


def test_weak_labels_become_the_first_versions_voxel_for_voxel(tmp_path):
    study = made_study(tmp_path)
    assert states(study) == {f"case {n}": "weak" for n in range(4)}
    for number in range(4):
        version = study.current_version(f"case {number}")
        labels = read_version(study, version)
        assert (version.number, version.making.origin, version.parent) == (1, "weak", None)
        np.testing.assert_array_equal(labels.layers[0], np.roll(truth(number).layers[0], 1, 0))
        np.testing.assert_allclose(labels.affine, truth(number).affine, atol=1e-5)
        assert {row.provenance.origin for row in labels.labels} == {"weak"}


def test_the_sources_are_as_they_were(tmp_path, the_folders):
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    create_study(tmp_path / "study", study_source(the_folders))
    assert {p: p.read_bytes() for p in before} == before


def test_a_bad_file_blocks_only_its_own_case_and_says_why(tmp_path, the_folders):
    (the_folders["images"] / "case 0.nii.gz").write_bytes(b"no volume")
    (the_folders["weak"] / "case 1.nii.gz").write_bytes(b"no labels")
    elsewhere = truth(2)
    affine = elsewhere.affine.copy()
    affine[0, 3] += 3.0
    write_labelmap(
        Labelmap(elsewhere.layers, LABELS, affine), the_folders["weak"] / "case 2.nii.gz"
    )
    study = create_study(tmp_path / "study", study_source(the_folders))
    assert states(study) == {
        "case 0": "failed", "case 1": "failed", "case 2": "failed", "case 3": "weak",
    }  # fmt: skip
    reasons = {case.id: case.reason for case in study.cases()}
    assert "case 0.nii.gz" in reasons["case 0"]
    assert "case 1.nii.gz" in reasons["case 1"]
    assert "same grid" in reasons["case 2"]
    assert reasons["case 3"] == ""


def test_a_folder_in_which_nearly_nothing_can_be_used_is_refused_with_the_first_reason(tmp_path):
    folders = study_folders(tmp_path, 5)
    for number in range(4):
        (folders["weak"] / f"case {number}.nii.gz").write_bytes(b"no labels")
    with pytest.raises(SegmentationAIError, match=r"Only 1 of the 5 cases has labels"):
        create_study(tmp_path / "study", study_source(folders))
    assert not (tmp_path / "study").exists()


def test_a_case_without_labels_is_new(tmp_path, the_folders):
    (the_folders["weak"] / "case 2.nii.gz").unlink()
    study = create_study(tmp_path / "study", study_source(the_folders))
    assert states(study)["case 2"] == "new"
    assert study.current_version("case 2") is None


def test_labels_of_the_same_case_are_found_in_another_format(tmp_path, the_folders):
    (the_folders["weak"] / "case 1.nii.gz").unlink()
    (the_folders["weak"] / "case 1.labels.json").unlink()
    write_labelmap(truth(1), the_folders["weak"] / "case 1.seg.nrrd")
    study = create_study(tmp_path / "study", study_source(the_folders))
    found = read_version(study, study.current_version("case 1"))
    np.testing.assert_array_equal(found.layers[0], truth(1).layers[0])


def test_one_value_with_two_names_fails_the_case_that_differs(tmp_path, the_folders):
    other = truth(3).with_names([Label(1, "Head"), Label(2, "Body")])
    write_labelmap(other, the_folders["weak"] / "case 3.nii.gz")
    study = create_study(tmp_path / "study", study_source(the_folders))
    assert states(study)["case 3"] == "failed"
    names = [label.name for label in labels_from_text(study.facts.labels)]
    assert names == ["Head", "Tail"]


def test_values_without_names_get_those_of_the_base_network(tmp_path, the_folders):
    for table in the_folders["weak"].glob("*.labels.json"):
        table.unlink()
    study = create_study(tmp_path / "study", study_source(the_folders))
    names = [label.name for label in labels_from_text(study.facts.labels)]
    assert names == ["Head", "Tail"]


def test_when_no_case_can_be_used_nothing_is_left(tmp_path, the_folders):
    shutil.rmtree(the_folders["weak"])
    the_folders["weak"].mkdir()
    with pytest.raises(SegmentationAIError, match="None of the 4 cases has labels"):
        create_study(tmp_path / "study", study_source(the_folders))
    assert not (tmp_path / "study").exists()


def test_a_folder_with_other_files_is_refused_and_untouched(tmp_path, the_folders):
    mine = tmp_path / "study" / "labels" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    with pytest.raises(SegmentationAIError, match="holds other files"):
        create_study(tmp_path / "study", study_source(the_folders))
    assert [p for p in (tmp_path / "study").rglob("*") if p.is_file()] == [mine]


def test_a_study_is_never_made_over_another(tmp_path, the_folders):
    study = create_study(tmp_path / "study", study_source(the_folders))
    before = study.index.read_bytes()
    with pytest.raises(SegmentationAIError, match="is a study already"):
        create_study(tmp_path / "study", study_source(the_folders))
    assert study.index.read_bytes() == before
    assert not (study.folder / UNFINISHED).exists()


def test_held_out_cases_are_as_many_as_asked_and_the_same_for_a_seed(tmp_path):
    folders = study_folders(tmp_path, 10)
    chosen = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        study = create_study(tmp_path / name, study_source(folders, hold_out=0.3, seed=seed))
        chosen.append({case.id for case in study.cases() if case.is_held_out})
    assert len(chosen[0]) == 3
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize("share", [0.05, 0.99, 1.0, -0.1, float("nan")])
def test_a_hold_out_that_leaves_nothing_on_one_side_is_refused(tmp_path, the_folders, share):
    with pytest.raises(SegmentationAIError, match="hold-out"):
        create_study(tmp_path / "study", study_source(the_folders, hold_out=share))
    assert not (tmp_path / "study").exists()


def test_the_same_scan_held_out_and_learned_from_is_refused_by_its_voxels(tmp_path):
    folders = study_folders(tmp_path, 4)
    # The same voxels in another format, under another name: case 72 of the bad input.
    for number in range(4):
        write_volume(scan(number), folders["images"] / f"twin {number}.mha")
        write_labelmap(truth(number), folders["weak"] / f"twin {number}.mha")
    with pytest.raises(SegmentationAIError, match="has the same voxels as"):
        create_study(tmp_path / "study", study_source(folders, hold_out=0.5, seed=1))
    study = create_study(tmp_path / "study", study_source(folders))
    assert len(study.cases()) == 8


def test_an_unfinished_study_is_made_anew(tmp_path, the_folders):
    folder = tmp_path / "study"
    (folder / "labels" / "0001").mkdir(parents=True)
    (folder / "labels" / "0001" / "0001-labels-0123456789abcdef.seg.nrrd").write_bytes(b"half")
    (folder / UNFINISHED).touch()
    study = create_study(folder, study_source(the_folders))
    assert states(study) == {f"case {n}": "weak" for n in range(4)}
    assert open_study(folder).set_aside == 0
