import pytest
import torch
from torch import nn

from SegmentationAILib.networks.architectures.liver_unet import LiverUNet


@pytest.mark.parametrize(
    ("widths", "expected"),
    [
        # The first two are the 31 M and 3.7 M of SegFormer's comparison; all are counts of a U-Net
        # with two biased convolutions and batch normalizations per block, padded, 1 in, 1 out.
        ((64, 128, 256, 512, 1024), 31_042_369),
        ((22, 44, 88, 176, 352), 3_672_439),
        ((32, 64, 128, 256, 512), 7_765_409),
        ((16, 32, 64, 128, 256), 1_943_761),
    ],
)
def test_the_parameters_are_as_many_as_published(widths, expected):
    with torch.device("meta"):
        network = LiverUNet(1, 1, widths)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_the_original_widths_have_5888_filters_in_double_convolutions():
    with torch.device("meta"):
        network = LiverUNet()
    filters = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert sum(filters) - network.out_channels == 5_888


def test_each_block_is_convolution_relu_normalization_with_dropout_between():
    network = LiverUNet(1, 2, (4, 8, 16))
    unit = [nn.Conv2d, nn.ReLU, nn.BatchNorm2d]
    for block in (*network.encoder, network.bridge, *network.decoder):
        assert [type(layer) for layer in block] == [*unit, nn.Dropout, *unit]
        assert block[3].p == 0.2


def test_a_logit_sees_as_far_as_three_levels_of_convolutions_reach():
    """Four 3x3 convolutions at each of two levels and two at the bridge: 4 + 2 * 4 + 4 * 2."""
    network = LiverUNet(1, 1, (4, 8, 16)).eval()
    plane = torch.zeros(1, 1, 64, 64, requires_grad=True)
    network(plane)[0, 0, 32, 32].backward()
    rows = plane.grad[0, 0].abs().sum(dim=1).nonzero().flatten()
    # Pooling and the transposed convolution add the rest of a block of four to either side.
    assert 64 - 4 > rows.max() - rows.min() + 1 >= 2 * (4 + 2 * 4 + 4 * 2) + 1
