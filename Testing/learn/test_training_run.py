import math

import numpy as np
import pytest
import torch

from SegmentationAILib.learn.training_run import (
    LONGEST_STEP_SECONDS,
    Schedule,
    TrainingRun,
)
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
    return TrainingRun(
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
        "SegmentationAILib.learn.training_run.time.monotonic", lambda: next(seconds)
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
