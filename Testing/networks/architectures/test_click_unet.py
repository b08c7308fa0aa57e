import torch
from torch import nn

from SegmentationAILib.networks.architectures.click_unet import ClickUNet
from SegmentationAILib.networks.architectures.space_to_depth_unet import depth_to_space


def test_what_is_trained_is_what_answers():
    torch.manual_seed(0)
    network = ClickUNet(widths=(8, 16), hidden=8).eval()
    nn.init.normal_(network.head.bias)
    patch = torch.randn(2, 7, 12, 8, 16)
    with torch.no_grad():
        answer = network(patch)
        folded = network.folded_logits(patch)
    assert answer.shape == (2, 1, 12, 8, 16)
    assert torch.allclose(answer, depth_to_space(folded), atol=1e-5)


def test_the_shipped_size_stays_under_ten_megabytes_in_half_precision():
    weights = sum(parameter.numel() for parameter in ClickUNet().parameters())
    assert 2 * weights < 10_000_000 - 50_000
