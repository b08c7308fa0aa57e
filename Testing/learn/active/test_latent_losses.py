import numpy as np
import pytest
import torch

from SegmentationAILib.learn.active.latent_losses import (
    deceiving,
    discerning,
    divergence,
    gradient_penalty,
)


def test_the_divergence_of_the_standard_normal_from_itself_is_nothing():
    assert divergence(torch.zeros(3, 5), torch.zeros(3, 5)) == 0.0


def test_the_divergence_is_that_of_two_normals():
    """Of N(1, 4) from N(0, 1): (1 + 4 - 1 - log 4) / 2, for each of two numbers."""
    found = divergence(torch.ones(1, 2), torch.full((1, 2), float(np.log(4.0))))
    assert float(found.detach()) == pytest.approx(2 * (4.0 - np.log(4.0)) / 2)


def test_the_divergence_is_minimized_and_not_maximized():
    """The paper prints it the other way around: codes far from 0 have to cost more."""
    near, far = (divergence(torch.full((1, 4), mean), torch.zeros(1, 4)) for mean in (0.1, 3.0))
    assert far > near > 0


def test_the_discriminator_wants_labeled_high_and_the_autoencoder_the_contrary():
    high, low = torch.tensor([2.0, 4.0]), torch.tensor([-1.0, 0.0])
    assert float(discerning(high, low)) == pytest.approx(-3.5)
    assert float(deceiving(high, low)) == pytest.approx(3.5)
    assert discerning(high, low) < discerning(low, high)


def test_the_penalty_is_the_squared_distance_of_the_slope_from_one():
    """A linear score with the slope (3, 4) has the length 5 everywhere: 16. With (0.6, 0.8): 0."""
    labeled, unlabeled = torch.randn(6, 2), torch.randn(6, 2)
    for slope, expected in (((3.0, 4.0), 16.0), ((0.6, 0.8), 0.0)):
        score = lambda codes, slope=slope: codes @ torch.tensor(slope)  # noqa: E731 - one line
        found = gradient_penalty(score, labeled, unlabeled, torch.rand(6))
        assert float(found.detach()) == pytest.approx(expected, abs=1e-5)


def test_the_slope_is_taken_between_the_codes():
    """The score x squared has the slope 2 x: halfway between 1 and 3 it is 4, so 9."""
    found = gradient_penalty(
        lambda codes: (codes**2).sum(dim=1), torch.ones(1, 1), torch.full((1, 1), 3.0),
        torch.tensor([0.5]),
    )  # fmt: skip
    assert float(found.detach()) == pytest.approx(9.0)
