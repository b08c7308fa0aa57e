"""Networks that stay open: the last two, never one that was exchanged or removed."""

import json

import pytest
from threshold_network import card, threshold_network_folder

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.worker.warm_networks import MOST_OPEN, WarmNetworks


@pytest.fixture
def a_store(a_home, tmp_path):
    store = NetworkStore(a_home)
    source = threshold_network_folder(tmp_path / "net")
    for name in ("a", "b", "c"):
        install(store, InstallRequest(str(source), name), check_architecture)
    return store


@pytest.fixture
def warm(a_store):
    networks = WarmNetworks()
    yield networks
    networks.release()


def opened(warm, name):
    return warm.segmenter(name, "cpu", "fp32")


def test_the_last_networks_stay_open_and_older_ones_are_closed(warm):
    assert MOST_OPEN == 2
    a, b = opened(warm, "a"), opened(warm, "b")
    assert opened(warm, "a") is a
    opened(warm, "c")
    assert opened(warm, "a") is a
    assert opened(warm, "b") is not b


def test_release_and_drop_close_networks(warm):
    a, b = opened(warm, "a"), opened(warm, "b")
    warm.drop(a)
    assert opened(warm, "b") is b
    assert opened(warm, "a") is not a
    warm.release()
    assert opened(warm, "b") is not b


def test_a_network_that_was_removed_or_exchanged_is_not_run_again(warm, a_store, tmp_path):
    before = opened(warm, "a")
    a_store.remove("a")
    with pytest.raises(WeightsError, match="no network a"):
        opened(warm, "a")
    exchanged = threshold_network_folder(tmp_path / "other")
    weights = exchanged / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    install_changed(a_store, exchanged)
    after = opened(warm, "a")
    assert after is not before
    assert after.weights_sha256 != before.weights_sha256


def install_changed(store, folder):
    """Install weights that were changed, under a card that names their hash."""
    (folder / "card.json").write_text(json.dumps(card(folder / "weights.safetensors")))
    install(store, InstallRequest(str(folder), "a"), check_architecture)
