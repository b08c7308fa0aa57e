import numpy as np
import pytest
import torch
from network_files import SHAPES, tiny_card, tiny_weights

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.card_reader import card_from_json
from SegmentationAILib.networks.catalog import catalog
from SegmentationAILib.networks.expected_shapes import (
    built_network,
    check_architecture,
    expected_shapes,
)
from SegmentationAILib.networks.registry import ARCHITECTURES
from SegmentationAILib.networks.weights import read_weights

EVERY_CARD = [*catalog().cards, *catalog().recognized]


def with_parameters(**changes):
    parameters = {**tiny_card()["architecture"]["parameters"], **changes}
    return card_from_json(
        tiny_card(architecture={"name": "meshnet", "parameters": parameters}), "tiny"
    )


def test_the_shapes_are_those_of_a_hand_counted_network():
    assert expected_shapes(with_parameters()) == SHAPES


def test_the_built_network_computes_what_its_weights_say():
    weights = tiny_weights()
    network = built_network(with_parameters(), weights)
    # A volume of zeros leaves only the biases: relu of the first, then the 1x1x1 layer.
    logits = network(torch.zeros(1, 1, 4, 5, 6))
    hidden = np.maximum(weights["model.0.bias"], 0)
    matrix = weights["model.2.weight"][:, :, 0, 0, 0]
    expected = matrix @ hidden + weights["model.2.bias"]
    np.testing.assert_allclose(logits[0, :, 2, 3, 1].numpy(), expected, rtol=1e-5)
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("card", EVERY_CARD, ids=lambda card: card.id)
def test_every_card_names_an_architecture_that_takes_its_parameters(card):
    shapes = expected_shapes(card)
    last = [shape for name, shape in shapes.items() if name.endswith("weight")][-1]
    assert card.architecture.name in ARCHITECTURES
    assert last[0] in (card.out_channels, 8 * card.out_channels)


@pytest.mark.parametrize("folder", ["model5_gw_ae", "subcortical", "model30chan50cls"])
def test_real_weights_fit_their_card(the_weights, folder):
    check_architecture(catalog().by_id(folder), read_weights(the_weights / folder / "model.pth"))


def test_weights_of_another_card_are_refused(the_weights):
    weights = read_weights(the_weights / "model5_gw_ae" / "model.pth")
    with pytest.raises(WeightsError, match=r"model\.0\.weight has shape \(5, 1, 3, 3, 3\)"):
        check_architecture(catalog().by_id("subcortical"), weights)


@pytest.mark.parametrize(
    "changes",
    [
        {"surprise": 1}, {"activation": "exec"}, {"channels": 0.5}, {"channels": -1},
        {"dilations": ["a"]}, {"channels": 1_000_000_000}, {"dilations": 3},
    ],
)  # fmt: skip
def test_parameters_that_make_no_network_are_refused_without_using_memory(changes):
    with pytest.raises(WeightsError):
        check_architecture(with_parameters(**changes), tiny_weights())


def test_an_architecture_that_is_not_on_the_list_is_refused():
    other = {"name": "builtins", "parameters": {}}
    with pytest.raises(WeightsError, match="not built in"):
        expected_shapes(card_from_json(tiny_card(architecture=other), "tiny"))
