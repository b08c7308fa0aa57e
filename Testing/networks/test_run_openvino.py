"""OpenVINO against torch, what it keeps on disk, and what happens without it."""

import dataclasses

import numpy as np
import pytest
import torch
from conformed_head import middle_of_the_head
from safetensors.torch import load_file

from SegmentationAILib.networks import build, run_openvino
from SegmentationAILib.networks.architectures.meshnet import MeshNet
from SegmentationAILib.networks.architectures.space_to_depth_unet import SpaceToDepthUNet
from SegmentationAILib.networks.architectures.strided_autoencoder import StridedAutoencoder
from SegmentationAILib.networks.build import load_network
from SegmentationAILib.networks.catalog import catalog
from SegmentationAILib.networks.interleaved_meshnet import InterleavedMeshNet
from SegmentationAILib.networks.run_openvino import OpenVinoNetwork

SHAPE = (16, 16, 32)


def a_module(name):
    torch.manual_seed(8)
    if name == "strided":
        return StridedAutoencoder(1, (4, 6), 3, ((1, 2), (1, 2), (2, 1))).eval()
    if name == "u-net":
        return SpaceToDepthUNet(1, 3, widths=(8, 16)).eval()
    normalization = "instance" if name == "instance" else "none"
    return MeshNet(1, 5, 3, (1, 4, 1), "gelu", normalization).eval()


def as_openvino(module, precision="fp32", identity="a", calibration=()):
    def model_for(shape):
        is_mesh = isinstance(module, MeshNet)
        found = InterleavedMeshNet(module, shape[2:]) if is_mesh else module
        return run_openvino.converted(found, shape)

    return OpenVinoNetwork(model_for, identity, 3, precision, calibration)


def some_patches(batch=2):
    return np.random.default_rng(6).random((batch, 1, *SHAPE), dtype=np.float32)


def logits_of(module, patches):
    with torch.inference_mode():
        return module(torch.from_numpy(patches)).numpy()


@pytest.mark.parametrize("name", ["plain", "instance", "strided", "u-net"])
def test_single_precision_equals_torch(a_home, name):
    module, patches = a_module(name), some_patches()
    expected = logits_of(module, patches[:1])
    assert expected.std() > 1e-3
    network = as_openvino(module)
    np.testing.assert_allclose(network(patches)[:1], expected, atol=1e-4)
    assert (network.device_name, network.precision, network.notes) == ("cpu", "fp32", ())


def test_every_answer_is_an_array_of_its_own(a_home):
    network, patches = as_openvino(a_module("plain")), some_patches()
    first = network(patches[:1])
    kept = first.copy()
    network(patches[1:])
    np.testing.assert_array_equal(first, kept)


def test_a_second_start_reads_what_the_first_converted(a_home, monkeypatch):
    module, patches = a_module("plain"), some_patches()
    expected = as_openvino(module)(patches)
    monkeypatch.setattr(run_openvino, "converted", None)  # calling it would fail
    np.testing.assert_array_equal(as_openvino(module)(patches), expected)
    assert (a_home / "cache" / "openvino").is_dir()
    with pytest.raises(TypeError):
        as_openvino(module, identity="other weights")(patches)


def test_a_damaged_copy_on_disk_is_made_again_with_a_note(a_home):
    module, patches = a_module("plain"), some_patches()
    expected = as_openvino(module)(patches)
    for path in (a_home / "cache" / "openvino").glob("*/network.xml"):
        path.write_text("<net", encoding="utf-8")
    network = as_openvino(module)
    np.testing.assert_array_equal(network(patches), expected)
    assert "damaged" in network.notes[0]


@pytest.mark.skipif(
    not {"bf16", "int8"} <= set(run_openvino.openvino_precisions()),
    reason="this CPU has no bf16 or NNCF is absent",
)
@pytest.mark.parametrize(("precision", "error"), [("bf16", 0.03), ("int8", 0.15)])
def test_lower_precision_is_near_and_not_equal(a_home, precision, error):
    module, patches = a_module("plain"), some_patches()
    expected = logits_of(module, patches)
    calibration = [patches[:1]] if precision == "int8" else []
    found = as_openvino(module, precision, calibration=calibration)(patches)
    relative = np.linalg.norm(found - expected) / np.linalg.norm(expected - expected.mean())
    assert 1e-6 < relative < error


@pytest.mark.skipif("bf16" not in run_openvino.openvino_precisions(), reason="this CPU has no bf16")
def test_what_was_compiled_in_one_precision_is_not_taken_for_another(a_home):
    """OpenVINO's own cache does: f32 first, then bf16 from one folder, and Dice fell to 0.6."""
    module, patches = a_module("u-net"), some_patches(1)
    expected = logits_of(module, patches)
    as_openvino(module)(patches)
    for _ in range(2):
        found = as_openvino(module, "bf16")(patches)
        relative = np.linalg.norm(found - expected) / np.linalg.norm(expected)
        assert 1e-6 < relative < 0.03
        single = as_openvino(module)(patches)
        np.testing.assert_allclose(single, expected, atol=1e-4)


def card_and_weights(the_weights):
    card = catalog().by_id("model5_gw_ae")
    tensors = load_file(the_weights / "model5_gw_ae" / "model.pth")
    return card, {name: tensor.numpy() for name, tensor in tensors.items()}


def test_without_openvino_torch_finds_the_same_labels_and_says_so(
    a_home, the_weights, the_data, monkeypatch
):
    card, weights = card_and_weights(the_weights)
    block = middle_of_the_head(the_data / "brain-t1" / "t1.nii.gz", (48, 48, 48))
    with_it = load_network(card, weights, "cpu", "fp32")
    expected = with_it(block)
    monkeypatch.setattr(build, "openvino_is_there", lambda: False)
    without = load_network(card, weights, "cpu")
    found = without(block)
    np.testing.assert_array_equal(found.argmax(1), expected.argmax(1))
    assert with_it.notes == ()
    assert without.notes == (build.WITHOUT_OPENVINO,)


def test_the_shape_of_the_answer_is_the_cards(a_home, the_weights):
    card, weights = card_and_weights(the_weights)
    network = load_network(card, weights, "cpu", "fp32")
    assert network.out_channels == 3
    assert network(some_patches(1)).shape == (1, 3, *SHAPE)


def test_weights_of_another_network_are_refused(a_home, the_weights):
    from SegmentationAILib.core.errors import WeightsError

    card, weights = card_and_weights(the_weights)
    other = dataclasses.replace(card, architecture=catalog().by_id("subcortical").architecture)
    with pytest.raises(WeightsError, match=r"model\.0"):
        load_network(other, weights, "cpu")
