import numpy as np
import pytest
import torch
from conformed_head import conformed_head

from SegmentationAILib.networks.architectures.strided_autoencoder import StridedAutoencoder
from SegmentationAILib.networks.weights import read_weights

DILATIONS = ((1, 2, 4, 6, 8), (1, 10, 12, 16, 12, 10), (8, 6, 4, 2, 1))


def silu(features):
    return features / (1 + np.exp(-features))


def test_one_voxel_layers_are_those_computed_by_hand():
    """Where each 3x3x3 kernel has only its middle, the whole network is arithmetic on voxels."""
    torch.manual_seed(2)
    network = StridedAutoencoder(1, (2, 3), 2, ((1,), (2, 1), (1,))).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv3d) and module.kernel_size == (3, 3, 3):
            middle = module.weight.data[:, :, 1, 1, 1].clone()
            module.weight.data.zero_()
            module.weight.data[:, :, 1, 1, 1] = middle
    state = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    volume = torch.rand(1, 1, 4, 6, 2)

    def mixed(features, name, middle=1):
        weight = state[f"{name}.weight"][:, :, middle, middle, middle]
        bias = state[f"{name}.bias"][:, None, None, None]
        return np.einsum("oc,cxyz->oxyz", weight, features) + bias

    full = silu(mixed(volume[0].double().numpy(), "0"))
    half = silu(mixed(silu(mixed(full[:, ::2, ::2, ::2], "2")), "4"))
    spread = np.einsum("ioabc,ixyz->oxaybzc", state["6.weight"], half)
    spread = spread.reshape(2, 4, 6, 2) + state["6.bias"][:, None, None, None]
    expected = mixed(silu(mixed(spread, "7")), "9", middle=0)
    with torch.inference_mode():
        np.testing.assert_allclose(network(volume)[0].numpy(), expected, atol=1e-5)


def test_the_published_weights_fit_name_by_name(the_weights):
    weights = read_weights(the_weights / "sae_robust_tissue" / "model.pth")
    network = StridedAutoencoder(1, (16, 32), 3, DILATIONS)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert shapes == {name: array.shape for name, array in weights.items()}
    assert sum(array.size for array in weights.values()) == 219_219


@pytest.mark.slow
def test_real_weights_find_both_tissues_of_a_whole_head(the_weights, the_data):
    """Only with the skull around it does this network see a brain."""
    network = StridedAutoencoder(1, (16, 32), 3, DILATIONS).eval()
    weights = read_weights(the_weights / "sae_robust_tissue" / "model.pth")
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    head = conformed_head(the_data / "brain-t1" / "t1.nii.gz")[32:232, 40:220, 20:256]
    with torch.inference_mode():
        logits = network(torch.from_numpy(np.ascontiguousarray(head))[None, None])
    labels = logits[0].argmax(dim=0).numpy()
    grey, white = (head[labels == value].mean() for value in (1, 2))
    # The order of the labels is the other one than in the MeshNets: 2 is the bright white matter.
    assert white > grey + 0.1
    assert 550 < (labels == 1).sum() / 1000 < 780
    assert 470 < (labels == 2).sum() / 1000 < 680


@pytest.mark.parametrize(
    ("channels", "dilations", "activation"),
    [((4,), DILATIONS, "silu"), ((4, 8), DILATIONS[:2], "silu"), ((4, 8), DILATIONS, "relu")],
)
def test_other_shapes_are_refused(channels, dilations, activation):
    with pytest.raises(ValueError, match="a strided autoencoder has silu"):
        StridedAutoencoder(1, channels, 3, dilations, activation)
