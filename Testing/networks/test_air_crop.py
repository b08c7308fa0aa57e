import numpy as np
import pytest
import torch

from SegmentationAILib.networks.air_crop import MARGIN, box_without_air
from SegmentationAILib.networks.architectures.meshnet import MeshNet
from SegmentationAILib.networks.run_meshnet import WholeMeshNet
from SegmentationAILib.networks.run_torch import TorchNetwork

SHAPE = (64, 60, 90)
HEAD = (slice(30, 37), slice(20, 32), slice(0, 41))


def a_head() -> np.ndarray:
    rng = np.random.default_rng(2)
    volume = rng.random((1, *SHAPE), dtype=np.float32) * 0.09
    volume[(0, *HEAD)] = rng.random((7, 12, 41)) * 0.8 + 0.2
    return volume


def test_the_box_holds_the_head_and_sixteen_voxels_of_air():
    box = box_without_air(a_head(), 1)
    assert MARGIN == 16
    assert box == (slice(14, 53), slice(4, 48), slice(0, 57))


def test_sides_are_multiples_and_stay_inside():
    box = box_without_air(a_head(), 4)
    assert [(b.stop - b.start) % 4 for b in box] == [0, 0, 0]
    assert [b.stop <= n for b, n in zip(box, SHAPE, strict=True)] == [True] * 3
    assert box[0].start <= 14
    assert box[0].stop >= 53


@pytest.mark.parametrize("volume", [a_head() - 0.5, a_head() * 3, a_head() * 0])
def test_without_a_scale_from_air_to_bright_nothing_is_cropped(volume):
    assert box_without_air(volume, 4) == tuple(slice(0, n) for n in SHAPE)


@pytest.mark.parametrize("normalization", ["none", "instance"])
def test_within_the_margin_the_logits_are_those_of_the_whole(normalization):
    torch.manual_seed(3)
    network = MeshNet(1, 4, 3, (1, 2, 4, 1), "elu", normalization).eval()
    volume = np.where(a_head() > 0.1, a_head(), 0).astype(np.float32)[None]
    whole = WholeMeshNet(network, TorchNetwork(network, 3))
    with torch.inference_mode():
        expected = network(torch.from_numpy(volume)).numpy()
    found = whole(volume)
    # 16 voxels of margin, of which the receptive radius of 8 sees the new edge.
    near = (slice(None), slice(None), slice(22, 45), slice(12, 40), slice(0, 49))
    np.testing.assert_allclose(found[near], expected[near], atol=1e-5)
    assert any("air" in note for note in whole.notes) == (normalization == "none")
    if normalization == "instance":
        np.testing.assert_allclose(found, expected, atol=1e-5)
