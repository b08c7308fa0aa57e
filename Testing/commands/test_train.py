import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from learn_cases import LABELS, a_case, a_plan

from SegmentationAILib.__main__ import COMMANDS, main
from SegmentationAILib.core.files import read_labelmap, write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.network_folder import NetworkFacts, write_network
from SegmentationAILib.learn.trainer import TrainedNetwork
from SegmentationAILib.learn.training_session import TrainingSession, seeded_network
from SegmentationAILib.networks.card import License

from phantoms import oblique_affine

SPACING = (0.9, 1.3, 2.5)
LEARN = TrainingSession.learn


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr("SegmentationAILib.networks.device.physical_cores", lambda: 1)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def a_data_set(tmp_path):
    """Six oblique scans with two labels, in the Decathlon's form."""
    folder = tmp_path / "data"
    folder.mkdir()
    affine = oblique_affine(SPACING)
    values = np.array([0, LABELS[0].value, LABELS[1].value], np.uint8)
    rows = []
    for seed in range(6):
        case = a_case(seed)
        volume = Volume((case.array * 100).astype(np.int16), affine)
        write_volume(volume, folder / f"scan{seed}.nii.gz")
        labelmap = Labelmap((values[case.channels],), LABELS, affine)
        write_labelmap(labelmap, folder / f"label{seed}.nii.gz")
        rows.append({"image": f"./scan{seed}.nii.gz", "label": f"./label{seed}.nii.gz"})
    labels = {"0": "background", **{str(label.value): label.name for label in LABELS}}
    facts = {"name": "Boxes", "modality": {"0": "MRI"}, "labels": labels, "training": rows}
    (folder / "dataset.json").write_text(json.dumps({**facts, "licence": "CC0-1.0"}))
    return folder / "dataset.json"


@pytest.fixture
def a_base(a_home, tmp_path):
    """ID of an installed network with random weights, small enough to train in a test."""
    plan = a_plan(labels=(replace(LABELS[0], value=3),), spacing_mm=SPACING, orientation="LPS")
    arguments = {**plan.architecture.arguments(), "out_channels": 2}
    plan = replace(
        plan,
        architecture=replace(plan.architecture, parameters=tuple(sorted(arguments.items()))),
        intensity=replace(plan.intensity, rule="zscore"),
    )
    weights = {name: t.numpy() for name, t in seeded_network(plan).state_dict().items()}
    untrained = TrainedNetwork(weights, plan, None, (), 0, 0.0, ())
    facts = NetworkFacts("small", "Small", "One box.", License("CC0-1.0", "Free.", "free"))
    write_network(tmp_path / "small", untrained, facts, [], [])
    assert main(["networks", "install", str(tmp_path / "small")]) == 0
    return "small"


def words(a_data_set, output, *more):
    return ["train", "--data", str(a_data_set), "--output", str(output), *more]


def test_it_tells_the_plan_trains_installs_and_segments(a_data_set, a_base, tmp_path, capsys):
    output = tmp_path / "boxes"
    more = ("--base", a_base, "--minutes", "0.03", "--optimizer", "orthogonal")
    assert main(words(a_data_set, output, *more)) == 0
    told = capsys.readouterr().out
    plan = told.index("A nnunet learns 2 structures (Bright, Brighter) from MR volumes")
    assert plan < told.index("ended by the clock after 0.03 minutes")
    assert "is expected to take about" in told
    assert "optimizer orthogonal" in told
    assert "5 cases to learn from, 1 held out" in told
    assert plan < told.index("mean hold-out Dice")
    card = json.loads((output / "card.json").read_text())
    assert card["training"]["parents"][0]["id"] == "small"
    assert card["license"]["text"].startswith("Trained on Boxes, whose license is: CC0-1.0.")
    assert "The head learns Brighter from nothing; Bright start from those it has." in card["notes"]
    assert main(["networks", "install", str(output)]) == 0
    result = tmp_path / "found.seg.nrrd"
    scan = str(a_data_set.parent / "scan0.nii.gz")
    assert main(["segment", scan, "--network", "boxes", "--output", str(result)]) == 0
    names = {label.name for label in read_labelmap(result).labels}
    assert names == {"Bright", "Brighter"}


def test_ctrl_c_leaves_a_folder_that_goes_on_and_nothing_half_written(
    a_data_set, a_base, tmp_path, capsys, monkeypatch
):
    output = tmp_path / "boxes"
    command = words(a_data_set, output, "--base", a_base, "--minutes", "0.02")

    def interrupted(session, batch, rate):
        signal.raise_signal(signal.SIGINT)
        return LEARN(session, batch, rate)

    monkeypatch.setattr(TrainingSession, "learn", interrupted)
    assert main(command) == 130
    assert "the same command with --resume" in capsys.readouterr().err
    assert not (output / "card.json").exists()
    monkeypatch.setattr(TrainingSession, "learn", LEARN)
    assert main(command) == 2
    assert "holds a training already" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    steps = [json.loads(line) for line in (output / "training.jsonl").read_text().splitlines()]
    numbers = [row["step"] for row in steps if row["event"] == "step"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 1


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--architecture", "hologram"], "'hologram' cannot be trained; choose one of"),
        (["--architecture", "unet", "--freeze", "encoder"], "without a base"),
        (["--architecture", "unet", "--epochs", "0"], "--epochs 0: more than 0"),
        (["--base", "no-such-network"], "There is no network no-such-network"),
        (["--architecture", "unet", "--device", "abacus"], "There is no device 'abacus'"),
        (["--base", "a", "--architecture", "unet"], "not allowed with"),
        ([], "one of the arguments --base --architecture is required"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_before_anything_is_written(
    a_data_set, a_home, tmp_path, capsys, more, sentence
):
    try:
        status = main(words(a_data_set, tmp_path / "out", *more))
    except SystemExit as ended:
        status = ended.code
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert status == 2
    assert error.startswith("error: ")
    assert sentence in error
    assert not (tmp_path / "out").exists()


def test_the_command_is_listed():
    assert "train" in COMMANDS
