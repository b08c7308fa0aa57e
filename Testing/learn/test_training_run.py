import math

import numpy as np
import pytest
import torch

from SegmentationAILib.learn.training_run import Schedule, TrainingRun
from SegmentationAILib.networks.architectures.space_to_depth_unet import SpaceToDepthUNet


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads wait for each other longer than these small networks compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def a_run(seed=0):
    torch.manual_seed(seed)
    return TrainingRun(SpaceToDepthUNet(1, 3, (8, 16)), Schedule(minutes=1000.0, warm_up=1e-6))


def a_volume():
    """Two slabs on a dark ground."""
    channels = np.zeros((8, 12, 8), dtype=np.uint8)
    channels[:, 2:6], channels[:, 6:10] = 1, 2
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


def test_the_branch_for_detail_joins_at_its_time():
    early, late = a_run(), a_run()
    late.schedule = Schedule(minutes=1000.0, warm_up=1e-6, details_from=0.0)
    early.learn(*a_volume())
    late.learn(*a_volume())
    assert not early.network.detail_head.weight.any()
    assert late.network.detail_head.weight.abs().max() > 0


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
