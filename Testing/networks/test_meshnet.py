"""MeshNet in four forms: by hand, as a module, interleaved, and streamed slab by slab."""

import numpy as np
import pytest
import torch
from conformed_head import conformed_head, middle_of_the_head
from safetensors.torch import load_file

from SegmentationAILib.networks.architectures.meshnet import MeshNet
from SegmentationAILib.networks.interleaved_meshnet import (
    InterleavedMeshNet,
    deinterleave,
    interleave,
)
from SegmentationAILib.networks.streamed_meshnet import streamed_logits

SHAPE = (16, 8, 12)
DILATIONS = (1, 2, 4, 8, 4, 1)


@pytest.fixture(autouse=True)
def one_thread():
    """Threads of tiny layers wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def a_network(normalization="none", activation="elu", seed=3) -> MeshNet:
    torch.manual_seed(seed)
    network = MeshNet(2, 6, 4, DILATIONS, activation, normalization).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2.0)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.5, 0.5)
    return network


def a_volume(shape=SHAPE) -> torch.Tensor:
    return torch.rand((1, 2, *shape), generator=torch.Generator().manual_seed(5))


def dilated_by_hand(volume, weight, bias, dilation):
    """A dilated convolution from its definition: a sum over 27 shifted copies."""
    padded = np.pad(volume, [(0, 0)] + [(dilation, dilation)] * 3)
    sides = volume.shape[1:]
    answer = np.zeros((len(weight), *sides)) + bias[:, None, None, None]
    for i, j, k in np.ndindex(3, 3, 3):
        starts = [dilation * n for n in (i, j, k)]
        shifted = padded[
            (slice(None), *(slice(s, s + n) for s, n in zip(starts, sides, strict=True)))
        ]
        answer += np.einsum("oc,cxyz->oxyz", weight[:, :, i, j, k], shifted)
    return answer


def test_the_logits_are_those_computed_by_hand():
    network, volume = a_network(), a_volume()
    state = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    features = volume[0].double().numpy()
    for number, dilation in enumerate(DILATIONS):
        weight, bias = (state[f"model.{2 * number}.{part}"] for part in ("weight", "bias"))
        features = dilated_by_hand(features, weight, bias, dilation)
        features = np.where(features > 0, features, np.expm1(features))
    head = state[f"model.{2 * len(DILATIONS)}.weight"][:, :, 0, 0, 0]
    bias = state[f"model.{2 * len(DILATIONS)}.bias"][:, None, None, None]
    expected = np.einsum("oc,cxyz->oxyz", head, features) + bias
    with torch.inference_mode():
        np.testing.assert_allclose(network(volume)[0].numpy(), expected, atol=1e-5)


def test_no_logit_depends_on_voxels_beyond_the_receptive_radius():
    network, volume = a_network(), a_volume((50, 4, 4))
    changed = volume.clone()
    changed[:, :, 0] += 10
    with torch.inference_mode():
        differs = (network(volume) != network(changed)).any(dim=1)[0].any(dim=2).any(dim=1)
    assert network.receptive_radius == sum(DILATIONS)
    assert differs.nonzero().max() == sum(DILATIONS)


@pytest.mark.parametrize("normalization", ["none", "batch", "instance"])
@pytest.mark.parametrize("activation", ["elu", "relu", "gelu"])
@pytest.mark.parametrize("shape", [SHAPE, (15, 6, 9)])
def test_the_interleaved_form_gives_equal_logits(normalization, activation, shape):
    network, volume = a_network(normalization, activation), a_volume(shape)
    with torch.inference_mode():
        expected = network(volume)
        found = InterleavedMeshNet(network, shape)(volume)
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("normalization", ["none", "batch", "instance"])
@pytest.mark.parametrize(
    ("planes", "shape"),
    [(1, (7, 8, 12)), (5, SHAPE), (5, (17, 6, 9)), (16, SHAPE), (100, SHAPE), (16, (3, 8, 12))],
)
def test_slabs_joined_are_the_whole(normalization, planes, shape):
    network, volume = a_network(normalization), a_volume(shape)
    with torch.inference_mode():
        expected = network(volume)
    slabs = list(streamed_logits(network, volume, planes=planes))
    torch.testing.assert_close(torch.cat(slabs, dim=2), expected, atol=1e-5, rtol=1e-5)


def test_a_first_slab_comes_out_before_the_whole_has_gone_in():
    """What keeps the memory small: the last layers work while the first still wait for input."""
    network, volume = a_network(), a_volume((120, 4, 4))
    slabs = list(streamed_logits(network, volume, planes=8))
    assert len(slabs) >= (120 - sum(DILATIONS)) // 8
    assert max(slab.shape[2] for slab in slabs) <= 8 + max(DILATIONS)


def test_interleaving_puts_every_fourth_voxel_on_a_grid_of_its_own():
    line = torch.arange(8.0).reshape(1, 1, 8, 1, 1).expand(1, 1, 8, 4, 4)
    grids = interleave(line, 4)
    assert grids.shape == (64, 1, 2, 1, 1)
    assert grids[0].ravel().tolist() == [0, 4]
    assert grids[16 * 3].ravel().tolist() == [3, 7]
    volume = a_volume()
    torch.testing.assert_close(deinterleave(interleave(volume, 4), 4), volume, rtol=0, atol=0)


@pytest.mark.parametrize(("activation", "normalization"), [("tanh", "none"), ("elu", "layer")])
def test_an_unknown_parameter_is_refused(activation, normalization):
    with pytest.raises(ValueError, match="MeshNet has no"):
        MeshNet(1, 5, 3, (1, 2), activation, normalization)


def test_real_weights_tell_white_from_grey_matter_and_agree_with_the_streamed_form(
    the_weights, the_data
):
    network = MeshNet(1, 5, 3, (1, 2, 4, 8, 16, 8, 4, 2, 1), "relu").eval()
    network.load_state_dict(load_file(the_weights / "model5_gw_ae" / "model.pth"))
    block = middle_of_the_head(the_data / "brain-t1" / "t1.nii.gz", (56, 56, 56))
    with torch.inference_mode():
        logits = network(torch.from_numpy(block))[0].numpy()
    streamed = torch.cat(list(streamed_logits(network, torch.from_numpy(block))), dim=2)
    np.testing.assert_allclose(streamed[0].numpy(), logits, atol=1e-4)
    labels = logits.argmax(axis=0)
    white, grey = (block[0, 0][labels == value].mean() for value in (1, 2))
    # T1: white matter is brighter, and both fill much of the middle of a head.
    assert white > grey + 0.05
    assert 0.15 < (labels == 1).mean() < 0.6
    assert 0.1 < (labels == 2).mean() < 0.6


VOLUMES_ML = {"Hippocampus": (6, 9), "Brain-Stem": (18, 28)}


@pytest.mark.slow
def test_the_subcortical_network_finds_plausible_volumes(the_weights, the_data, a_home):
    from SegmentationAILib.networks.build import load_network
    from SegmentationAILib.networks.catalog import catalog

    card = catalog().by_id("subcortical")
    tensors = load_file(the_weights / "subcortical" / "model.pth")
    weights = {name: tensor.numpy() for name, tensor in tensors.items()}
    head = conformed_head(the_data / "brain-t1" / "t1.nii.gz")
    labels = load_network(card, weights, "cpu", "fp32")(head[None, None])[0].argmax(axis=0)
    for channel, label in enumerate(card.labels, start=1):
        low, high = VOLUMES_ML.get(label.name, (0.1, 600))
        assert low < (labels == channel).sum() / 1000 < high, label.name


@pytest.mark.slow
def test_mindgrab_finds_the_whole_brain(the_weights, the_data):
    from SegmentationAILib.networks.build import load_network
    from SegmentationAILib.networks.catalog import catalog
    from SegmentationAILib.networks.weights import read_weights

    card = next(card for card in catalog().recognized if card.id == "mindgrab")
    weights = read_weights(the_weights / "mindgrab" / "model.pth")
    head = conformed_head(the_data / "brain-t1" / "t1.nii.gz")
    logits = load_network(card, weights, "cpu", "fp32")(head[None, None])[0]
    # About 1607 ml are known of a normal head, fluid included; torch in one piece on this: 1564.5.
    assert (logits.argmax(axis=0) == 1).sum() / 1000 == pytest.approx(1564.5, rel=0.005)
