import numpy as np
import pytest
import torch

from SegmentationAILib.networks.architectures.space_to_depth_unet import (
    SpaceToDepthUNet,
    depth_to_space,
    space_to_depth,
)


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads wait for each other a thousand times as long as these small networks compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def a_network():
    torch.manual_seed(0)
    network = SpaceToDepthUNet(in_channels=2, out_channels=3, widths=(8, 16)).eval()
    torch.nn.init.normal_(network.head.bias)
    torch.nn.init.normal_(network.detail_head.weight)
    return network


def test_each_block_of_eight_voxels_becomes_eight_channels():
    volume = torch.arange(2 * 4 * 2 * 6).reshape(1, 2, 4, 2, 6)
    folded = space_to_depth(volume)
    assert folded.shape == (1, 16, 2, 1, 3)
    # channel 1 of the volume, place (1, 0, 1) in the block at (1, 0, 2)
    assert folded[0, 8 + 5, 1, 0, 2] == volume[0, 1, 3, 0, 5]
    assert torch.equal(depth_to_space(folded), volume)


@torch.no_grad()
def test_strided_and_folded_forms_give_the_same_logits(a_network):
    patch = torch.randn(2, 2, 8, 16, 12, generator=torch.Generator().manual_seed(1))
    logits = a_network(patch)
    assert logits.shape == (2, 3, 8, 16, 12)
    torch.testing.assert_close(a_network.training_logits(patch), logits, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_a_new_branch_for_detail_adds_nothing():
    torch.manual_seed(1)
    network = SpaceToDepthUNet(1, 3, (8, 16))
    patch = torch.randn(1, 1, 8, 16, 12)
    coarse = depth_to_space(network.folded_logits(patch))
    torch.testing.assert_close(network(patch), coarse, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_the_branch_for_detail_sees_single_voxels(a_network):
    patch = torch.zeros(1, 2, 8, 16, 12)
    patch[0, 0, 3, 7, 6] = 1.0
    detail = a_network(patch) - depth_to_space(a_network.folded_logits(patch))
    change = (detail[0, :, 3, 7, 6] - detail[0, :, 0, 0, 0]).abs().max()
    assert change > 0.1


@torch.no_grad()
def test_every_voxel_of_a_block_can_answer_for_itself(a_network):
    bias = torch.arange(24.0)
    network = SpaceToDepthUNet(2, 3, (8, 16))
    torch.nn.init.zeros_(network.head.weight)
    network.head.bias.copy_(bias)
    logits = network(torch.zeros(1, 2, 4, 4, 4))
    assert torch.equal(logits[0, 1, 2:, :2, 2:].flatten(), bias[8:16])


def test_the_shipped_networks_size_fits_ten_megabytes_in_half_precision():
    network = SpaceToDepthUNet()
    count = sum(p.numel() for p in network.parameters())
    # counted by hand per level: stem, 2 convolutions and norms a block, shortcuts, steps, head
    blocks = sum(2 * 27 * w * w + 4 * w for w in (32, 64, 128, 160))
    decoder = sum(27 * 3 * w * w + 2 * w * w + 4 * w for w in (32, 64, 128))
    steps = 2 * 8 * (32 * 64 + 64 * 128 + 128 * 160)
    detail = 8 * 32 * 15 + 27 * 16 * 16 + 2 * 16 + 16 * 17
    assert count == 27 * 8 * 32 + blocks + decoder + steps + 33 * 8 * 17 + detail
    assert 2 * count < 10_000_000
    assert network.stride == 16


def test_it_learns_two_half_spaces_in_a_few_steps():
    torch.manual_seed(2)
    network = SpaceToDepthUNet(1, 2, (8, 16))
    patch = torch.randn(1, 1, 8, 12, 8) * 0.1
    patch[..., 5:] += 1.0
    truth = torch.zeros(1, 8, 12, 8, dtype=torch.long)
    truth[..., 5:] = 1
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(patch), truth).backward()
        optimizer.step()
    assert (network(patch).argmax(dim=1) == truth).float().mean() > 0.99


@torch.no_grad()
def test_openvino_gives_the_same_logits(a_network):
    openvino = pytest.importorskip("openvino")
    patch = torch.randn(1, 2, 8, 12, 16, generator=torch.Generator().manual_seed(3))
    converted = openvino.convert_model(a_network, example_input=patch)
    compiled = openvino.Core().compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(patch.numpy())[0]
    np.testing.assert_allclose(found, a_network(patch).numpy(), atol=1e-4)
