"""The two optimizers of a training: who steps how far, and that a state brings them back."""

import copy

import pytest
import torch
from torch import nn

from SegmentationAILib.learn.optimizers import KERNEL_RATE, Optimizer


def a_network():
    torch.manual_seed(4)
    return nn.Sequential(
        nn.Conv3d(1, 6, 3),
        nn.Conv3d(6, 8, 3),
        nn.InstanceNorm3d(8, affine=True),
        nn.Conv3d(8, 3, 1),
    )


def with_gradients(network, seed=5):
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    return network


def moves(name, rate=0.01, network=None):
    network = with_gradients(network or a_network())
    before = {n: p.detach().clone() for n, p in network.named_parameters()}
    Optimizer(name, network, in_channels=1, out_channels=3).step(rate)
    return {n: p.detach() - before[n] for n, p in network.named_parameters()}


def test_kernels_within_move_by_an_orthogonal_matrix_and_the_ends_as_adamw_moves_them():
    found, plain = moves("orthogonal"), moves("adamw")
    values = torch.linalg.svdvals(found.pop("1.weight").flatten(1)) / (0.01 * KERNEL_RATE)
    assert values.min() > 0.5
    assert values.max() < 1.3
    for name, moved in found.items():
        torch.testing.assert_close(moved, plain[name], msg=name)
        # The first step of AdamW is the rate in each number, but for the decay of weights.
        assert moved.abs().max() == pytest.approx(0.01, rel=0.03), name


def test_what_is_frozen_stays():
    network = a_network()
    network[1].weight.requires_grad_(False)
    network[3].bias.requires_grad_(False)
    found = moves("orthogonal", network=network)
    assert {n for n, moved in found.items() if not moved.any()} == {"1.weight", "3.bias"}


def test_a_state_brings_the_next_step_back():
    def stepped(from_state):
        network = with_gradients(a_network())
        optimizer = Optimizer("orthogonal", network, 1, 3)
        if from_state is not None:
            optimizer.load_state_dict(copy.deepcopy(from_state))
        optimizer.step(0.01)
        return optimizer, nn.utils.parameters_to_vector(network.parameters()).detach()

    first, fresh = stepped(None)
    _, once = stepped(first.state_dict())
    _, again = stepped(first.state_dict())
    assert torch.equal(once, again)
    assert not torch.equal(once, fresh)
