"""``info``: the facts of a volume as JSON and as text; a bad file ends with 2."""

import json

import numpy as np

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.files import write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume

SHAPE = (7, 5, 3)


def facts_of(path, capsys):
    assert main(["info", str(path), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_facts_are_those_of_the_volume(tmp_path, an_affine, capsys):
    voxels = np.full((2, *SHAPE), 40, np.int16)
    voxels[0, 1, 2, 1], voxels[1, 0, 0, 0] = -1000, 3000
    write_volume(Volume(voxels, an_affine), tmp_path / "x.nrrd")
    facts = facts_of(tmp_path / "x.nrrd", capsys)
    assert facts["size"] == [7, 5, 3]
    np.testing.assert_allclose(facts["spacing_mm"], [0.9, 1.3, 2.5], atol=1e-6)
    np.testing.assert_allclose(facts["affine"], an_affine, atol=1e-6)
    assert facts["dtype"] == "int16"
    assert facts["range"] == [-1000, 3000]
    assert facts["channels"] == 2
    assert facts["notes"] == []
    assert "labels" not in facts


def test_voxels_that_are_not_finite_are_noted_and_left_out_of_the_range(
    tmp_path, an_affine, capsys
):
    voxels = np.ones((1, *SHAPE), np.float32)
    voxels[0, 0, 0, :2], voxels[0, 1, 1, 1] = (np.nan, np.inf), -2.5
    write_volume(Volume(voxels, an_affine), tmp_path / "x.nrrd")
    facts = facts_of(tmp_path / "x.nrrd", capsys)
    assert facts["range"] == [-2.5, 1.0]
    assert any("2 of 105 voxels are not finite" in note for note in facts["notes"])
    write_volume(Volume(np.full_like(voxels, np.nan), an_affine), tmp_path / "x.nrrd")
    assert facts_of(tmp_path / "x.nrrd", capsys)["range"] == [None, None]


def test_labels_are_listed_and_shown_harmless(tmp_path, an_affine, capsys):
    layer = np.zeros(SHAPE, np.uint8)
    layer[1] = 3
    labels = (Label(3, "liver\n<b>"),)
    write_labelmap(Labelmap((layer,), labels, an_affine), tmp_path / "x.nii.gz")
    facts = facts_of(tmp_path / "x.nii.gz", capsys)
    assert facts["labels"] == [{"value": 3, "name": "liver\n<b>", "layer": 0}]
    assert main(["info", str(tmp_path / "x.nii.gz")]) == 0
    shown = capsys.readouterr().out
    assert "liver\\n‹b›" in shown
    assert "7 x 5 x 3 voxels" in shown
    assert "0.9 x 1.3 x 2.5 mm" in shown


def test_a_mended_header_is_said(tmp_path, capsys):
    text = (
        "NRRD0004\ntype: uint8\ndimension: 3\nspace: RAS\nsizes: 2 2 2\nspacings: 1 2 3\n"
        "encoding: raw\n\n"
    )
    (tmp_path / "x.nrrd").write_bytes(text.encode() + bytes(8))
    notes = facts_of(tmp_path / "x.nrrd", capsys)["notes"]
    assert any("no directions" in note for note in notes)


def test_a_damaged_file_ends_with_2_and_one_line(tmp_path, capsys):
    (tmp_path / "x.nii.gz").write_bytes(b"hello world" * 50)
    assert main(["info", str(tmp_path / "x.nii.gz"), "--json"]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("error: x.nii.gz")
    assert streams.err.count("\n") == 1


def test_the_ct_of_the_data_has_its_known_geometry(the_data, capsys):
    facts = facts_of(the_data / "ct-torso-3mm" / "ct.nii.gz", capsys)
    assert facts["size"] == [122, 101, 112]
    np.testing.assert_allclose(facts["spacing_mm"], 3, atol=1e-4)
    assert facts["range"][0] < -900
