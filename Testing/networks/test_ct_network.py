"""The network that the tests train on a real CT knows it by heart, and runs on another."""

import numpy as np
import pytest
from ct_network import ORGANS, ct_network_folder

from SegmentationAILib.core.files import read_labelmap, read_volume
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore


@pytest.fixture(scope="module")
def a_segmenter(the_data, tmp_path_factory):
    folder = ct_network_folder(tmp_path_factory.mktemp("made") / "ct-organs", the_data)
    store = NetworkStore(tmp_path_factory.mktemp("home"))
    install(store, InstallRequest(str(folder), "ct-organs"), check_architecture)
    return open_segmenter("ct-organs", store=store)


def dices(found, truth):
    for value, name, *_ in ORGANS:
        one, true = found == value, truth == value
        yield name, 2 * np.count_nonzero(one & true) / (one.sum() + true.sum())


def test_it_finds_every_organ_of_the_scan_that_it_learned(a_segmenter, the_data):
    scan = the_data / "ct-torso-3mm"
    result = a_segmenter.segment(read_volume(scan / "ct_small.nii.gz"))
    truth = read_labelmap(scan / "ct_small_labels.nii.gz").layers[0]
    scores = dict(dices(result.labelmap.layers[0], truth))
    assert min(scores.values()) > 0.8, scores
    assert np.mean(list(scores.values())) > 0.88, scores


def test_it_runs_on_the_whole_torso_in_several_patches(a_segmenter, the_data):
    volume = read_volume(the_data / "ct-torso-3mm" / "ct.nii.gz")
    seen = []
    result = a_segmenter.segment(volume, progress=Progress(lambda f, s: seen.append(s)))
    found = result.labelmap.layers[0]
    assert found.shape == volume.grid.shape
    assert {1, 2, 3, 5} <= set(np.unique(found))
    assert any(sentence.startswith("Patch 2 of ") for sentence in seen), set(seen)


def test_the_same_session_gets_the_same_weights_without_training(
    a_segmenter, the_data, tmp_path, monkeypatch
):
    monkeypatch.delattr("ct_network._fit")
    folder = ct_network_folder(tmp_path / "again", the_data, title="Another title")
    assert '"Another title"' in (folder / "card.json").read_text()
    assert a_segmenter.weights_sha256 in (folder / "card.json").read_text()
