"""ONNX networks that torch exported: installed as data, with the labels of torch's own run."""

import json

import numpy as np
import onnx
import onnx_networks as book
import pytest
import torch

import SegmentationAILib.networks.onnx_check as onnx_check
import SegmentationAILib.networks.run_onnx as run_onnx
from SegmentationAILib.core.errors import SegmentationAIError, WeightsError
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.networks.device import Device
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.formats import known
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore

from phantoms import oblique_affine

TIE = 1e-3
VALUES = np.array([0, 7, 3])


@pytest.fixture(scope="session")
def a_network():
    return book.module()


@pytest.fixture(scope="session")
def an_onnx_file(a_network, tmp_path_factory):
    return book.exported(a_network, tmp_path_factory.mktemp("onnx") / "net.onnx")


@pytest.fixture
def a_file(an_onnx_file, tmp_path):
    """A copy in a folder of its own."""
    (tmp_path / "net").mkdir()
    path = tmp_path / "net" / "net.onnx"
    path.write_bytes(an_onnx_file.read_bytes())
    return path


@pytest.fixture
def a_store(a_home):
    return NetworkStore(a_home)


def a_volume(shape=(32, 36, 16)):
    waves = np.add.outer(np.sin(np.arange(shape[0]) / 4), np.cos(np.arange(shape[1]) / 5))
    voxels = waves[:, :, None] + np.sin(np.arange(shape[2]) / 3)
    voxels = voxels + np.random.default_rng(2).normal(0, 0.3, shape)
    return Volume(voxels[None].astype(np.float32), oblique_affine())


def check_equal(store, network, volume):
    """Assert that labels are torch's own, but where its two best logits lie within 1e-3."""
    ours = open_segmenter("net", "cpu", "fp32", store).segment(volume).labelmap.layers[0]
    logits = network(torch.from_numpy(volume.voxels[None].astype(np.float32)))[0].numpy()
    theirs = VALUES[logits.argmax(axis=0)]
    ordered = np.sort(logits, axis=0)
    differ = ours != theirs
    assert len(np.unique(theirs)) == 3
    assert (ordered[-1] - ordered[-2])[differ].max(initial=0.0) < TIE
    return int(differ.sum())


def test_labels_are_those_of_torch_and_survive_export(a_file, a_network, a_store, tmp_path):
    folder = book.with_card(a_file)
    card = install(a_store, InstallRequest(str(folder)), check_architecture).card
    assert card.architecture.name == "onnx"
    print(check_equal(a_store, a_network, a_volume()), "voxels differ")
    a_store.export("net", tmp_path / "net.zip")
    a_store.remove("net")
    install(a_store, InstallRequest(str(tmp_path / "net.zip")), check_architecture)
    check_equal(a_store, a_network, a_volume())


def test_a_card_inside_the_file_serves_as_well(a_file, a_network, a_store):
    path = book.with_card_inside(a_file)
    install(a_store, InstallRequest(str(path)), check_architecture)
    check_equal(a_store, a_network, a_volume())


def test_weights_beside_the_file_are_taken_in(a_file, a_network, a_store):
    whole = onnx.load(a_file)
    onnx.save(whole, a_file, save_as_external_data=True, location="net.data", size_threshold=64)
    assert a_file.with_name("net.data").stat().st_size > 1000
    folder = book.with_card(a_file)
    install(a_store, InstallRequest(str(folder)), check_architecture)
    check_equal(a_store, a_network, a_volume())


def test_windows_of_a_fixed_size_give_the_logits_of_torch(a_network, a_store, tmp_path):
    (tmp_path / "net").mkdir()
    path = book.exported(a_network, tmp_path / "net" / "net.onnx", is_any_size=False)
    folder = book.with_card(path, patch_size=[16, 24, 12], overlap=0.5)
    install(a_store, InstallRequest(str(folder)), check_architecture)
    patches = np.random.default_rng(3).normal(size=(2, 1, 16, 24, 12)).astype(np.float32)
    found = open_segmenter("net", "cpu", "fp32", a_store).network(patches)
    np.testing.assert_allclose(found, a_network(torch.from_numpy(patches)).numpy(), atol=2e-4)


def test_a_network_of_planes_answers_each_slice_as_torch_does(a_store, tmp_path):
    network = book.module(dimensions=2)
    (tmp_path / "net").mkdir()
    path = book.exported(network, tmp_path / "net" / "net.onnx", (1, 1, 32, 36))
    folder = book.with_card(path, patch_size=[32, 36, 1], divisible_by=1)
    install(a_store, InstallRequest(str(folder)), check_architecture)
    volume = a_volume()
    ours = open_segmenter("net", "cpu", "fp32", a_store).segment(volume).labelmap.layers[0]
    planes = torch.from_numpy(volume.voxels[0].astype(np.float32)).permute(2, 0, 1)[:, None]
    logits = network(planes).permute(1, 2, 3, 0).numpy()
    ordered = np.sort(logits, axis=0)
    differ = ours != VALUES[logits.argmax(axis=0)]
    assert (ordered[-1] - ordered[-2])[differ].max(initial=0.0) < TIE
    assert len(np.unique(ours)) == 3


@pytest.mark.slow
def test_what_torchs_newer_exporter_writes_is_run_too(a_network, a_store, tmp_path):
    (tmp_path / "net").mkdir()
    path = tmp_path / "net" / "net.onnx"
    sides = {2: "x", 3: "y", 4: "z"}
    torch.onnx.export(
        a_network, (torch.zeros(1, 1, 16, 24, 12),), str(path), dynamo=True,
        dynamic_shapes=(sides,), external_data=True, verbose=False,
    )  # fmt: skip
    assert path.with_name("net.onnx.data").is_file()
    install(a_store, InstallRequest(str(book.with_card(path))), check_architecture)
    check_equal(a_store, a_network, a_volume())


def test_without_openvino_it_is_refused_by_name(a_file, a_store, monkeypatch):
    folder = book.with_card(a_file)
    monkeypatch.setattr(onnx_check, "package_folders", lambda *_: [])
    with pytest.raises(WeightsError, match="OpenVINO is not installed"):
        install(a_store, InstallRequest(str(folder)), check_architecture)
    monkeypatch.undo()
    install(a_store, InstallRequest(str(folder)), check_architecture)
    monkeypatch.setattr(run_onnx, "openvino_is_there", lambda: False)
    with pytest.raises(WeightsError, match="OpenVINO is not installed"):
        open_segmenter("net", "cpu", "fp32", a_store)


def test_a_gpu_asked_for_by_name_and_dropout_are_refused(a_file):
    card = known.onnx.read(
        known.files_in(book.with_card(a_file)), a_file.parent.parent
    ).card  # fmt: skip
    gpu = Device("cuda", "cuda:0", "A GPU")
    run_onnx.check_can_run(card, gpu, "auto", 0)
    with pytest.raises(SegmentationAIError, match="on the CPU alone"):
        run_onnx.check_can_run(card, gpu, "cuda", 0)
    with pytest.raises(SegmentationAIError, match="no dropout"):
        run_onnx.check_can_run(card, gpu, "auto", 5)


def test_a_file_without_a_card_is_refused_and_one_of_another_architecture(a_file, a_store):
    with pytest.raises(WeightsError, match=r"no card\.json beside it"):
        install(a_store, InstallRequest(str(a_file)), check_architecture)
    other = book.card(a_file)
    other["architecture"] = {"name": "unet", "parameters": {}}
    (a_file.parent / "card.json").write_text(json.dumps(other))
    with pytest.raises(WeightsError, match="names the architecture unet"):
        install(a_store, InstallRequest(str(a_file.parent)), check_architecture)
