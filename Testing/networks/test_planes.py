"""A network of planes through the whole pipeline, in the orientation of its card."""

import json

import numpy as np
import pytest
import torch
from network_files import tiny_card
from small_networks import CHANNELS, SMALL

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.networks.build import load_network
from SegmentationAILib.networks.card_reader import card_from_json
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.registry import build
from SegmentationAILib.networks.segmenter import Segmenter

SETTINGS = {**SMALL["unet2d-liver"], **CHANNELS}


@pytest.fixture(scope="module")
def a_network():
    torch.manual_seed(5)
    network = build("unet2d-liver", SETTINGS).eval()
    # Random weights alone answer with one label nearly everywhere: none is preferred here.
    torch.nn.init.normal_(network.head.weight, std=3.0)
    with torch.no_grad():
        network.head.bias -= network(torch.randn(8, 1, 16, 20)).mean(dim=(0, 2, 3))
    return network


def card_of(orientation, patch_size, settings=SETTINGS, name="unet2d-liver", divisible_by=1):
    card = tiny_card(
        spacing_mm=None, orientation=orientation, intensity={"rule": "none"}, overlap=0,
        patch_size=patch_size, divisible_by=divisible_by,
        architecture={"name": name, "parameters": settings},
    )  # fmt: skip
    return card_from_json(json.loads(json.dumps(card)), "planes")


def weights_of(network):
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize(
    ("orientation", "axes"),
    [
        ("ASR", (1, 2, 0)),
        pytest.param("RAS", (0, 1, 2), marks=pytest.mark.slow),
        pytest.param("RSA", (0, 2, 1), marks=pytest.mark.slow),
    ],
)
def test_the_planes_are_those_of_the_cards_orientation(a_home, a_network, orientation, axes):
    """Sides 16, 20 and 24 along R, A and S: the planes are cut by hand along each axis."""
    voxels = np.random.default_rng(6).normal(size=(16, 20, 24)).astype(np.float32)
    # Oblique, and nearest to R, A, S in the order of the indices.
    affine = np.diag([1.0, 1.3, 0.8, 1.0])
    turn = np.deg2rad(10)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]] @ affine[:2, :2]
    turned = voxels.transpose(axes)
    card = card_of(orientation, [*turned.shape[:2], 1])
    segmenter = Segmenter(card, load_network(card, weights_of(a_network), "cpu", "fp32"), "")
    found = segmenter.segment(Volume(voxels[None], affine)).labelmap.layers[0].transpose(axes)
    values = np.array([0, *(label.value for label in card.labels)])
    for plane in range(turned.shape[2]):
        with torch.no_grad():
            logits = a_network(torch.from_numpy(turned[None, None, :, :, plane].copy()))[0]
        first, second = logits.topk(2, dim=0).values
        clear = (first - second > 1e-3).numpy()
        expected = values[logits.argmax(0).numpy()]
        np.testing.assert_array_equal(found[:, :, plane][clear], expected[clear])
    assert np.bincount(found.ravel())[values].min() > 100


@pytest.mark.parametrize("patch_size", [None, [16, 18, 1], [4, 4, 1]])
def test_a_card_whose_patches_do_not_fit_is_refused_in_one_sentence(a_network, patch_size):
    with pytest.raises(WeightsError, match="patch") as refusal:
        check_architecture(card_of("RAS", patch_size), weights_of(a_network))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("patch_size", [[16, 20, 1], [8, 4, 1], [16, 16, 7]])
def test_a_card_whose_patches_fit_is_taken(a_network, patch_size):
    check_architecture(card_of("RAS", patch_size), weights_of(a_network))


def test_a_whole_volume_needs_sides_that_the_network_divides():
    settings = {**SMALL["unet"], **CHANNELS}
    weights = weights_of(build("unet", settings))
    with pytest.raises(WeightsError, match=r"divisible_by 6\.$"):
        check_architecture(card_of("RAS", None, settings, "unet", 6), weights)
    check_architecture(card_of("RAS", None, settings, "unet", 8), weights)
