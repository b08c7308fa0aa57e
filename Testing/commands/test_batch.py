"""`batch`: every case by itself, failures named, and going on where it stopped."""

import json

import numpy as np
import pytest
from threshold_network import threshold_network_folder

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.files import read_labelmap, write_volume
from SegmentationAILib.networks.segmenter import Segmenter

from phantoms import sphere_volume


@pytest.fixture
def a_folder_of_scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    write_volume(sphere_volume(), folder / "first.nii.gz")
    (folder / "broken.nii.gz").write_bytes(b"no volume")
    write_volume(sphere_volume(np.float32), folder / "second.mha")
    (folder / "notes.txt").write_text("not a case")
    return folder


def rows(output):
    cases = json.loads((output / "summary.json").read_text())["cases"]
    return {row["case"]: row for row in cases}


@pytest.mark.usefixtures("an_installed_network")
def test_a_broken_case_is_named_and_the_others_are_done(a_folder_of_scans, tmp_path, capsys):
    output = tmp_path / "results"
    status = main(["batch", str(a_folder_of_scans), "--network", "net", "--output", str(output)])
    assert status == 1
    found = rows(output)
    assert {case: row["state"] for case, row in found.items()} == {
        "first": "done", "broken": "failed", "second": "done",
    }  # fmt: skip
    assert "broken.nii.gz" in found["broken"]["reason"]
    assert "broken: " in capsys.readouterr().out
    first, second = (read_labelmap(output / f"{c}.seg.nrrd") for c in ("first", "second"))
    assert (first.layers[0] == 7).any()
    assert (first.layers[0] != second.layers[0]).mean() < 1e-3


@pytest.mark.usefixtures("an_installed_network")
def test_resume_leaves_out_what_is_done(a_folder_of_scans, tmp_path):
    output = tmp_path / "results"
    words = ["batch", str(a_folder_of_scans), "--network", "net", "--output", str(output)]
    main(words)
    done = output / "first.seg.nrrd"
    before = done.stat().st_mtime_ns
    write_volume(sphere_volume(), a_folder_of_scans / "broken.nii.gz")
    assert main([*words, "--resume"]) == 0
    assert done.stat().st_mtime_ns == before
    assert rows(output)["broken"]["state"] == "done"


@pytest.mark.usefixtures("an_installed_network")
def test_a_list_names_its_cases_relative_to_itself(a_folder_of_scans, tmp_path):
    names = a_folder_of_scans / "list.txt"
    names.write_text("first.nii.gz\n\nsecond.mha\n")
    output = tmp_path / "results"
    assert main(["batch", str(names), "--network", "net", "--output", str(output)]) == 0
    assert set(rows(output)) == {"first", "second"}


@pytest.mark.usefixtures("an_installed_network")
def test_two_cases_of_one_name_are_refused_before_any_work(a_folder_of_scans, tmp_path, capsys):
    write_volume(sphere_volume(), a_folder_of_scans / "first.mha")
    output = tmp_path / "results"
    assert main(["batch", str(a_folder_of_scans), "--network", "net", "--output", str(output)]) == 2
    assert "would both become first.seg.nrrd" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.usefixtures("an_installed_network")
def test_results_in_the_folder_of_the_scans_are_no_cases_of_the_next_run(a_folder_of_scans):
    (a_folder_of_scans / "broken.nii.gz").unlink()
    (a_folder_of_scans / "._first.nii.gz").write_bytes(b"left by macOS")
    inside = a_folder_of_scans / "results"
    for output in (a_folder_of_scans, inside):
        words = ["batch", str(a_folder_of_scans), "--network", "net", "--output", str(output)]
        assert main([*words, "--resume"]) == 0
        assert main([*words, "--resume"]) == 0
        assert set(rows(output)) == {"first", "second"}


@pytest.mark.usefixtures("an_installed_network")
def test_an_interrupted_resume_forgets_no_case_that_is_done(
    a_folder_of_scans, tmp_path, monkeypatch
):
    output = tmp_path / "results"
    words = ["batch", str(a_folder_of_scans), "--network", "net", "--output", str(output)]
    main(words)
    (output / "first.seg.nrrd").unlink()

    def interrupted(*_arguments):
        raise KeyboardInterrupt

    # "broken" fails again and is written down, then "first" is interrupted.
    monkeypatch.setattr(Segmenter, "segment", interrupted)
    assert main([*words, "--resume"]) == 130
    assert rows(output)["second"]["state"] == "done"


@pytest.mark.usefixtures("an_installed_network")
def test_what_another_network_has_done_is_not_done(a_folder_of_scans, tmp_path):
    other = threshold_network_folder(tmp_path / "other", title="Another")
    assert main(["networks", "install", str(other)]) == 0
    (a_folder_of_scans / "broken.nii.gz").unlink()
    output = tmp_path / "results"
    words = ["batch", str(a_folder_of_scans), "--output", str(output), "--resume"]
    for network in ("net", "other"):
        assert main([*words, "--network", network]) == 0
        assert {row["network"] for row in rows(output).values()} == {network}
        (label, _) = read_labelmap(output / "first.seg.nrrd").labels
        assert label.provenance.network == network


@pytest.mark.usefixtures("an_installed_network")
@pytest.mark.parametrize("name", ["first.nii.gz", "windows.txt"])
def test_a_list_is_text_whatever_wrote_it_and_a_volume_is_none(
    name, a_folder_of_scans, tmp_path, capsys
):
    (a_folder_of_scans / "windows.txt").write_bytes("\ufefffirst.nii.gz\r\n".encode())
    output = tmp_path / "results"
    words = [str(a_folder_of_scans / name), "--network", "net", "--output", str(output)]
    if name == "windows.txt":
        assert main(["batch", *words]) == 0
        assert set(rows(output)) == {"first"}
    else:
        assert main(["batch", *words]) == 2
        assert "first.nii.gz is neither a folder nor a text file" in capsys.readouterr().err
        assert not output.exists()
