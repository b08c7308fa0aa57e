"""Cases 68, 69, 70 and 72 of bad input as a person meets them: through the command ``train``."""

import json
import shutil

import numpy as np
import pytest
import torch
from training_sets import entry, moved, sphere_case, write_description, write_spheres

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.files import write_labelmap
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.learn.training_session import NotFiniteError, TrainingSession

CASES = 6
LEARN = TrainingSession.learn


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr("SegmentationAILib.networks.device.physical_cores", lambda: 1)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def a_data_set(a_home, tmp_path):
    return write_spheres(tmp_path / "data", CASES)


def trained(data_set, output, *more):
    """Train for a moment; return the exit status."""
    words = ["train", "--data", str(data_set), "--output", str(output), "--device", "cpu"]
    return main([*words, "--architecture", "dynunet", "--minutes", "0.002", *more])


def recorded(output):
    """Return the IDs of the cases that a training says it has seen, on either side."""
    found = json.loads((output / "training.json").read_text())
    return sorted(row["id"] for side in ("cases", "hold_out") for row in found[side])


def refusal(capsys):
    """Return the one line of standard error."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


def names(*numbers):
    return [f"case_{n}" for n in numbers]


def cut(folder, number):
    path = folder / "imagesTr" / f"case_{number}.nii.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_the_harmless_twin_is_trained_on_whole(a_data_set, tmp_path, capsys):
    assert trained(a_data_set, tmp_path / "spheres") == 0
    assert "All 6 cases passed the checks." in capsys.readouterr().out
    assert recorded(tmp_path / "spheres") == names(1, 2, 3, 4, 5, 6)


def test_case_68_a_corrupt_case_is_skipped_by_name_and_the_others_are_trained_on(
    a_data_set, tmp_path, capsys
):
    cut(a_data_set.parent, 3)
    assert trained(a_data_set, tmp_path / "spheres") == 0
    told = capsys.readouterr().out
    assert "case_3 is left out" in told
    assert "5 of 6 cases can be used" in told
    assert recorded(tmp_path / "spheres") == names(1, 2, 4, 5, 6)


def test_case_68_when_all_are_corrupt_the_command_ends_in_one_line_and_writes_nothing(
    a_data_set, tmp_path, capsys
):
    for number in range(1, CASES + 1):
        cut(a_data_set.parent, number)
    assert trained(a_data_set, tmp_path / "spheres") == 2
    assert "None of the 6 cases of Spheres can be used" in refusal(capsys)
    assert not (tmp_path / "spheres").exists()


@pytest.mark.parametrize(
    "geometry", [{"origin_mm": (0.5, 0.0, 0.0)}, {"scale": (1.01, 1.0, 1.0)}, {"flip": True}]
)
def test_case_69_labels_that_lie_elsewhere_end_the_command_and_it_writes_nothing(
    a_data_set, tmp_path, capsys, geometry
):
    _, labelmap = sphere_case(4)
    elsewhere = Labelmap(labelmap.layers, labelmap.labels, moved(labelmap.grid, **geometry).affine)
    write_labelmap(elsewhere, a_data_set.parent / "labelsTr" / "case_4.nii.gz")
    assert trained(a_data_set, tmp_path / "spheres") == 2
    assert "case_4 lie elsewhere" in refusal(capsys)
    assert not (tmp_path / "spheres").exists()


def test_case_70_a_loss_that_is_no_number_once_is_told_and_the_network_is_made(
    a_data_set, tmp_path, capsys, monkeypatch
):
    failed = []

    def injected(session, batch, rate):
        if session.step == 1 and not failed:
            failed.append(rate)
            raise NotFiniteError("injected")
        return LEARN(session, batch, rate)

    monkeypatch.setattr(TrainingSession, "learn", injected)
    assert trained(a_data_set, tmp_path / "spheres", "--minutes", "0.02") == 0
    assert failed
    told = "The loss was not a number at step 2: the training went back to step 0"
    assert told in capsys.readouterr().out
    card = json.loads((tmp_path / "spheres" / "card.json").read_text())
    assert np.isfinite(card["training"]["mean_dice"])


def test_case_70_a_loss_that_is_never_a_number_ends_the_command_without_a_network(
    a_data_set, tmp_path, capsys, monkeypatch
):
    def injected(session, batch, rate):
        raise NotFiniteError("injected")

    monkeypatch.setattr(TrainingSession, "learn", injected)
    assert trained(a_data_set, tmp_path / "spheres") == 2
    assert "The loss was not a number at step 1" in refusal(capsys)
    assert not (tmp_path / "spheres" / "card.json").exists()


def test_case_72_one_patient_under_two_names_ends_the_command_and_it_writes_nothing(
    a_data_set, tmp_path, capsys
):
    volumes = a_data_set.parent / "imagesTr"
    shutil.copy(volumes / "case_1.nii.gz", volumes / "case_5.nii.gz")
    assert trained(a_data_set, tmp_path / "spheres") == 2
    assert "case_5 holds the same voxels as case_1" in refusal(capsys)
    assert not (tmp_path / "spheres").exists()
    # The twin: told to be one patient, both scans lie on one side of the split.
    entries = [entry(f"case_{n}", patient=f"p{n % 4}") for n in range(1, CASES + 1)]
    write_description(a_data_set.parent, entries)
    assert trained(a_data_set, tmp_path / "spheres") == 0
    found = json.loads((tmp_path / "spheres" / "training.json").read_text())
    held_out = {row["id"] for row in found["hold_out"]}
    assert {"case_1", "case_5"} <= held_out or not {"case_1", "case_5"} & held_out
