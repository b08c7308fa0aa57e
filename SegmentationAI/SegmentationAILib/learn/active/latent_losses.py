"""The losses of the samplers of VAAL and M-VAAL, all to be minimized.

The signs are those that make sense; the M-VAAL paper prints reconstruction and divergence as
likelihoods to be maximized and then descends, and interpolates images where its discriminator takes
latent codes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence from the standard normal, the mean over codes.

    Args:
        mean: ``(B, latent)``.
        log_variance: ``(B, latent)``.
    """
    per_number = mean**2 + log_variance.exp() - 1.0 - log_variance
    return 0.5 * per_number.sum(dim=1).mean()


def deceiving(labeled: Tensor, unlabeled: Tensor) -> Tensor:
    """Return the autoencoder's adversarial loss: unlabeled codes shall look labeled.

    Args:
        labeled: The discriminator's scores ``(B,)`` of labeled codes.
        unlabeled: Those of unlabeled ones.
    """
    return labeled.mean() - unlabeled.mean()


def discerning(labeled: Tensor, unlabeled: Tensor) -> Tensor:
    """Return the discriminator's loss without penalty: labeled high, unlabeled low."""
    return unlabeled.mean() - labeled.mean()


def gradient_penalty(
    score: Callable[[Tensor], Tensor], labeled: Tensor, unlabeled: Tensor, shares: Tensor
) -> Tensor:
    """Return how far the slope of the scores is from 1 between the two pools.

    I. Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017, arXiv:1704.00028.

    Args:
        score: The discriminator.
        labeled: Codes ``(B, latent)``.
        unlabeled: Codes ``(B, latent)``.
        shares: ``(B,)``, 0 to 1: where between the two codes the slope is taken.
    """
    between = shares[:, None] * labeled + (1.0 - shares[:, None]) * unlabeled
    between = between.detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    lengths = torch.linalg.vector_norm(slope, dim=1)
    penalty: Tensor = ((lengths - 1.0) ** 2).mean()
    return penalty
