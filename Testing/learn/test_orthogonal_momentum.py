import pytest
import torch
from torch import nn

from SegmentationAILib.learn.orthogonal_momentum import (
    OrthogonalMomentum,
    orthogonalized,
    split_parameters,
)


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads wait for each other a thousand times as long as these small networks compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (16, 16)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    result = orthogonalized(1000.0 * matrix)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.5
    assert values.max() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    assert (result * (u @ v)).sum() / (result.norm() * (u @ v).norm()) > 0.97


def test_the_size_of_the_gradient_does_not_change_the_step():
    moved = []
    for factor in (1.0, 1e4):
        kernel = nn.Parameter(torch.zeros(4, 3, 2, 2, 2))
        kernel.grad = factor * torch.randn(
            4, 3, 2, 2, 2, generator=torch.Generator().manual_seed(2)
        )
        OrthogonalMomentum([kernel], lr=0.1).step()
        moved.append(kernel.detach().clone())
    torch.testing.assert_close(moved[0], moved[1], atol=5e-3, rtol=0)
    assert torch.linalg.svdvals(moved[0].flatten(1)).max().item() == pytest.approx(0.1, rel=0.3)


def test_it_finds_the_least_squares_solution():
    torch.manual_seed(3)
    truth, x = torch.randn(5, 8), torch.randn(8, 64)
    kernel = nn.Parameter(torch.zeros(5, 8))
    optimizer = OrthogonalMomentum([kernel], lr=0.1)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 200)
        kernel.grad = None
        torch.autograd.backward(((kernel - truth) @ x).square().mean())
        optimizer.step()
    assert (kernel - truth).abs().max() < 0.05


def test_a_parameter_without_gradient_stays():
    kernel = nn.Parameter(torch.ones(2, 3))
    OrthogonalMomentum([kernel], lr=0.1).step()
    assert torch.equal(kernel.detach(), torch.ones(2, 3))


def test_only_inner_kernels_are_orthogonalized():
    network = nn.Sequential(
        nn.Conv3d(1, 8, 3), nn.GroupNorm(2, 8), nn.Conv3d(8, 8, 3), nn.Conv3d(8, 2, 1)
    )
    kernels, others = split_parameters(network, (network[0], network[3]))
    assert [k.shape for k in kernels] == [network[2].weight.shape]
    assert len(others) == 2 + 2 + 1 + 2
