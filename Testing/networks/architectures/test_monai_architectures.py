"""Architectures of MONAI: the same answers as MONAI's own classes, and the papers' sizes."""

import pytest
import torch
from monai.networks import nets
from torch import nn

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.architectures.dints import DiNTS, ladder
from SegmentationAILib.networks.architectures.dynunet import DynUNet
from SegmentationAILib.networks.architectures.segresnet import SegResNet
from SegmentationAILib.networks.architectures.unetpp import UNetPlusPlus
from SegmentationAILib.networks.architectures.vnet import VNet
from SegmentationAILib.networks.registry import build


def parameters(name, **settings):
    with torch.device("meta"):
        network = build(name, settings)
    return sum(parameter.numel() for parameter in network.parameters())


def test_swin_unetr_has_the_papers_parameters():
    """61.98 M for four contrasts and three regions of tumor; MONAI has changed a little since."""
    found = parameters("swin-unetr", in_channels=4, out_channels=3)
    assert found == pytest.approx(61.98e6, rel=0.005)


def test_unetpp_has_the_papers_parameters():
    """9.04 M for planes; MONAI's last upsampling is wider."""
    found = parameters("unetpp", in_channels=3, out_channels=1, spatial_dims=2)
    assert found == pytest.approx(9.04e6, rel=0.01)


def test_the_attention_unet_is_near_the_papers_parameters():
    """6.40 M; MONAI's gates have one convolution less per level."""
    found = parameters("attention-unet", in_channels=1, out_channels=8)
    assert 5.8e6 < found < 6.40e6


def test_dynunet_has_nnunets_widths_and_hides_no_weight_twice():
    network = DynUNet(1, 2, strides=(1, 2, 2), kernel_size=(3, 3, 3), filters=(4, 8, 16))
    state = network.state_dict()
    assert not [name for name in state if name.startswith("skip_layers")]
    assert sum(tensor.numel() for tensor in state.values()) == sum(
        parameter.numel() for parameter in network.parameters()
    )
    with torch.device("meta"):
        assert list(DynUNet(1, 2).filters) == [32, 64, 128, 256, 320, 320]
        assert len(DynUNet(1, 2).output_strides) == 5


@torch.no_grad()
def test_dynunet_answers_what_monais_own_does():
    torch.manual_seed(1)
    strides = ((1, 1, 1), (2, 2, 1), (2, 2, 2), (2, 2, 2))
    kernels = ((3, 3, 1), (3, 3, 3), (3, 3, 3), (3, 3, 3))
    ours = DynUNet(1, 3, 3, kernels, strides, (4, 6, 8, 10)).eval()
    theirs = nets.DynUNet(
        3, 1, 3, kernels, strides, strides[1:], (4, 6, 8, 10),
        norm_name=("instance", {"affine": True}), deep_supervision=True, deep_supr_num=2,
    )  # fmt: skip
    twice, _ = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert all(name.startswith("skip_layers") for name in twice)
    patch = torch.randn(2, 1, 16, 24, 8)
    torch.testing.assert_close(ours(patch), theirs.eval()(patch))
    assert ours.divisors == (8, 8, 4)
    assert ours.output_strides == ((1, 1, 1), (2, 2, 1), (4, 4, 2))
    raised = theirs.train()(patch).unbind(dim=1)
    for one, other in zip(ours.training_logits(patch), raised, strict=True):
        scaled = nn.functional.interpolate(one, patch.shape[2:])
        torch.testing.assert_close(scaled, other)


@torch.no_grad()
def test_segresnet_lists_its_levels_finest_first_and_only_the_finest_when_it_runs():
    torch.manual_seed(2)
    settings = {"init_filters": 4, "blocks_down": (1, 1, 1, 1)}
    ours = SegResNet(1, 2, dsdepth=3, **settings)
    theirs = nets.SegResNetDS(3, 4, 1, 2, norm="instance", blocks_down=(1, 1, 1, 1), dsdepth=3)
    theirs.load_state_dict(ours.state_dict())
    patch = torch.randn(1, 1, 16, 24, 8)
    found = ours.training_logits(patch)
    for one, other in zip(found, theirs.train()(patch), strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(ours(patch), found[0])
    torch.testing.assert_close(ours.eval()(patch), found[0])


def test_segresnet_merges_the_finer_axes_of_thick_slices_first():
    network = SegResNet(1, 2, init_filters=4, blocks_down=(1, 1, 1, 1), resolution=(1.0, 1.0, 5.0))
    # 5 mm are between four and eight times 1 mm: two of three steps leave the last axis alone.
    assert network.divisors == (8, 8, 2)
    assert network.output_strides == ((1, 1, 1), (2, 2, 1), (4, 4, 1))
    logits = network.training_logits(torch.zeros(1, 1, 16, 8, 4))
    assert [tuple(one.shape[2:]) for one in logits] == [(16, 8, 4), (8, 4, 4), (4, 2, 4)]


@torch.no_grad()
def test_unetpp_takes_the_last_node_of_the_full_grid():
    torch.manual_seed(3)
    features = (4, 4, 8, 8, 16, 6)
    ours = UNetPlusPlus(1, 2, features=features).eval()
    theirs = nets.BasicUNetPlusPlus(3, 1, 2, features, norm="batch")
    theirs.load_state_dict(ours.state_dict())
    patch = torch.randn(1, 1, 32, 16, 16)
    torch.testing.assert_close(ours(patch), theirs.eval()(patch)[0])


def test_vnet_drops_nothing_unless_asked_and_then_everywhere():
    for dropout in (0.0, 0.3):
        with torch.device("meta"):
            layers = [
                m for m in VNet(1, 2, dropout=dropout).modules() if isinstance(m, nn.Dropout3d)
            ]
        assert len(layers) >= 6
        assert {layer.p for layer in layers} == {dropout}


def test_the_ladder_reaches_every_resolution_in_every_block_and_takes_every_operation():
    paths, operations = ladder(12, 4, 5)
    assert paths.shape == operations.shape == (12, 10)
    assert (paths[:, ::3] == 1).all()
    # down: from 0 to 1, 1 to 2, 2 to 3 in the first blocks; up again in the last
    assert [tuple(map(int, at)) for at in zip(*paths[:, 2::3].nonzero(), strict=True)] == [
        (0, 0), (1, 1), (2, 2),
    ]  # fmt: skip
    assert [tuple(map(int, at)) for at in zip(*paths[:, 1::3].nonzero(), strict=True)] == [
        (9, 2), (10, 1), (11, 0),
    ]  # fmt: skip
    assert set(operations[:, ::3].flatten().tolist()) == {0, 1, 2, 3, 4}


def test_dints_takes_the_codes_of_a_search_and_refuses_others():
    paths, operations = (codes.tolist() for codes in ladder(4, 2, 5))
    ours = DiNTS(1, 2, num_blocks=4, num_depths=2, channel_mul=0.25, paths=paths,
                 operations=operations)  # fmt: skip
    same = DiNTS(1, 2, num_blocks=4, num_depths=2, channel_mul=0.25)
    assert ours.state_dict().keys() == same.state_dict().keys()
    nowhere = [[1, 0, 0, 0], *paths[1:]]
    wild = [[7, 0, 0, 0], *operations[1:]]
    for settings in ({"paths": nowhere}, {"operations": wild}, {"paths": paths[:3]}):
        with pytest.raises(WeightsError, match="does not take these parameters"):
            build("dints", {"in_channels": 1, "out_channels": 2, "num_blocks": 4, "num_depths": 2,
                            **settings})  # fmt: skip
