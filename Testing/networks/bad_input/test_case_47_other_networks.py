"""Case 47: weights of another network, with their harmless twin."""

import hashlib
import json

import numpy as np
import pytest
from network_files import SHAPES, tiny_card, tiny_weights, whole_safetensors

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.catalog import Catalog, catalog
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.networks.weights import check_against, read_weights


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


def swapped(weights, *names):
    """The same weights with the in and out channels of some convolutions exchanged."""
    return {k: a.swapaxes(0, 1).copy() if k in names else a for k, a in weights.items()}


def test_case_47_a_whole_network_with_swapped_channels_is_refused_by_name(the_weights):
    """Every layer swapped, as a converter that takes one order for the other would leave it."""
    weights = read_weights(the_weights / "subcortical" / "model.pth")
    convolutions = [name for name, array in weights.items() if array.ndim == 5]
    with pytest.raises(WeightsError, match=r"model\.0\.weight has shape \(1, 30, 3, 3, 3\)"):
        check_architecture(catalog().by_id("subcortical"), swapped(weights, *convolutions))
    check_architecture(catalog().by_id("subcortical"), weights)


def test_case_47_one_square_layer_with_swapped_channels_has_another_hash(a_home, tmp_path):
    """Its shape is right, so only the card's SHA-256 tells: at the install and at every opening."""
    layers = {"model.0": (2, 1, 3, 3, 3), "model.2": (2, 2, 3, 3, 3), "model.4": (3, 2, 1, 1, 1)}
    rng = np.random.default_rng(0)
    weights = {f"{n}.weight": rng.normal(size=s).astype("<f4") for n, s in layers.items()}
    weights |= {f"{n}.bias": np.zeros(s[0], "<f4") for n, s in layers.items()}
    whole = whole_safetensors(weights)
    turned = whole_safetensors(swapped(weights, "model.2.weight"))
    assert len(turned) == len(whole)
    parameters = {**tiny_card()["architecture"]["parameters"], "dilations": [1, 1]}
    card = tiny_card(
        sha256=hashlib.sha256(whole).hexdigest(),
        architecture={"name": "meshnet", "parameters": parameters},
    )
    store = NetworkStore(cards=Catalog(()))
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "card.json").write_text(json.dumps(card))
    (tmp_path / "net" / "weights.safetensors").write_bytes(turned)
    request = InstallRequest(str(tmp_path / "net"))
    with pytest.raises(WeightsError, match="SHA-256"):
        install(store, request, check_architecture)
    assert store.listing().networks == ()
    (tmp_path / "net" / "weights.safetensors").write_bytes(whole)
    stored = install(store, request, check_architecture)
    np.testing.assert_array_equal(
        stored.read_weights()["model.2.weight"], weights["model.2.weight"]
    )
    stored.weights.write_bytes(turned)
    with pytest.raises(WeightsError, match="SHA-256"):
        stored.read_weights()
