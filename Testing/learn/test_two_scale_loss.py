import numpy as np
import pytest
import torch

from SegmentationAILib.learn.two_scale_loss import CROP_BLOCKS, two_scale_loss
from SegmentationAILib.networks.architectures.two_scale_unet import TwoScaleUNet


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads wait for each other longer than these small networks compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def a_network(seed=0):
    torch.manual_seed(seed)
    return TwoScaleUNet(1, 3, (8, 16), (8, 16), 16)


def certain(network, answer):
    """Make every logit of both heads say `answer`, whatever is seen."""
    for head in (network.head, network.whole_head):
        torch.nn.init.zeros_(head.weight)
        with torch.no_grad():
            head.bias.copy_(torch.tensor([50.0 * (n == answer) for n in range(3)]).repeat(8))
    return network


def test_a_right_answer_everywhere_costs_nothing_and_a_wrong_one_much():
    volume = np.random.default_rng(0).random((24, 32, 16)).astype(np.float16)
    channels = np.full(volume.shape, 2, np.uint8)
    costs = [
        two_scale_loss(
            certain(a_network(), answer), volume, channels, 1.0, np.random.default_rng(1)
        ).item()
        for answer in (2, 1)
    ]
    assert costs[0] == pytest.approx(0.0, abs=1e-3)
    assert costs[1] > 50


@pytest.mark.parametrize(("first", "cost"), [(0, 0.0), (1, 50.0)])
def test_voxels_of_a_crop_are_compared_with_their_own_truth(monkeypatch, first, cost):
    """Logits that depend on the place in the block alone, and a truth that does, too."""
    monkeypatch.setattr("SegmentationAILib.learn.two_scale_loss.COARSE_WEIGHT", 0.0)
    network = certain(a_network(), 0)
    # the last axis runs fastest in a block: its odd places are the odd voxels along it
    with torch.no_grad():
        network.head.bias.copy_(torch.tensor([[50.0, 0, 0], [0, 50.0, 0]]).repeat(4, 1).flatten())
    channels = np.broadcast_to((np.arange(16) + first) % 2, (24, 32, 16)).astype(np.uint8)
    volume = np.zeros(channels.shape, np.float16)
    found = two_scale_loss(network, volume, channels, 0.0, np.random.default_rng(0)).item()
    assert found == pytest.approx(cost, abs=1e-3)


def test_only_the_crop_is_looked_at_twice():
    side = 4 * CROP_BLOCKS + 32
    network = a_network()
    network.requires_grad_(False)
    seen = []
    network.stem.register_forward_hook(lambda *call: seen.append(tuple(call[2].shape[2:])))
    volume = np.zeros((side, 16, 16), np.float16)
    channels = np.zeros(volume.shape, np.uint8)
    two_scale_loss(network, volume, channels, 1.0, np.random.default_rng(0))
    assert seen == [(2 * CROP_BLOCKS, 8, 8)]
