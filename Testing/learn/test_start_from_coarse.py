import pytest
import torch

from SegmentationAILib.learn.brain_structures import CHANNEL_OF_VALUE, CHANNELS
from SegmentationAILib.learn.start_from_coarse import ANSWERED, start_from_coarse
from SegmentationAILib.networks.architectures.space_to_depth_unet import SpaceToDepthUNet
from SegmentationAILib.networks.architectures.two_scale_unet import TwoScaleUNet


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def both(widths):
    torch.manual_seed(0)
    old = SpaceToDepthUNet(1, len(ANSWERED) + 1, (16, 32)).eval().requires_grad_(False)
    new = TwoScaleUNet(1, CHANNELS, widths, (8, 8), 8).eval()
    start_from_coarse(new, old.state_dict())
    return old, new


@torch.no_grad()
def test_the_coarse_answers_are_those_of_the_old_network_on_both_sides():
    old, new = both((16, 32))
    volume = torch.rand(1, 1, 16, 16, 24)
    features = new.whole.training_features(volume)
    found = new.whole_head(features).unflatten(1, (8, CHANNELS))
    expected = old.folded_logits(volume).unflatten(1, (len(ANSWERED) + 1, 8)).transpose(1, 2)
    hippocampus = 1 + ANSWERED.index(17)
    for value in (17, 53):
        torch.testing.assert_close(
            found[:, :, CHANNEL_OF_VALUE[value]], expected[:, :, hippocampus]
        )
    caudate = expected[:, :, 1 + ANSWERED.index(11)]
    torch.testing.assert_close(found[:, :, CHANNEL_OF_VALUE[58]], caudate - 2.0)
    torch.testing.assert_close(found[:, :, 0], expected[:, :, 0])


def test_a_narrower_level_keeps_the_first_channels_of_each_group():
    old, new = both((16, 16))
    kept = [4 * group + first for group in range(8) for first in (0, 1)]
    expected = old.encoder[1].first.weight[kept][:, kept]
    assert torch.equal(new.whole.encoder[1].first.weight, expected)
    assert torch.equal(new.whole.up[0].weight, old.up[0].weight[kept])


def test_what_reads_the_volume_is_frozen():
    _, new = both((16, 32))
    frozen = {name for name, p in new.named_parameters() if not p.requires_grad}
    assert "whole.stem.weight" in frozen
    assert all(name.startswith(("whole.stem.", "whole.encoder.0.")) for name in frozen)
