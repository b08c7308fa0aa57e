"""Replacing an installed network: the new one takes its place whole, or the old one stays."""

import errno
import json
from pathlib import Path

import pytest
from threshold_network import threshold_network_folder

from SegmentationAILib.core import staging
from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore


@pytest.fixture
def a_store(tmp_path):
    first = threshold_network_folder(tmp_path / "first", id="mine", title="First")
    store = NetworkStore(tmp_path / "home")
    install(store, InstallRequest(str(first), "mine"), check_architecture)
    return store


def test_an_installed_network_is_replaced_when_that_is_asked_for_alone(a_store, tmp_path):
    second = str(threshold_network_folder(tmp_path / "second", id="mine", title="Second"))
    with pytest.raises(WeightsError, match="already"):
        install(a_store, InstallRequest(second, "mine"), check_architecture)
    assert a_store.find("mine").card.title == "First"
    install(a_store, InstallRequest(second, "mine", replaces=True), check_architecture)
    assert a_store.find("mine").card.title == "Second"
    a_store.find("mine").read_weights()


def test_a_replacement_that_is_refused_leaves_the_old_network(a_store, tmp_path):
    second = threshold_network_folder(tmp_path / "second", id="mine", title="Second")
    card = json.loads((second / "card.json").read_text())
    (second / "card.json").write_text(json.dumps({**card, "sha256": "0" * 64}))
    request = InstallRequest(str(second), "mine", replaces=True)
    with pytest.raises(WeightsError):
        install(a_store, request, check_architecture)
    assert a_store.find("mine").card.title == "First"
    a_store.find("mine").read_weights()


@pytest.mark.parametrize("refused", ["fsync", "rename"])
def test_a_replacement_that_the_disk_refuses_leaves_the_old_network(
    a_store, tmp_path, monkeypatch, refused
):
    second = str(threshold_network_folder(tmp_path / "second", id="mine", title="Second"))
    real = Path.rename

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    def rename(path, target):
        return full() if path.name == "ready" else real(path, target)

    with monkeypatch.context() as patch:
        if refused == "fsync":
            patch.setattr(staging.os, "fsync", full)
        else:
            patch.setattr(Path, "rename", rename)
        with pytest.raises(WeightsError, match="No space left"):
            install(a_store, InstallRequest(second, "mine", replaces=True), check_architecture)
    assert a_store.find("mine").card.title == "First"
    a_store.find("mine").read_weights()
    assert [one.name for one in a_store.folder.iterdir() if one.is_dir()] == ["mine"]
