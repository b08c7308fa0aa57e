import numpy as np
import pytest
import torch
from torch import nn

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.networks.dropout_samples import DropoutSamples, switch_dropout_on
from SegmentationAILib.networks.run_torch import TorchNetwork

PATCH = np.ones((1, 1, 16, 16, 16), np.float32)


def a_module(rate=0.5):
    """The second logit is 4 where its voxel is kept and 0 where dropout takes it."""
    module = nn.Sequential(nn.Dropout(rate), nn.Conv3d(1, 2, 1, bias=False), nn.BatchNorm3d(2))
    with torch.no_grad():
        module[1].weight[:] = torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1, 1)
    return module.eval()


def sampled(samples, seed=0, rate=0.5):
    module = a_module(rate)
    switch_dropout_on(module, "net")
    return DropoutSamples(TorchNetwork(module, 2), samples, "softmax", seed)


def test_the_mean_of_many_samples_is_the_expected_probability():
    probability = np.exp(sampled(200)(PATCH)[0, 1])
    kept = 1 / (1 + np.exp(-4.0))
    assert probability.mean() == pytest.approx(0.5 * kept + 0.5 * 0.5, abs=2e-3)
    # a voxel's mean spreads as the binomial says
    assert probability.std() == pytest.approx((kept - 0.5) * 0.5 / np.sqrt(200), rel=0.05)


def test_the_same_volume_gives_the_same_answer_and_another_seed_another():
    network = sampled(3)
    first = network(PATCH)
    torch.rand(7)
    np.testing.assert_array_equal(network(PATCH), first)
    assert not np.array_equal(sampled(3, seed=1)(PATCH), first)


def test_random_numbers_of_others_go_on_as_if_nothing_had_happened():
    network = sampled(2)
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    network(PATCH)
    assert torch.equal(torch.rand(4), expected)


def test_normalization_stays_in_evaluation():
    module = a_module()
    before = module[2].running_mean.clone()
    switch_dropout_on(module, "net")
    with torch.no_grad():
        module(torch.ones(1, 1, 4, 4, 4))
    assert torch.equal(module[2].running_mean, before)
    assert not module[2].training


@pytest.mark.parametrize("module", [nn.Conv3d(1, 2, 1), nn.Sequential(nn.Dropout(0.0))])
def test_a_network_without_dropout_is_refused_with_what_to_do(module):
    with pytest.raises(SegmentationAIError, match=r"net has no dropout .*--tta"):
        switch_dropout_on(module, "net")


def test_no_sample_is_refused():
    with pytest.raises(SegmentationAIError, match="at least 1"):
        sampled(-1)
