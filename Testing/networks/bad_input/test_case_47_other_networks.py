"""Case 47: weights of another network, with their harmless twin."""

import numpy as np
import pytest
from network_files import (
    SHAPES,
    tiny_weights,
)

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.weights import check_against


def without(name):
    return {key: array for key, array in tiny_weights().items() if key != name}


FOREIGN = {
    "missing": (without("model.0.bias"), r"model\.0\.bias is missing"),
    "one more": ({**tiny_weights(), "extra": np.zeros(1)}, "extra is left over"),
    "axes of channels swapped": (
        {**tiny_weights(), "model.2.weight": tiny_weights()["model.2.weight"].swapaxes(0, 1)},
        r"model\.2\.weight has shape \(2, 3, 1, 1, 1\), not \(3, 2, 1, 1, 1\)",
    ),
    "another architecture": (
        {f"layer{n}": np.zeros(1) for n in range(5)},
        r"model\.0\.weight is missing; model\.0\.bias is missing; model\.2\.weight is missing "
        "and 6 more",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_case_47_weights_of_another_network_are_refused_naming_three_keys(name):
    weights, said = FOREIGN[name]
    with pytest.raises(WeightsError, match=said):
        check_against(SHAPES, weights, "net")


def test_case_47_twin_weights_of_this_network_are_accepted_in_any_order():
    check_against(SHAPES, dict(reversed(tiny_weights().items())), "net")
