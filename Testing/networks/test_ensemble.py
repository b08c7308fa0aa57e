"""Several networks as one: on networks whose answers are known."""

import hashlib
import json

import numpy as np
import pytest
from network_files import network_folder, tiny_card, tiny_weights, whole_safetensors

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.ensemble import Ensemble
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.segmenter import open_segmenter, stored_sha256
from SegmentationAILib.networks.store import NetworkStore


class Constant:
    """A running network that answers one pair of logits everywhere."""

    out_channels = 2
    precision = "fp32"

    def __init__(self, probability, device="cpu", note=""):
        self.logits = np.log([1 - probability, probability]).astype(np.float32)
        self.device_name, self.notes = device, (note,) if note else ()
        self.releases = 0
        self.is_closed = False

    def __call__(self, patch):
        return np.broadcast_to(
            self.logits.reshape(1, 2, 1, 1, 1), (len(patch), 2, *patch.shape[2:])
        ).copy()

    def release_memory(self):
        self.releases += 1

    def close(self):
        self.is_closed = True


PATCH = np.zeros((1, 1, 3, 4, 5), np.float32)


def test_members_are_averaged_as_probabilities():
    logits = Ensemble([Constant(0.9), Constant(0.2), Constant(0.1)], "softmax")(PATCH)
    assert logits.shape == (1, 2, 3, 4, 5)
    np.testing.assert_allclose(np.exp(logits[0, 1]), 0.4, rtol=1e-5)


def test_nnunets_folds_are_averaged_as_logits():
    logits = Ensemble([Constant(0.9), Constant(0.2)], "logits")(PATCH)
    mean = np.log([0.1 * 0.8, 0.9 * 0.2]) / 2
    np.testing.assert_allclose(logits[0, :, 0, 0, 0], mean, rtol=1e-5)


def test_each_member_gives_its_memory_back_before_the_next_runs():
    members = [Constant(0.9), Constant(0.2)]
    Ensemble(members, "softmax")(PATCH)
    assert [member.releases for member in members] == [1, 1]


def test_one_member_keeps_its_memory_and_its_answer():
    member = Constant(0.3)
    np.testing.assert_allclose(Ensemble([member], "logits")(PATCH), member(PATCH))
    assert member.releases == 0


def test_it_tells_of_all_members_and_closes_them():
    members = [Constant(0.5, "cpu", "a"), Constant(0.5, "GPU", "a"), Constant(0.5, "cpu", "b")]
    ensemble = Ensemble(members, "softmax")
    assert ensemble.device_name == "cpu and GPU"
    assert ensemble.notes == ("a", "b")
    ensemble.close()
    assert all(member.is_closed for member in members)


def installed(store, folder, name, seed, **changes):
    """Install a tiny network with weights and a card of its own."""
    folder = network_folder(folder / name)
    weights = whole_safetensors(tiny_weights(seed))
    (folder / "model.pth").write_bytes(weights)
    card = tiny_card(id=name, sha256=hashlib.sha256(weights).hexdigest(), **changes)
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    install(store, InstallRequest(str(folder), network_id=name), lambda *_: None)


@pytest.fixture
def a_store(tmp_path):
    store = NetworkStore(tmp_path / "home")
    for name, seed in (("one", 0), ("two", 1)):
        installed(store, tmp_path, name, seed)
    return store


def test_ids_with_commas_open_an_ensemble(a_store):
    rng = np.random.default_rng(0)
    patch = rng.random((1, 1, 8, 8, 8), np.float32)
    one, two = (open_segmenter(name, "cpu", "fp32", a_store) for name in ("one", "two"))
    both = open_segmenter("one, two", "cpu", "fp32", a_store)

    def probabilities(segmenter):
        logits = segmenter.network(patch).astype(np.float64)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    mean = (probabilities(one) + probabilities(two)) / 2
    np.testing.assert_allclose(probabilities(both), mean, atol=1e-6)
    assert both.card.id == "one,two"
    joined = f"{one.weights_sha256}\n{two.weights_sha256}".encode()
    assert both.weights_sha256 == hashlib.sha256(joined).hexdigest()
    assert stored_sha256("one,two", a_store) == both.weights_sha256
    assert stored_sha256("one", a_store) == one.weights_sha256


def test_networks_that_want_other_input_are_refused_by_name(a_store, tmp_path):
    installed(a_store, tmp_path, "fine", 2, spacing_mm=[1.0, 1.0, 1.0])
    with pytest.raises(WeightsError, match=r"one and fine differ in their spacing"):
        open_segmenter("one,fine", "cpu", "fp32", a_store)


def test_networks_with_other_labels_are_refused_by_name(a_store, tmp_path):
    first, second = tiny_card()["labels"]
    installed(a_store, tmp_path, "other", 2, labels=[{**first, "name": "Kidney"}, second])
    with pytest.raises(WeightsError, match=r"one and other differ in their labels"):
        open_segmenter("one,other", "cpu", "fp32", a_store)
