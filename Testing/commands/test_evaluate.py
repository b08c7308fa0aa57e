"""``evaluate``: scores that follow from the phantoms, nulls where nothing is defined."""

import json

import numpy as np
import pytest

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.files import write_labelmap
from SegmentationAILib.core.labelmap import Label, Labelmap

SHAPE = (20, 16, 12)


def a_labelmap(an_affine, boxes, names=None):
    """One layer with boxes: value to slices."""
    layer = np.zeros(SHAPE, np.uint8)
    for value, box in boxes.items():
        if box is not None:
            layer[box] = value
    labels = tuple(Label(value, (names or {}).get(value, f"name {value}")) for value in boxes)
    return Labelmap((layer,), labels, an_affine)


BOX = np.s_[4:12, 4:12, 2:10]
SHIFTED = np.s_[6:14, 4:12, 2:10]


def evaluated(tmp_path, capsys, reference, prediction, *options, ending=".seg.nrrd"):
    write_labelmap(reference, tmp_path / f"reference{ending}")
    write_labelmap(prediction, tmp_path / f"prediction{ending}")
    status = main(
        ["evaluate", "--reference", str(tmp_path / f"reference{ending}"),
         "--prediction", str(tmp_path / f"prediction{ending}"), "--json", *options]
    )  # fmt: skip
    assert status == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("ending", [".seg.nrrd", ".nii.gz"])
def test_scores_of_a_shifted_box_follow_from_its_size(tmp_path, capsys, an_affine, ending):
    """8 voxels shifted by 2: 6/8 are shared; all surfaces lie within 2 voxels of 0.9 mm."""
    reference = a_labelmap(an_affine, {5: BOX}, {5: "liver"})
    prediction = a_labelmap(an_affine, {5: SHIFTED}, {5: "something"})
    table = evaluated(tmp_path, capsys, reference, prediction, ending=ending)
    (row,) = table["labels"].values()
    assert list(table["labels"]) == ["5"]
    assert row["name"] == "liver"
    assert row["dice"] == pytest.approx(0.75)
    assert 0 < row["hd95_mm"] <= 2 * 0.9 + 1e-6
    assert row["surface_dice"] == pytest.approx(1.0)
    volume_ml = 8**3 * 0.9 * 1.3 * 2.5 / 1000
    assert row["reference_ml"] == pytest.approx(volume_ml, rel=1e-5)
    assert row["prediction_ml"] == pytest.approx(volume_ml, rel=1e-5)
    assert table["mean_dice"] == pytest.approx(0.75)
    assert table["border"] == "voxel"


def test_the_tolerance_is_in_millimeters(tmp_path, capsys, an_affine):
    reference, prediction = (a_labelmap(an_affine, {1: box}) for box in (BOX, SHIFTED))
    strict = evaluated(tmp_path, capsys, reference, prediction, "--tolerance-mm", "1.7")
    loose = evaluated(tmp_path, capsys, reference, prediction, "--tolerance-mm", "1.9")
    assert strict["labels"]["1"]["surface_dice"] < 1.0
    assert loose["labels"]["1"]["surface_dice"] == pytest.approx(1.0)


def test_absent_structures_are_null_or_zero_as_the_contract_says(tmp_path, capsys, an_affine):
    reference = a_labelmap(an_affine, {1: BOX, 2: None, 3: np.s_[15:18, 1:4, 1:4]})
    prediction = a_labelmap(an_affine, {1: BOX, 2: None, 4: np.s_[1:3, 1:3, 1:3]})
    table = evaluated(tmp_path, capsys, reference, prediction)
    rows = table["labels"]
    assert rows["1"]["dice"] == 1.0
    assert rows["1"]["hd95_mm"] == 0.0
    for key in ("dice", "hd95_mm", "surface_dice", "reference_ml", "prediction_ml"):
        assert rows["2"][key] is None
    for absent in ("3", "4"):
        assert rows[absent]["dice"] == 0.0
        assert rows[absent]["hd95_mm"] is None
    assert rows["3"]["prediction_ml"] == 0.0
    assert rows["4"]["reference_ml"] == 0.0
    assert table["mean_dice"] == pytest.approx(1 / 3)


def test_two_empty_files_have_no_mean(tmp_path, capsys, an_affine):
    empty = a_labelmap(an_affine, {})
    assert evaluated(tmp_path, capsys, empty, empty)["mean_dice"] is None


def test_overlapping_segments_are_matched_by_name_where_values_repeat(tmp_path, capsys, an_affine):
    lower, upper = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    lower[BOX], upper[SHIFTED] = 1, 1
    first = Labelmap((lower, upper), (Label(1, "a"), Label(1, "b", layer=1)), an_affine)
    second = Labelmap((upper, lower), (Label(1, "b"), Label(1, "a", layer=1)), an_affine)
    table = evaluated(tmp_path, capsys, first, second)
    assert {row["name"]: row["dice"] for row in table["labels"].values()} == {"a": 1.0, "b": 1.0}


def test_differing_grids_end_with_2_and_name_both_files(tmp_path, capsys, an_affine):
    moved = an_affine.copy()
    moved[0, 3] += 0.5
    write_labelmap(a_labelmap(an_affine, {1: BOX}), tmp_path / "a.nii.gz")
    write_labelmap(a_labelmap(moved, {1: BOX}), tmp_path / "b.nii.gz")
    words = ["--reference", str(tmp_path / "a.nii.gz"), "--prediction", str(tmp_path / "b.nii.gz")]
    assert main(["evaluate", *words]) == 2
    error = capsys.readouterr().err
    assert "a.nii.gz" in error
    assert "b.nii.gz" in error
    assert error.count("\n") == 1


def test_the_table_shows_names_that_cannot_act(tmp_path, capsys, an_affine):
    labelmap = a_labelmap(an_affine, {1: BOX, 2: None}, {1: "liver\n\u202e<b>", 2: "spleen"})
    write_labelmap(labelmap, tmp_path / "a.nii.gz")
    words = ["--reference", str(tmp_path / "a.nii.gz"), "--prediction", str(tmp_path / "a.nii.gz")]
    assert main(["evaluate", *words]) == 0
    shown = capsys.readouterr().out
    assert "liver\\n\\u202e‹b›" in shown
    assert "1.0000" in shown
    assert len(shown.splitlines()) == 4


@pytest.mark.parametrize("distance", ["-1", "nan", "far"])
def test_a_tolerance_that_is_no_distance_is_refused(capsys, distance):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "--reference", "a", "--prediction", "b", f"--tolerance-mm={distance}"])
    assert ended.value.code == 2
