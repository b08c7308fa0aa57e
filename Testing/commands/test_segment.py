"""`segment` from file to file, with an installed network whose answer is known."""

import json

import numpy as np
import pytest

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.files import read_labelmap, read_volume, write_volume

from phantoms import SPHERE_CENTER_RAS, SPHERE_RADIUS_MM, sphere_mask, sphere_volume

SPHERE_ML = 4 / 3 * np.pi * SPHERE_RADIUS_MM**3 / 1000


@pytest.fixture
def a_scan(tmp_path):
    path = tmp_path / "scan.nii.gz"
    write_volume(sphere_volume(), path)
    return path


def segment(*words):
    return main(["segment", *map(str, words)])


def test_the_sphere_comes_back_in_a_seg_nrrd_with_its_report(
    a_scan, an_installed_network, tmp_path, capsys
):
    output, report = tmp_path / "out.seg.nrrd", tmp_path / "report.json"
    status = segment(
        a_scan, "--network", an_installed_network, "--output", output, "--report", report
    )
    assert status == 0, capsys.readouterr().err
    labelmap = read_labelmap(output)
    truth = sphere_volume()
    assert labelmap.grid.matches(truth.grid)
    sphere, never = labelmap.labels
    assert (sphere.name, sphere.value, never.name) == ("Sphere", 7, "Never")
    assert sphere.provenance.origin == "predicted"
    assert sphere.provenance.network == "net"
    mask = labelmap.mask(sphere)
    expected = sphere_mask(truth.grid)
    assert 2 * (mask & expected).sum() / (mask.sum() + expected.sum()) > 0.97
    center = truth.grid.ras_from_ijk(np.argwhere(mask)).mean(axis=0)
    np.testing.assert_allclose(center, SPHERE_CENTER_RAS, atol=0.2)
    facts = json.loads(report.read_text())
    found, absent = facts["labels"]
    assert found["volume_ml"] == pytest.approx(SPHERE_ML, rel=0.03)
    assert found["voxels"] == mask.sum()
    assert absent == {"value": 300, "name": "Never", "volume_ml": 0.0, "voxels": 0}
    assert set(facts["seconds"]) == {"read", "prepare", "network", "labels", "write", "total"}
    assert facts["network"] == "net"
    assert len(facts["weights_sha256"]) == 64
    assert facts["peak_memory_bytes"] > 2**26
    assert facts["device"]
    assert facts["precision"]
    assert "Sphere" in capsys.readouterr().out


def test_uncertainty_and_nifti_labels_lie_on_the_grid_of_the_scan(
    a_scan, an_installed_network, tmp_path
):
    output, uncertainty = tmp_path / "o.nii.gz", tmp_path / "u.nrrd"
    assert segment(
        a_scan, "--network", an_installed_network, "--output", output, "--uncertainty", uncertainty
    ) == 0  # fmt: skip
    assert read_labelmap(output).labels[0].name == "Sphere"
    entropy = read_volume(uncertainty)
    assert entropy.grid.matches(sphere_volume().grid)
    assert 0 < entropy.voxels.max() <= 1


def test_with_uncertainty_the_report_says_how_sure_and_where_to_look(
    a_scan, an_installed_network, tmp_path
):
    report = tmp_path / "report.json"
    wanted = ("--output", tmp_path / "o.nii.gz", "--uncertainty", tmp_path / "u.nrrd")
    assert segment(a_scan, "--network", an_installed_network, *wanted, "--report", report) == 0
    doubts = json.loads(report.read_text())["uncertainty"]
    sphere, never = doubts["segments"]
    assert (sphere["name"], never["name"]) == ("Sphere", "Never")
    assert 0 < sphere["expected_dice"] < 1
    assert never["expected_dice"] is None
    worst = doubts["doubtful_slices"][0]
    assert worst["doubtful_mm2"] > 0
    assert len(worst["center_ras"]) == 3


def test_dropout_is_refused_of_a_network_without_and_of_a_server(
    a_scan, an_installed_network, tmp_path, capsys
):
    output = tmp_path / "o.nii.gz"
    words = (a_scan, "--network", an_installed_network, "--output", output)
    assert segment(*words, "--dropout-samples", 4) == 2
    assert "no dropout" in capsys.readouterr().err
    assert segment(*words, "--dropout-samples", 4, "--server", "http://127.0.0.1:1") == 2
    assert "this machine only" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "out.xyz"], "cannot be written as out.xyz"),
        (["--output", "nowhere/out.nii"], "folder"),
        (["--output", "o.nii", "--report", "nowhere/r.json"], "r.json was not written: its folder"),
        (["--output", "o.nrrd", "--uncertainty", "./o.nrrd"], "was named for two results"),
        (["--output", "scan.nii.gz"], "scan.nii.gz was not written: it is read here"),
        (["--output", "o.nii", "--labels", "Liver"], "this network has: Sphere, Never"),
        (["--output", "o.nii", "--channel", "T2"], "ROLE=PATH is expected"),
        (["--output", "o.nii", "--overlap", "1"], "0 to under 1"),
        (["--output", "o.nii", "--roi", *["900"] * 6], "lies beside the volume"),
        (["--output", "o.nii", "--network", "absent"], "There is no network absent"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_writes_nothing(
    words, said, a_scan, an_installed_network, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert segment(a_scan, "--network", an_installed_network, *words) == 2
    error = capsys.readouterr().err.splitlines()
    assert len([line for line in error if line.startswith("error: ")]) == 1
    assert said in error[-1]
    assert sorted(tmp_path.iterdir()) == before


def test_the_research_notice_is_shown_once(a_scan, an_installed_network, tmp_path, capsys):
    words = [a_scan, "--network", an_installed_network, "--output", tmp_path / "o.nii"]
    segment(*words)
    assert "physician's check" in capsys.readouterr().err
    segment(*words)
    assert "physician's check" not in capsys.readouterr().err
