import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from SegmentationAILib.learn.timed_training import LONGEST_STEP_SECONDS, Schedule, export_halved
from SegmentationAILib.learn.two_scale_training import TwoScaleTraining
from SegmentationAILib.networks.architectures.two_scale_unet import TwoScaleUNet


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads wait for each other longer than these small networks compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def a_run(seed=0):
    torch.manual_seed(seed)
    return TwoScaleTraining(
        TwoScaleUNet(1, 3, (8, 16), (8, 16), 16), Schedule(minutes=1000.0, warm_up=1e-6)
    )


def a_volume():
    """Two slabs on a dark ground."""
    channels = np.zeros((16, 24, 16), dtype=np.uint8)
    channels[:, 4:12], channels[:, 12:20] = 1, 2
    return np.array([0.0, 0.5, 1.0], dtype=np.float16)[channels], channels


def test_the_rate_rises_linearly_and_falls_with_a_cosine():
    schedule = Schedule(minutes=60.0, warm_up=0.1, floor=0.01)
    assert schedule.rate(0.0) == pytest.approx(0.05)
    assert schedule.rate(0.045) == pytest.approx(0.5 * 0.5 * (1 + math.cos(0.045 * math.pi)))
    assert schedule.rate(0.5) == pytest.approx(0.5)
    assert schedule.rate(1.0) == pytest.approx(0.01)
    assert schedule.rate(7.0) == pytest.approx(0.01)


def test_small_structures_are_found_first_and_sized_later():
    schedule = Schedule(minutes=60.0, dice_until=0.5, dice_after=0.02)
    assert [schedule.dice_weight(f) for f in (0.0, 0.49, 0.5, 1.0)] == [1.0, 1.0, 0.02, 0.02]


def test_it_learns_a_volume():
    run = a_run()
    losses = [run.learn(*a_volume()) for _ in range(30)]
    # chance costs ln 3 and a Dice of about a third
    assert losses[0] > 1.5
    assert losses[-1] < 0.75 * losses[0]
    assert run.step == 30


def test_the_averaged_network_follows_without_gradients():
    run = a_run()
    start = [p.clone() for p in run.averaged.parameters()]
    run.learn(*a_volume())
    pairs = zip(start, run.averaged.parameters(), run.network.parameters(), strict=True)
    for before, averaged, now in pairs:
        # after the first step the average moves by 1 - 2/21 of the way
        torch.testing.assert_close(averaged, torch.lerp(before, now.detach(), 1 - 2 / 21))
    assert not any(p.requires_grad for p in run.averaged.parameters())


def test_what_is_frozen_stays_as_it_was():
    run = a_run()
    frozen = run.network.whole.stem.weight
    frozen.requires_grad_(False)
    before = frozen.clone(), run.network.whole.encoder[1].first.weight.clone()
    run.learn(*a_volume())
    assert torch.equal(frozen, before[0])
    assert not torch.equal(run.network.whole.encoder[1].first.weight, before[1])


def test_time_in_which_the_process_was_halted_does_not_count(monkeypatch):
    run = a_run()
    seconds = iter([100.0, 102.0, 5000.0])
    monkeypatch.setattr(
        "SegmentationAILib.learn.timed_training.time.monotonic", lambda: next(seconds)
    )
    run.start_clock()
    run.learn(*a_volume())
    run.learn(*a_volume())
    assert 60 * run.minutes == pytest.approx(2.0 + LONGEST_STEP_SECONDS)


def test_a_resumed_run_continues_as_if_it_had_not_stopped(tmp_path):
    run = a_run()
    for _ in range(3):
        run.learn(*a_volume())
    run.save(tmp_path / "checkpoint.pt")
    other = a_run(seed=9)
    other.load(tmp_path / "checkpoint.pt")
    assert other.step == 3
    assert other.minutes == pytest.approx(run.minutes, abs=0.1)
    assert other.learn(*a_volume()) == pytest.approx(run.learn(*a_volume()), rel=1e-3)
    assert list(tmp_path.iterdir()) == [tmp_path / "checkpoint.pt"]


def test_it_ends_by_the_clock_and_saves_and_validates_on_the_way(tmp_path, monkeypatch):
    run = TwoScaleTraining(TwoScaleUNet(1, 3, (8, 16), (8, 16), 16), Schedule(minutes=12.0))
    clock = iter(range(0, 10**6, 20))
    monkeypatch.setattr(
        "SegmentationAILib.learn.timed_training.time.monotonic", lambda: float(next(clock))
    )
    losses, validated = [], []

    def learn():
        losses.append(run.learn(*a_volume()))
        return losses[-1]

    mean = run.run(learn, lambda loss: validated.append((run.step, loss)), tmp_path)
    # a step takes 20 s of this clock; the run's own look at it, once, another 20
    assert 35 <= run.step <= 36
    ((step, loss),) = validated
    assert 29 <= step <= 30
    assert loss == pytest.approx(np.mean(losses[:step]))
    assert mean == pytest.approx(np.mean(losses))
    again = a_run(seed=9)
    again.load(tmp_path / "checkpoint.pt")
    assert again.step == run.step


@torch.no_grad()
def test_exported_weights_give_the_same_answer(tmp_path):
    torch.manual_seed(0)
    network = TwoScaleUNet(1, 4, (8, 16), (8, 16), 16).eval()
    export_halved(network, tmp_path / "weights.safetensors", {"architecture": "two_scale_unet"})
    tensors = load_file(tmp_path / "weights.safetensors")
    assert {t.dtype for t in tensors.values()} == {torch.float16}
    again = TwoScaleUNet(1, 4, (8, 16), (8, 16), 16).eval()
    again.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    patch = torch.randn(1, 1, 16, 16, 16)
    assert (again(patch).argmax(1) == network(patch).argmax(1)).float().mean() > 0.99
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
