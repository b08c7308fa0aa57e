import pytest
import torch
from small_networks import CHANNELS, SMALL

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.registry import ARCHITECTURES, build
from SegmentationAILib.networks.trainable import TrainableNetwork

# The names that the public contract gives to `train --architecture`.
CONTRACT = [
    "unet2d-liver",
    "unet",
    "dynunet",
    "unetpp",
    "vnet",
    "attention-unet",
    "segresnet",
    "swin-unetr",
    "dints",
    "segformer-b0",
    "segformer-b1",
    "segformer-b2",
    "segformer-b3",
    "segformer-b4",
    "super-image",
]


@pytest.mark.parametrize("name", CONTRACT)
def test_every_name_of_the_contract_builds_a_network_that_can_be_trained(name):
    with torch.device("meta"):
        network = build(name, CHANNELS)
    assert isinstance(network, TrainableNetwork)
    assert network.out_channels == 3
    assert all(parameter.is_meta for parameter in network.parameters())


def test_the_small_networks_of_the_tests_are_all_there_are():
    assert set(SMALL) == set(CONTRACT) <= set(ARCHITECTURES)


def test_an_unknown_name_is_refused_with_those_that_are_known():
    with pytest.raises(WeightsError, match=r"unet3d is not built in; there are: .*vnet\.$"):
        build("unet3d", CHANNELS)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("unet", {"surprise": 1}),
        ("unet", {"channels": (4,)}),
        ("dynunet", {"strides": (2, 2, 2, 2, 2, 2)}),
        ("dynunet", {"kernel_size": (3, 3)}),
        ("dints", {"num_blocks": 2}),
        ("dints", {"paths": ((1, 0),)}),
        ("vnet", {"in_channels": 3}),
        ("swin-unetr", {"feature_size": 20}),
        ("segformer-b0", {"widths": (30, 60, 158, 250)}),
        ("super-image", {"body": "unet"}),
        ("super-image", {"body": "nothing"}),
        ("super-image", {"body": "super-image"}),
    ],
)
def test_parameters_that_make_no_network_are_refused_in_one_sentence(name, settings):
    with pytest.raises(WeightsError) as refusal:
        build(name, {**CHANNELS, **settings})
    assert "\n" not in str(refusal.value)
    with torch.device("meta"):
        build(name, CHANNELS)  # the twin: without them it builds
