"""``convert``: volumes to volumes, segmentations to segmentations, notes said, odd names."""

import subprocess
import sys

import numpy as np
import pytest

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.files import read_labelmap, read_volume, write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Label, Labelmap

SHAPE = (7, 5, 3)


@pytest.fixture
def a_labelmap(an_affine):
    layer = np.zeros(SHAPE, np.uint8)
    layer[1:4, 2:4, 1], layer[5, 1, :2] = 1, 7
    labels = (Label(1, "liver", (0.5, 0.25, 0.75)), Label(7, "spine", (0.1, 0.2, 0.3)))
    return Labelmap((layer,), labels, an_affine)


def test_a_volume_keeps_voxels_and_places(tmp_path, a_sphere_volume, capsys):
    write_volume(a_sphere_volume, tmp_path / "x.nrrd")
    assert main(["convert", str(tmp_path / "x.nrrd"), str(tmp_path / "y.nii.gz")]) == 0
    again = read_volume(tmp_path / "y.nii.gz")
    np.testing.assert_array_equal(again.voxels, a_sphere_volume.voxels)
    np.testing.assert_allclose(again.affine, a_sphere_volume.affine, atol=1e-4)
    assert "y.nii.gz written" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("first", "second"), [(".seg.nrrd", ".nii.gz"), (".nii.gz", ".seg.nrrd"), (".mha", ".mgz")]
)
def test_a_segmentation_keeps_values_names_and_colors(tmp_path, a_labelmap, first, second):
    write_labelmap(a_labelmap, tmp_path / f"x{first}")
    assert main(["convert", str(tmp_path / f"x{first}"), str(tmp_path / f"y{second}")]) == 0
    again = read_labelmap(tmp_path / f"y{second}")
    np.testing.assert_array_equal(again.layers[0], a_labelmap.layers[0])
    rows = [(row.value, row.name, row.color) for row in again.labels]
    assert rows == [(row.value, row.name, row.color) for row in a_labelmap.labels]


def test_labels_without_a_table_become_segments(tmp_path, a_labelmap):
    write_labelmap(a_labelmap, tmp_path / "x.nii.gz")
    (tmp_path / "x.labels.json").unlink()
    assert main(["convert", str(tmp_path / "x.nii.gz"), str(tmp_path / "y.seg.nrrd")]) == 0
    names = [row.name for row in read_labelmap(tmp_path / "y.seg.nrrd").labels]
    assert names == ["Label 1", "Label 7"]


def test_values_that_had_to_change_are_said(tmp_path, a_labelmap, capsys):
    upper = np.zeros(SHAPE, np.uint8)
    upper[6, 4, 2] = 7
    rows = (*a_labelmap.labels, Label(7, "tumor", layer=1))
    write_labelmap(
        Labelmap((a_labelmap.layers[0], upper), rows, a_labelmap.affine), tmp_path / "x.seg.nrrd"
    )
    assert main(["convert", str(tmp_path / "x.seg.nrrd"), str(tmp_path / "y.nii.gz")]) == 0
    assert "7 to 8" in capsys.readouterr().out
    named = {row.name: row.value for row in read_labelmap(tmp_path / "y.nii.gz").labels}
    assert named == {"liver": 1, "spine": 7, "tumor": 8}


def test_overlapping_segments_are_refused_in_one_line_and_nothing_is_written(
    tmp_path, a_labelmap, capsys
):
    upper = np.ones(SHAPE, np.uint8)
    rows = (*a_labelmap.labels, Label(1, "body", layer=1))
    write_labelmap(
        Labelmap((a_labelmap.layers[0], upper), rows, a_labelmap.affine), tmp_path / "x.seg.nrrd"
    )
    assert main(["convert", str(tmp_path / "x.seg.nrrd"), str(tmp_path / "y.nii.gz")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert ".seg.nrrd" in error
    assert [p.name for p in tmp_path.iterdir()] == ["x.seg.nrrd"]


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("absent.nii", "y.nii", "absent.nii is not there"),
        ("x.nii", "y.jpg", ".nii.gz"),
        ("x.nii", "nowhere/y.nii", "folder is not there"),
        ("x.seg.nrrd", "y.nhdr", "one of the endings"),
    ],
)
def test_what_cannot_be_converted_ends_with_2_and_one_sentence(
    tmp_path, a_labelmap, a_sphere_volume, capsys, source, target, expected
):
    write_volume(a_sphere_volume, tmp_path / "x.nii")
    write_labelmap(a_labelmap, tmp_path / "x.seg.nrrd")
    assert main(["convert", str(tmp_path / source), str(tmp_path / target)]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_case_25_odd_names_arrive_through_the_command_line(tmp_path, a_sphere_volume):
    """As a process, since quotes, semicolons and dashes could only be misread on the way."""
    source, target = "./-in ;rm 'x'.nii", 'ünï "code" $(x).mha'
    write_volume(a_sphere_volume, tmp_path / source)
    command = [sys.executable, "-m", "SegmentationAILib", "convert", source, target]
    library = next(p for p in map(str, sys.path) if p.endswith("SegmentationAI"))
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": library, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = read_volume(tmp_path / target)
    np.testing.assert_array_equal(again.voxels, a_sphere_volume.voxels)


def test_a_dicom_series_becomes_a_volume_with_its_values(the_data, tmp_path):
    assert main(["convert", str(the_data / "ct-dicom" / "series"), str(tmp_path / "ct.nrrd")]) == 0
    direct = read_volume(the_data / "ct-dicom" / "series")
    again = read_volume(tmp_path / "ct.nrrd")
    np.testing.assert_array_equal(again.voxels, direct.voxels)
    np.testing.assert_allclose(again.affine, direct.affine, atol=1e-9)
