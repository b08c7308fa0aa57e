import numpy as np
import pytest
import torch

from SegmentationAILib.learn.calibrate import LARGEST, add_offsets, volume_offsets
from SegmentationAILib.networks.architectures.two_scale_unet import TwoScaleUNet


def a_blurred_ball(bias):
    """Logits that fall off with the distance from a ball's border, biased towards the ball."""
    axes = np.meshgrid(*[np.arange(n) - n / 2 for n in (80, 72, 88)], indexing="ij")
    radius = np.sqrt(sum(a**2 for a in axes))
    logits = np.stack([np.zeros_like(radius), (24 - radius) / 2 + bias, radius * 0 - 20])
    truth = (radius < 24).astype(np.uint8)
    return torch.from_numpy(logits[None].astype(np.float32)), truth


@pytest.mark.parametrize("bias", [-0.8, 0.0, 0.9])
def test_a_bias_of_the_logits_is_found_and_undone(bias):
    logits, truth = a_blurred_ball(bias)
    volume = np.zeros(truth.shape, dtype=np.float32)
    offsets = volume_offsets(lambda _: logits, [(volume, truth)] * 3)
    assert offsets[0] == 0
    assert offsets[1] == pytest.approx(-bias, abs=0.15)
    found = (logits[0].numpy() + offsets[:, None, None, None]).argmax(axis=0)
    assert np.count_nonzero(found == 1) == pytest.approx(np.count_nonzero(truth), rel=0.04)


def test_what_was_never_learned_is_not_hidden():
    logits, truth = a_blurred_ball(-30.0)
    volume = np.zeros(truth.shape, dtype=np.float32)
    offsets = volume_offsets(lambda _: logits, [(volume, truth)])
    assert offsets[1] == pytest.approx(LARGEST)


@torch.no_grad()
def test_offsets_are_added_to_every_voxels_logits():
    torch.manual_seed(0)
    network = TwoScaleUNet(1, 3, (8, 16), (8, 16), 16).eval()
    patch = torch.randn(1, 1, 16, 24, 16)
    before = network(patch)
    add_offsets(network, np.array([0.0, 0.5, -1.0], dtype=np.float32))
    expected = before + torch.tensor([0.0, 0.5, -1.0]).reshape(1, 3, 1, 1, 1)
    torch.testing.assert_close(network(patch), expected, atol=1e-5, rtol=1e-4)
