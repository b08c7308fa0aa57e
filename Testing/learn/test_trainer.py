import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from learn_cases import a_case, a_plan

from SegmentationAILib.core.errors import Cancelled, MemoryBudgetError, SegmentationAIError
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.learn import trainer
from SegmentationAILib.learn.checkpoint_file import load_checkpoint
from SegmentationAILib.learn.trainer import TrainingOptions, train
from SegmentationAILib.learn.training_events import EpochDone, SampleDrawn, StepDone
from SegmentationAILib.learn.training_log import read_curves
from SegmentationAILib.learn.training_session import NotFiniteError, TrainingSession
from SegmentationAILib.networks.card import Architecture

CASES = [a_case(seed) for seed in range(6)]
HELD_OUT = [a_case(seed) for seed in range(20, 23)]
RESUMED = TrainingOptions(device="cpu", resume=True)
FRESH = TrainingOptions(device="cpu")
LEARN = TrainingSession.learn


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Two threads wait for each other longer than these small networks compute."""
    before = torch.get_num_threads()
    monkeypatch.setattr("SegmentationAILib.networks.device.physical_cores", lambda: 1)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("optimizer", ["adamw", "orthogonal"])
def test_it_learns_what_is_bright_and_finds_it_in_cases_it_never_saw(tmp_path, optimizer):
    plan = a_plan(optimizer=optimizer, epochs=6, steps_per_epoch=10, foreground_fraction=1.0)
    events = []
    trained = train(
        CASES, plan, output=tmp_path, hold_out=HELD_OUT, options=FRESH, on_event=events.append
    )
    assert trained.scores.labels[0] > 0.9
    assert trained.losses[0] > 1.5
    assert len(trained.losses) == 60
    epochs = [event for event in events if isinstance(event, EpochDone)]
    assert [event.step for event in epochs] == list(range(10, 61, 10))
    assert trained.best_epoch == max(e.epoch for e in epochs if e.is_best)
    steps = [event.loss for event in events if isinstance(event, StepDone)]
    assert tuple(steps) == trained.losses
    pictures = [event.picture for event in events if isinstance(event, SampleDrawn)]
    assert pictures[-1].dtype == np.uint8
    assert pictures[-1].ndim == 3
    rows = read_curves(tmp_path)
    assert [row["loss"] for row in rows if row["event"] == "step"] == steps


@pytest.mark.parametrize("optimizer", ["adamw", "orthogonal"])
def test_a_training_that_was_canceled_goes_on_as_if_it_had_not_been(tmp_path, optimizer):
    plan = a_plan(optimizer=optimizer)
    whole = train(CASES, plan, output=tmp_path / "whole", options=FRESH, hold_out=HELD_OUT)
    calls = []

    def cancel(_fraction, _sentence):
        calls.append(1)
        if len(calls) == 8:
            raise Cancelled

    with pytest.raises(Cancelled):
        train(
            CASES, plan, output=tmp_path / "cut", options=FRESH, hold_out=HELD_OUT,
            progress=Progress(cancel),
        )  # fmt: skip
    assert load_checkpoint(tmp_path / "cut/checkpoints/last.pt")["session"]["step"] == 6
    resumed = train(CASES, plan, output=tmp_path / "cut", options=RESUMED, hold_out=HELD_OUT)
    assert resumed.losses == whole.losses
    assert resumed.scores == whole.scores
    assert all(np.array_equal(resumed.weights[n], whole.weights[n]) for n in whole.weights)
    rows = read_curves(tmp_path / "cut")
    assert [row["loss"] for row in rows if row["event"] == "step"] == list(whole.losses)


def test_a_folder_with_a_training_is_not_overwritten_and_not_resumed_with_another(tmp_path):
    train(CASES, a_plan(epochs=1), output=tmp_path, options=FRESH)
    before = (tmp_path / "checkpoints/last.pt").read_bytes()
    with pytest.raises(SegmentationAIError, match="holds a training already"):
        train(CASES, a_plan(epochs=1), output=tmp_path, options=FRESH)
    with pytest.raises(SegmentationAIError, match="begun with another choice of plan"):
        train(CASES, a_plan(epochs=1, seed=7), output=tmp_path, options=RESUMED)
    with pytest.raises(SegmentationAIError, match="begun with another choice of cases"):
        train(CASES[1:], a_plan(epochs=1), output=tmp_path, options=RESUMED)
    assert (tmp_path / "checkpoints/last.pt").read_bytes() == before


def test_a_finished_training_resumes_to_the_same_network_at_once(tmp_path):
    once = train(CASES, a_plan(epochs=1), output=tmp_path, options=FRESH, hold_out=HELD_OUT)
    again = train(CASES, a_plan(epochs=1), output=tmp_path, options=RESUMED, hold_out=HELD_OUT)
    assert again.losses == once.losses
    assert again.scores == once.scores


def with_faults(monkeypatch, steps, error):
    """Let the loss fail at these steps, each once; with None, always."""
    learn = TrainingSession.learn
    left = list(steps)

    def faulty(session, batch, rate):
        if session.step in left:
            left.remove(session.step)
            raise error
        return learn(session, batch, rate)

    monkeypatch.setattr(TrainingSession, "learn", faulty)


def test_a_loss_that_is_no_number_goes_back_halves_the_rate_and_says_so(tmp_path, monkeypatch):
    """Case 70."""
    with_faults(monkeypatch, [5, 9], NotFiniteError())
    rates = {}
    trained = train(
        CASES, a_plan(), output=tmp_path, options=FRESH,
        on_event=lambda e: isinstance(e, StepDone) and rates.update({e.step: e.learning_rate}),
    )  # fmt: skip
    monkeypatch.setattr(TrainingSession, "learn", LEARN)
    plain = {}
    train(
        CASES, a_plan(), output=tmp_path / "plain", options=FRESH,
        on_event=lambda e: isinstance(e, StepDone) and plain.update({e.step: e.learning_rate}),
    )  # fmt: skip
    assert len(trained.losses) == 12
    assert all(math.isfinite(loss) for loss in trained.losses)
    assert [rates[step] / plain[step] for step in (4, 8, 12)] == pytest.approx([1.0, 0.5, 0.25])
    assert [note.split(":")[0] for note in trained.notes] == [
        "The loss was not a number at step 6", "The loss was not a number at step 10",
    ]  # fmt: skip
    assert "went back to step 4 and goes on with half" in trained.notes[0]


def test_a_loss_that_is_never_a_number_ends_with_a_sentence_and_keeps_the_checkpoint(tmp_path):
    spoiled = [replace(case, array=case.array * np.float32(np.nan)) for case in CASES]
    with pytest.raises(SegmentationAIError, match=r"not a number at step 1, after .* halved 2"):
        train(spoiled, a_plan(), output=tmp_path, options=FRESH)
    state = load_checkpoint(tmp_path / "checkpoints/last.pt")
    assert all(bool(torch.isfinite(t).all()) for t in state["session"]["network"].values())


def test_memory_that_runs_out_makes_patches_smaller_then_the_batch_and_says_so(
    tmp_path, monkeypatch
):
    learn = TrainingSession.learn

    def small_memory(session, batch, rate):
        if batch.patches[:, 0].numel() > 8 * 8 * 8:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return learn(session, batch, rate)

    monkeypatch.setattr(TrainingSession, "learn", small_memory)
    trained = train(CASES, a_plan(epochs=1), output=tmp_path, options=FRESH, hold_out=HELD_OUT)
    assert trained.plan.patch_size == (8, 8, 8)
    assert trained.plan.batch_size == 1
    assert len(trained.losses) == 4
    assert trained.notes[0] == (
        "Memory ran out: patches of 8 x 12 x 12 voxels instead of 16 x 12 x 12."
    )
    assert trained.notes[-1] == "Memory ran out: 1 patch a step instead of 2."
    monkeypatch.setattr(TrainingSession, "learn", lambda *_: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(MemoryBudgetError, match="one patch of 8 x 8 x 8"):
        train(CASES, a_plan(), output=tmp_path / "none", options=FRESH)


def test_an_error_that_is_not_about_memory_is_not_swallowed(tmp_path, monkeypatch):
    with_faults(monkeypatch, [2], RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        train(CASES, a_plan(), output=tmp_path, options=FRESH)


def test_training_ends_early_when_the_hold_out_does_not_improve(tmp_path):
    plan = a_plan(epochs=50, steps_per_epoch=1, patience=2, learning_rate=1e-9)
    trained = train(CASES, plan, output=tmp_path, options=FRESH, hold_out=HELD_OUT)
    assert len(trained.losses) < 15
    assert "has not improved for 2 epochs" in trained.notes[-1]


def test_by_the_clock_the_rate_falls_to_nothing_at_its_end(tmp_path):
    rates = []
    trained = train(
        CASES, a_plan(epochs=1), output=tmp_path,
        options=TrainingOptions(minutes=0.02, device="cpu"),
        on_event=lambda e: isinstance(e, StepDone) and rates.append(e.learning_rate),
    )  # fmt: skip
    assert trained.seconds == pytest.approx(1.2, abs=0.6)
    assert len(rates) > 4
    assert rates[-1] < 0.1 * max(rates)


PLANES = Architecture(
    "unet2d-liver",
    (("dropout", 0.2), ("in_channels", 1), ("out_channels", 3), ("widths", (8, 16, 32))),
)


@pytest.mark.parametrize(
    ("freeze", "still"),
    [
        ("encoder", ("encoder.", "bridge.")),
        ("all-but-last", ("encoder.", "bridge.", "up.1.", "decoder.1.")),
    ],
)
def test_frozen_layers_keep_weights_and_statistics_and_the_others_do_not(tmp_path, freeze, still):
    """In torch a frozen batch normalization goes on collecting statistics unless it is stopped."""
    plan = a_plan(architecture=PLANES, patch_size=(16, 12, 1), epochs=1)
    start = TrainingSession(plan, "none", trainer.choose_device("cpu")).network.state_dict()
    start = {name: tensor.numpy().copy() for name, tensor in start.items()}
    trained = train(CASES, plan, output=tmp_path, options=FRESH, start=start, freeze=freeze)
    for name, tensor in trained.weights.items():
        is_same = np.array_equal(tensor, start[name])
        assert is_same == name.startswith(still), name


def test_with_dropout_a_resumed_training_is_still_the_same(tmp_path):
    plan = a_plan(architecture=PLANES, patch_size=(16, 12, 1), epochs=2)
    whole = train(CASES, plan, output=tmp_path / "whole", options=FRESH)
    calls = []

    def cancel(_fraction, _sentence):
        calls.append(1)
        if len(calls) == 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        train(CASES, plan, output=tmp_path / "cut", options=FRESH, progress=Progress(cancel))
    torch.rand(5)  # the generator of the process is no part of the state
    assert train(CASES, plan, output=tmp_path / "cut", options=RESUMED).losses == whole.losses


CHILD = Path(__file__).with_name("training_child.py")


def run_child(folder, *words):
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = [sys.executable, str(CHILD), str(folder), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def killed_again_and_again(folder, kills, epochs=3):
    """Kill the training at each of these points, then let it finish; return its losses."""
    for number, point in enumerate(kills):
        ended = run_child(folder, point, str(epochs))
        assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]
        if number or point != "write-1":
            last = load_checkpoint(folder / "checkpoints" / "last.pt")
            assert last["session"]["step"] >= 0
    ended = run_child(folder, "", str(epochs))
    assert ended.returncode == 0, ended.stderr[-2000:]
    return json.loads(ended.stdout)


def test_killed_within_a_step_and_within_a_checkpoint_the_curve_is_that_of_no_kill(tmp_path):
    """Case 71, with two kills; the slow test has twenty."""
    cases = [a_case(seed) for seed in range(3)]  # as in the child
    whole = train(
        cases, a_plan(), output=tmp_path / "whole", hold_out=[a_case(9)], options=FRESH
    ).losses
    assert killed_again_and_again(tmp_path / "cut", ["step-6", "write-2"]) == list(whole)
    assert len(whole) == 12


@pytest.mark.slow
def test_killed_twenty_times_the_curve_is_that_of_no_kill(tmp_path):
    whole = json.loads(run_child(tmp_path / "whole", "", "30").stdout)
    kills = [f"{kind}-{count}" for count in range(1, 6) for kind in ("step", "write")] * 2
    assert len(kills) == 20
    assert killed_again_and_again(tmp_path / "cut", kills, 30) == whole
    assert len(whole) == 120


def test_a_pause_is_a_progress_call_that_waits_and_costs_no_training_time(tmp_path):
    waited = []

    def pause(_fraction, _sentence):
        if not waited:
            waited.append(1)
            time.sleep(1.0)

    started = time.monotonic()
    trained = train(
        CASES, a_plan(epochs=1), output=tmp_path, options=FRESH, progress=Progress(pause)
    )
    assert time.monotonic() - started - trained.seconds > 1.0


def test_super_images_are_trained_like_volumes(tmp_path):
    """The slices of a patch side by side as one picture: 2.5 dimensions."""
    small = {"body": "unet2d-liver", "widths": (8, 16, 32), "in_channels": 1, "out_channels": 3}
    plan = a_plan(
        architecture=Architecture("super-image", tuple(sorted(small.items()))),
        patch_size=(16, 12, 6), epochs=2, steps_per_epoch=5,
    )  # fmt: skip
    trained = train(CASES, plan, output=tmp_path, options=FRESH, hold_out=HELD_OUT)
    assert trained.losses[-1] < 0.9 * trained.losses[0]
    assert set(trained.scores.cases) == {case.id for case in HELD_OUT}


def test_voxels_that_count_more_are_learned_first(tmp_path):
    """Two cases contradict each other; the one whose voxels weigh 50 times as much is believed."""

    def contradicting(weight, channel):
        case = a_case(1)
        channels = np.where(case.channels > 0, channel, 0).astype(np.uint8)
        weights = np.full(channels.shape, weight, np.float32)
        return replace(case, id=str(channel), channels=channels, weights=weights)

    plan = a_plan(epochs=4, steps_per_epoch=8, foreground_fraction=1.0, loss="cross-entropy")
    cases = [contradicting(1.0, 1), contradicting(50.0, 2)]
    trained = train(cases, plan, output=tmp_path, options=FRESH, hold_out=[cases[1]])
    assert trained.scores.labels[1] > 0.6
