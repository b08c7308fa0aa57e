"""A network as a module that can be trained: the mean of its folds, and back to its file."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from threshold_network import threshold_network_folder

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.card_reader import card_from_bytes
from SegmentationAILib.networks.folds import joined_folds
from SegmentationAILib.networks.torch_module import torch_module
from SegmentationAILib.networks.weights import read_weights


@pytest.fixture
def a_network(tmp_path):
    folder = threshold_network_folder(tmp_path / "net")
    card = card_from_bytes((folder / "card.json").read_bytes(), "card.json")
    return card, read_weights(folder / "weights.safetensors")


def test_weights_come_back_as_they_were(a_network):
    card, weights = a_network
    found = torch_module(card, weights).weights()
    assert found.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].flags.c_contiguous


def test_several_folds_answer_with_the_mean_of_their_logits(a_network):
    card, weights = a_network
    shifted = {**weights, "model.2.bias": weights["model.2.bias"] + np.float32(4)}
    both = joined_folds([weights, shifted])
    patch = torch.rand((1, 1, 4, 5, 6), generator=torch.Generator().manual_seed(1))
    one = torch_module(card, weights)(patch)
    module = torch_module(replace(card, folds=2), both)
    torch.testing.assert_close(module(patch), one + 2)
    assert module.weights().keys() == both.keys()


def test_a_network_that_is_onnx_alone_is_refused_in_a_sentence(a_network):
    card, weights = a_network
    card = replace(card, architecture=replace(card.architecture, name="onnx"))
    with pytest.raises(WeightsError, match="exists only as ONNX, which cannot be trained"):
        torch_module(card, weights)
