import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from SegmentationAILib.networks.architectures.space_to_depth_unet import depth_to_space
from SegmentationAILib.networks.architectures.two_scale_unet import LocalBlock, TwoScaleUNet
from SegmentationAILib.networks.registry import build

SMALL = {"widths": (8, 16), "fine_widths": (8, 16), "hidden": 16}


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
    return TwoScaleUNet(in_channels=1, out_channels=3, **SMALL).eval().requires_grad_(False)


def noise(*shape, seed=1):
    return torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(seed))


def unfolded(folded, channels):
    """Folded logits on the full grid; their channels are place in the block, then answer."""
    b, _, x, y, z = folded.shape
    by_answer = folded.reshape(b, 8, channels, x, y, z).transpose(1, 2)
    return depth_to_space(by_answer.reshape(b, 8 * channels, x, y, z))


def test_strided_and_folded_forms_give_the_same_logits(a_network):
    patch = noise(16, 24, 32)
    features = a_network.whole.training_features(torch.nn.functional.avg_pool3d(patch, 2))
    folded = a_network.fine_logits(patch, features)
    assert a_network(patch).shape == (1, 3, 16, 24, 32)
    torch.testing.assert_close(unfolded(folded, 3), a_network(patch), atol=2e-5, rtol=1e-4)


def test_the_second_look_at_a_crop_is_that_at_the_whole_but_for_its_faces(a_network):
    """Convolutions reach 10 blocks of 2 voxels: stem 1, blocks 2 + 2 * 2 + 2, steps in between."""
    patch = noise(80, 8, 8)
    features = a_network.whole(torch.nn.functional.avg_pool3d(patch, 2))
    whole = a_network.fine_logits(patch, features)
    crop = a_network.fine_logits(patch[:, :, 8:72], features[:, :, 2:18])
    torch.testing.assert_close(crop[:, :, 10:-10], whole[:, :, 14:-14], atol=1e-5, rtol=1e-4)
    assert (crop[:, :, 0] - whole[:, :, 4]).abs().max() > 1e-3


def test_the_norm_of_a_voxel_knows_nothing_of_other_voxels():
    torch.manual_seed(2)
    block = LocalBlock(8, 8).eval().requires_grad_(False)
    features = torch.randn(1, 8, 12, 4, 4)
    changed = features.clone()
    changed[:, :, 11] += 5.0
    # two convolutions reach two voxels
    assert torch.equal(block(features)[:, :, :9], block(changed)[:, :, :9])
    assert not torch.equal(block(features)[:, :, 9], block(changed)[:, :, 9])


def test_the_first_look_reaches_where_the_second_does_not(a_network):
    patch = noise(80, 16, 16)
    changed = patch.clone()
    changed[:, :, 72:] = 0.0
    difference = (a_network(changed) - a_network(patch))[:, :, :16].abs().max()
    assert difference > 1e-4


def test_every_voxel_of_a_block_can_answer_for_itself():
    network = TwoScaleUNet(1, 3, **SMALL).requires_grad_(False)
    torch.nn.init.zeros_(network.head.weight)
    network.head.bias.copy_(torch.arange(24.0))
    logits = network(torch.zeros(1, 1, 16, 16, 16))
    # place 5 is (1, 0, 1) of the block; its answers 0, 1, 2 have the biases 15, 16, 17
    assert logits[0, :, 3, 2, 5].tolist() == [15.0, 16.0, 17.0]
    assert logits[0, :, 2, 2, 4].tolist() == [0.0, 1.0, 2.0]


def test_the_default_network_fits_ten_megabytes_in_half_precision():
    with torch.device("meta"):
        network = TwoScaleUNet()
    count = sum(p.numel() for p in network.parameters())
    # by hand: first look (stem, blocks, decoder, steps), its answers, second look
    widths = (32, 64, 128, 96)
    first = 27 * 8 * 32 + sum(54 * w * w + 4 * w for w in widths)
    first += sum(27 * 3 * w * w + 2 * w * w + 4 * w for w in widths[:3])
    first += 2 * 8 * (32 * 64 + 64 * 128 + 128 * 96)
    answers = 33 * 8 * 33
    stem = 27 * 8 * 48 + 48
    blocks = 54 * 48**2 + 4 * 48
    blocks += 27 * (96 * 64 + 64 * 64) + 96 * 64 + 4 * 64
    blocks += 27 * (96 * 48 + 48 * 48) + 96 * 48 + 4 * 48
    steps = 2 * 8 * 48 * 64
    last = (48 + 8 + 1) * 192 + 193 * 33 * 8
    assert count == first + answers + stem + blocks + steps + last
    assert 2 * count < 10_000_000
    assert network.stride == 32


def test_half_precision_weights_from_a_file_give_the_same_answers(a_network, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({n: t.half().contiguous() for n, t in a_network.state_dict().items()}, path)
    settings = {"in_channels": 1, "out_channels": 3, **SMALL}
    again = build("two-scale-unet", settings).eval().requires_grad_(False)
    again.load_state_dict({n: t.float() for n, t in load_file(path).items()})
    patch = noise(16, 16, 24)
    torch.testing.assert_close(again(patch), a_network(patch), atol=2e-2, rtol=0)
    assert (again(patch).argmax(1) == a_network(patch).argmax(1)).float().mean() > 0.98


def test_openvino_gives_the_same_logits(a_network):
    pytest.importorskip("openvino")
    import openvino

    from SegmentationAILib.networks.run_openvino import converted

    patch = noise(16, 24, 32)
    model = converted(a_network, tuple(patch.shape))
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(patch.numpy())[0]
    np.testing.assert_allclose(found, a_network(patch).numpy(), atol=1e-4)
