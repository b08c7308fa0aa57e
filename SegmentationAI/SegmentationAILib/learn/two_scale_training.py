"""The training of the network that sees a head at two scales."""

from __future__ import annotations

import numpy as np
import torch

from ..networks.architectures.two_scale_unet import TwoScaleUNet
from .orthogonal_momentum import OrthogonalMomentum, split_parameters
from .timed_training import Schedule, TimedTraining
from .two_scale_loss import two_scale_loss


class TwoScaleTraining(TimedTraining[TwoScaleUNet]):
    """Steps on whole volumes.

    Args:
        network: trained in place.
        schedule: rates by the clock.
        seed: of what is drawn in a step.
    """

    def __init__(self, network: TwoScaleUNet, schedule: Schedule, seed: int = 0) -> None:
        outer = (network.stem, network.head, network.whole_head, network.whole.stem)
        kernels, others = split_parameters(network, outer)
        of_whole = {id(parameter) for parameter in network.whole.parameters()}
        fine = [p for p in kernels if id(p) not in of_whole]
        whole = [p for p in kernels if id(p) in of_whole]
        super().__init__(network, schedule, {
            "kernels": OrthogonalMomentum(fine, lr=schedule.kernels),
            "whole kernels": OrthogonalMomentum(whole, lr=schedule.whole_kernels),
            "others": torch.optim.AdamW(others, lr=schedule.others, betas=(0.9, 0.99)),
        })  # fmt: skip
        self._seed = seed

    def learn(self, volume: np.ndarray, channels: np.ndarray) -> float:
        """Take one step on a volume `(I, J, K)` with its channels `(I, J, K)`; return the loss."""
        rng = np.random.default_rng([self._seed, self.step])
        weight = self.schedule.dice_weight(self.fraction)
        loss = two_scale_loss(self.network, volume, channels, weight, rng)
        self.descend(loss)
        return float(loss.detach())
