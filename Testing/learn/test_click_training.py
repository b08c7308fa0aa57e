import numpy as np
import torch

from SegmentationAILib.learn import click_training
from SegmentationAILib.learn.click_samples import SIDE, Sample
from SegmentationAILib.learn.click_training import ClickTraining
from SegmentationAILib.learn.timed_training import Schedule
from SegmentationAILib.networks.architectures.click_unet import ClickUNet


class OneSample:
    """A pool of one bright block beside another one: only the click says which is meant."""

    def draw(self, rng):
        labels = np.zeros((SIDE,) * 3, np.uint8)
        labels[8:22, 10:24, 12:30] = 1
        labels[30:44, 26:40, 16:30] = 2
        noise = np.random.default_rng(0).normal(0, 0.1, labels.shape)
        return Sample(((labels > 0) + noise).astype(np.float16), labels, False)


def a_training(small_until=0.0):
    torch.manual_seed(0)
    network = ClickUNet(widths=(8, 16, 16, 16), hidden=16)
    schedule = Schedule(1000.0, warm_up=1e-6)
    return ClickTraining(network, schedule, seed=1, batch=2, small_until=small_until)


def test_a_trivial_object_is_learned_within_some_steps(monkeypatch):
    monkeypatch.setattr(click_training, "SMALL_BATCH", 2)
    run = a_training(small_until=1.0)
    losses = [run.learn(OneSample()) for _ in range(45)]
    assert np.mean(losses[:3]) > 0.9
    assert np.mean(losses[-8:]) < 0.5 * np.mean(losses[:3])


def test_a_resumed_training_goes_on_where_it_was(tmp_path):
    run = a_training()
    for _ in range(2):
        run.learn(OneSample())
    run.save(tmp_path / "checkpoint.pt")
    again = a_training()
    again.load(tmp_path / "checkpoint.pt")
    assert again.step == 2
    assert abs(again.minutes - run.minutes) < 0.01
    before, after = run.averaged.state_dict(), again.averaged.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    again.learn(OneSample())
    assert again.step == 3
