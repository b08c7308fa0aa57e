"""What holds for all architectures that can be trained."""

import pytest
import torch
from small_networks import CHANNELS, SMALL

from SegmentationAILib.networks.registry import build
from SegmentationAILib.networks.trainable import TrainingForm

# V-Net's widths are fixed, Swin UNETR's patches are large, and the sizes of SegFormer differ in
# depth alone: `make test` takes the others.
SLOW = {"vnet", "swin-unetr", "segformer-b1", "segformer-b2", "segformer-b3", "segformer-b4"}
EVERY = [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in SMALL]


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads wait for each other longer than these small networks compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small(name):
    torch.manual_seed(3)
    return build(name, {**SMALL[name], **CHANNELS})


def a_patch(network):
    """A patch ``(1, 1, ...)`` of nearly the smallest size there is, longer than wide."""
    sides = [2 * network.divisors[0], *network.divisors[1:]]
    if sides[-1] == 1:
        sides[-1] = 5
    return torch.randn(1, 1, *sides, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("name", EVERY)
def test_training_logits_lie_on_the_grids_that_are_promised(name):
    network = small(name)
    patch = a_patch(network)
    expected = [
        (1, 3, *(side // step for side, step in zip(patch.shape[2:], steps, strict=True)))
        for steps in network.output_strides
    ]
    logits = TrainingForm(network)(patch)
    assert [tuple(one.shape) for one in logits] == expected
    assert set(network.output_strides[0]) == {1}
    # Every weight learns: DistributedDataParallel waits forever for one that does not.
    sum(one.square().mean() for one in logits).backward()
    assert [n for n, weight in network.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize("name", EVERY)
@torch.no_grad()
def test_inference_gives_the_finest_training_logits(name):
    network = small(name).eval()
    patch = a_patch(network)
    torch.testing.assert_close(network(patch), network.training_logits(patch)[0])
    # Neither batch members nor calls leak into each other. In double precision, since a batch of
    # two takes other kernels, whose rounding a deep network enlarges.
    network, patch = network.double(), patch.double()
    two = torch.cat([torch.randn_like(patch), patch])
    torch.testing.assert_close(network(two)[1:], network(patch), atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("name", SMALL)
def test_encoder_and_last_block_are_parts_of_the_network_that_do_not_overlap(name):
    with torch.device("meta"):
        network = build(name, CHANNELS)
    names = list(network.state_dict())
    encoder = {one for one in names if one.startswith(network.encoder_prefixes)}
    last = {one for one in names if one.startswith(network.last_block_prefixes)}
    assert encoder
    assert last
    assert not encoder & last
    # Something lies between them: the rest of the decoder.
    assert len(encoder | last) < len(names)


@pytest.mark.parametrize("name", EVERY)
def test_the_encoder_does_not_see_the_decoder(name):
    """All that is not the encoder is changed, and every layer of the encoder answers the same."""
    network = small(name).eval()
    patch, seen = a_patch(network), []
    for layer, module in network.named_modules():
        if f"{layer}.".startswith(network.encoder_prefixes) and not list(module.children()):
            module.register_forward_hook(lambda *call: seen.append(call[2].clone()))
    with torch.no_grad():
        logits = network(patch)
        before, seen[:] = list(seen), []
        for key, weight in network.named_parameters():
            if not key.startswith(network.encoder_prefixes):
                weight.mul_(1.5).add_(0.1)
        changed = network(patch)
    assert len(before) > 3
    assert all(torch.equal(one, other) for one, other in zip(before, seen, strict=True))
    assert not torch.allclose(changed, logits)
