"""Every architecture learns two crops by heart, is saved, installed, and answers the same."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from network_files import tiny_card
from overfitting import LABELS, crop_shape, mean_dice, overfit, two_crops
from safetensors.torch import save_file
from small_networks import CHANNELS, SMALL

from SegmentationAILib.core.volume import Volume
from SegmentationAILib.networks.catalog import Catalog
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.registry import build
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.networks.trainable import InferenceForm

ENOUGH = 0.95
STEPS = 400
# `make test` takes one network of volumes and one of planes.
FAST = ("unet", "unet2d-liver")
# V-Net's widths are fixed: 45 million parameters see the middle of the structures.
CROPS = {"vnet": (16, 48, 16)}
# What ties within this may go either way in another engine.
TIE = 1e-3


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads wait for each other longer than these small networks compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in SMALL]
)
def test_it_learns_two_crops_by_heart_and_answers_the_same_from_the_store(
    name, the_data, a_home, an_affine, tmp_path
):
    torch.manual_seed(0)
    settings = {**SMALL[name], **CHANNELS}
    network = build(name, settings)
    shape = CROPS.get(name) or crop_shape(network)
    crops = two_crops(the_data, shape)
    dice, steps = overfit(network, crops, steps=STEPS, enough=ENOUGH)
    assert dice >= ENOUGH, f"Dice {dice:.3f} after {steps} steps"

    patch_size = (*shape[:2], 1) if len(network.divisors) == 2 else shape
    save(tmp_path / name, network, name, settings, patch_size)
    store = NetworkStore(cards=Catalog(()))
    install(store, InstallRequest(str(tmp_path / name)), check_architecture)
    segmenter = open_segmenter(name, "cpu", "fp32", store)
    volume = Volume(crops[0][0].numpy(), an_affine)
    found = segmenter.segment(volume).labelmap.layers[0]
    with torch.inference_mode():
        logits = InferenceForm(network).eval()(crops[0][:1])[0]
    first, second = logits.topk(2, dim=0).values
    clear = (first - second > TIE).numpy()
    np.testing.assert_array_equal(found[clear], logits.argmax(0).numpy()[clear])
    assert clear.mean() > 0.99
    assert set(LABELS) <= set(np.unique(found))


def save(folder: Path, network, name, settings, patch_size):
    """Write what `networks install` takes: a card and safetensors."""
    folder.mkdir()
    weights = folder / "weights.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in network.state_dict().items()}, weights)
    labels = [{"value": v, "name": f"part {v}", "color": [255, 0, 0]} for v in LABELS]
    card = tiny_card(
        id=name, labels=labels, spacing_mm=None, orientation=None, intensity={"rule": "none"},
        patch_size=list(patch_size), sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        architecture={"name": name, "parameters": settings},
    )  # fmt: skip
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


class TooCoarse(torch.nn.Module):
    """A U-Net with a wrong stride: it works on every fourth voxel and repeats its answer."""

    output_strides = ((1, 1, 1),)
    encoder_prefixes = last_block_prefixes = ()

    def __init__(self):
        super().__init__()
        self.body = build("unet", {**CHANNELS, "channels": (8, 16), "strides": (2,)})
        self.out_channels, self.divisors = 3, (8, 8, 8)

    def forward(self, patch):
        coarse = self.body(torch.nn.functional.avg_pool3d(patch, 4))
        return torch.nn.functional.interpolate(coarse, scale_factor=4)

    def training_logits(self, patch):
        return [self(patch)]


def test_a_wrong_stride_does_not_learn_them(the_data):
    torch.manual_seed(0)
    network = TooCoarse()
    crops = two_crops(the_data, crop_shape(network))
    dice, _ = overfit(network, crops, steps=STEPS, enough=ENOUGH)
    assert 0.5 < dice < 0.9
    # The measure itself is not what fails: the truth, given as logits, is perfect.
    truth = torch.nn.functional.one_hot(crops[1], 3).movedim(-1, 1).float()
    assert mean_dice(Fixed(truth), *crops) == 1.0


class Fixed(torch.nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, volume):
        return self.answer
