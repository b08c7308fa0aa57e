"""Data sets: what a dataset.json says is taken exactly, or refused in a sentence."""

import json

import numpy as np
import pytest
from training_sets import entry, sphere_case, write_description, write_spheres

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.case_reader import read_case
from SegmentationAILib.learn.dataset import read_dataset


def test_the_hippocampus_set_is_read_as_its_file_says(the_data):
    found = read_dataset(the_data / "hippocampus")
    assert (found.name, found.modality, len(found.cases)) == ("Hippocampus", "MR", 200)
    assert [(label.value, label.name) for label in found.labels] == [
        (1, "Anterior"), (2, "Posterior"),
    ]  # fmt: skip
    assert found.cases[1].id == found.cases[1].patient == "hippocampus_003"
    assert found.license == "CC-BY-SA 4.0"
    case = read_case(found, found.cases[0])
    assert case.volume.grid.matches(case.labelmap.grid)
    assert set(np.unique(case.labelmap.layers[0])) == {0, 1, 2}


def test_channels_get_roles_by_which_segment_names_them(tmp_path):
    path = write_spheres(tmp_path, 1, channels=2)
    text = json.loads(path.read_text())
    modality = {"0": "T2", "1": "T2"}
    path.write_text(json.dumps({**text, "modality": modality}))
    found = read_dataset(path)
    assert [channel.role for channel in found.channels] == ["t2", "t2-2"]
    assert found.modality == "MR"
    path.write_text(json.dumps({**text, "modality": {"0": "CT", "1": "PET"}}))
    assert read_dataset(path).modality == "any"


def test_one_file_of_two_channels_and_two_files_of_one_are_the_same_case(tmp_path):
    from SegmentationAILib.core.files import write_volume
    from SegmentationAILib.core.volume import Volume

    write_spheres(tmp_path, 1, channels=2)
    both, _ = sphere_case(1, channels=2)
    for number in range(2):
        one = Volume(both.voxels[number : number + 1], both.affine)
        write_volume(one, tmp_path / "imagesTr" / f"part_{number}.nii.gz")
    parts = [f"imagesTr/part_{number}.nii.gz" for number in range(2)]
    path = write_description(
        tmp_path,
        [entry("case_1"), {"image": parts, "label": "labelsTr/copy.nii.gz"}],
        channels=2,
    )
    (tmp_path / "labelsTr/copy.nii.gz").write_bytes(
        (tmp_path / "labelsTr/case_1.nii.gz").read_bytes()
    )
    found = read_dataset(path)
    together, apart = (read_case(found, case) for case in found.cases)
    assert np.array_equal(together.volume.voxels, apart.volume.voxels)
    assert found.cases[1].id == "part_0"


def test_several_files_of_one_patient_are_told_by_its_key(tmp_path):
    write_spheres(tmp_path, 3)
    entries = [entry("case_1", patient="A"), entry("case_2", patient="A"), entry("case_3")]
    found = read_dataset(write_description(tmp_path, entries))
    assert [case.patient for case in found.cases] == ["A", "A", "case_3"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"training": []}, "1 to 100000 cases"),
        ({"training": None}, "no list"),
        ({"training": [{"image": "a.nii.gz"}]}, "image and label"),
        ({"training": [entry("case_1", fold=3)]}, "at most patient and id"),
        ({"training": [entry("case_1"), entry("case_1")]}, "both case_1"),
        ({"training": [entry("case_1"), entry("case_1", id="b")]}, "every file once"),
        ({"training": [entry("case_1", id="../b/")]}, None),
        ({"training": [entry("case_1", id="///")]}, "letters or digits"),
        ({"training": [{**entry("case_1"), "image": "/etc/passwd"}]}, "inside of the folder"),
        ({"training": [{**entry("case_1"), "image": "../x.nii.gz"}]}, "inside of the folder"),
        ({"training": [{**entry("case_1"), "image": "a/../../x.nii"}]}, "inside of the folder"),
        ({"training": [{**entry("case_1"), "label": "C:\\x.nii"}]}, "inside of the folder"),
        ({"training": [{**entry("case_1"), "label": "http://a/x.nii"}]}, "inside of the folder"),
        ({"training": [{**entry("case_1"), "label": 3}]}, "inside of the folder"),
        ({"training": [{**entry("case_1"), "image": ["a.nii", "b.nii"]}]}, "2 images"),
        ({"labels": {"0": "background"}}, "0 labels"),
        ({"labels": {"background": 0, "Shell": 1}}, "'background' among its labels"),
        ({"labels": {"0": "background", "70000": "x"}}, "values up to 65535"),
        ({"labels": {"0": "background", **{str(n): "x" for n in range(1, 256)}}}, "255 labels"),
        ({"modality": {"1": "MRI"}}, "numbers its modalities"),
        ({"modality": None}, "no modality"),
        ({"name": 7}, "a text"),
    ],
)
def test_what_a_description_may_not_say_is_refused(tmp_path, changes, told):
    write_spheres(tmp_path, 1)
    entries = changes.pop("training", [entry("case_1")])
    path = write_description(tmp_path, entries, **changes)
    if told is None:  # the twin: odd characters in an ID are replaced
        assert read_dataset(path).cases[0].id == "b_"
        return
    with pytest.raises(SegmentationAIError, match=told):
        read_dataset(path)


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path):
    outside = tmp_path / "outside.nii.gz"
    outside.write_bytes(b"x")
    folder = tmp_path / "set"
    path = write_spheres(folder, 2)
    image = folder / "imagesTr" / "case_1.nii.gz"
    image.unlink()
    image.symlink_to(outside)
    with pytest.raises(SegmentationAIError, match="inside of the folder"):
        read_dataset(path)
    image.unlink()
    inside = folder / "elsewhere.nii.gz"
    inside.write_bytes((folder / "imagesTr" / "case_2.nii.gz").read_bytes())
    image.symlink_to(inside)
    assert len(read_dataset(path).cases) == 2


def test_a_folder_without_description_is_named(tmp_path):
    with pytest.raises(SegmentationAIError, match=r"dataset.json cannot be read"):
        read_dataset(tmp_path)
    (tmp_path / "dataset.json").write_text("[" * 100)
    with pytest.raises(SegmentationAIError, match="nested deeper"):
        read_dataset(tmp_path)
    (tmp_path / "dataset.json").write_text("[1]")
    with pytest.raises(SegmentationAIError, match="holds no object"):
        read_dataset(tmp_path)
