"""The training of the click network: rounds of clicks on objects in work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..networks.architectures.click_unet import ClickUNet
from ..networks.architectures.space_to_depth_unet import depth_to_space, space_to_depth
from .click_loss import click_loss
from .click_rounds import Rounds, random_target
from .click_samples import LEAST_VOXELS, SIDE, around_target
from .click_stream import SamplePool
from .orthogonal_momentum import OrthogonalMomentum, split_parameters
from .timed_training import Schedule, TimedTraining

BATCH = 4
# Small patches teach what a click means at a third of the cost; the last part of the training shows
# whole patches. Measured on two cores that others use, too: 0.60 s of CPU for 4 patches of 48^3,
# about 0.45 s for 8 of 32^3.
SMALL_SIDE = 32
SMALL_BATCH = 8
SMALL_UNTIL = 0.6


class ClickTraining(TimedTraining[ClickUNet]):
    """A training in rounds: the objects that are in work stay until they are found.

    Args:
        network: trained in place.
        schedule: rates by the clock.
        seed: of every random choice.
        batch: objects in work at a time, once patches are whole.
        small_until: fraction of the training in which patches are small.
    """

    def __init__(
        self,
        network: ClickUNet,
        schedule: Schedule,
        seed: int = 0,
        batch: int = BATCH,
        small_until: float = SMALL_UNTIL,
    ) -> None:
        kernels, others = split_parameters(network, (network.whole.stem, network.mix, network.head))
        super().__init__(network, schedule, {
            "kernels": OrthogonalMomentum(kernels, lr=schedule.kernels),
            "others": torch.optim.AdamW(others, lr=schedule.others, betas=(0.9, 0.99)),
        })  # fmt: skip
        self.batch = batch
        self.small_until = small_until
        self._rng = np.random.default_rng([seed, 1])
        self._in_work: list[Rounds] = []

    def learn(self, pool: SamplePool) -> float:
        """Take one step: a round of every object in work. Return the loss."""
        is_small = self.fraction < self.small_until
        side = SMALL_SIDE if is_small else SIDE
        self._in_work = [rounds for rounds in self._in_work if len(rounds.target) == side]
        while len(self._in_work) < (SMALL_BATCH if is_small else self.batch):
            sample = pool.draw(self._rng)
            target = random_target(self._rng, sample)
            if target is None:
                continue
            if is_small:
                sample, target = around_target(self._rng, sample, target, side)
            if LEAST_VOXELS <= target.sum() < 0.7 * target.size:
                self._in_work.append(Rounds(self._rng, sample, target))
        logits, loss = self.take_step(self._in_work)
        probabilities = torch.sigmoid(logits.float()).numpy()
        self._in_work = [
            rounds
            for rounds, answer in zip(self._in_work, probabilities, strict=True)
            if rounds.answered(answer)
        ]
        return loss

    def take_step(self, in_work: list[Rounds]) -> tuple[Tensor, float]:
        """Learn from one round of each object; return logits `(B, X, Y, Z)` and the loss."""
        patches = torch.from_numpy(np.stack([rounds.input() for rounds in in_work]))
        target = torch.from_numpy(np.stack([rounds.target for rounds in in_work])[:, None])
        prompted = torch.maximum(patches[:, 3:4], patches[:, 4:5])
        with torch.autocast("cpu", torch.bfloat16):
            folded = self.network.folded_logits(patches)
        loss = click_loss(
            folded,
            space_to_depth(target.float()),
            space_to_depth(prompted),
            space_to_depth(1.0 - patches[:, 6:7]),
        )
        self.descend(loss)
        return depth_to_space(folded.detach())[:, 0], float(loss.detach())

    def load(self, path: Path) -> None:
        """Continue where `save` left off; the objects that were in work are drawn anew."""
        super().load(path)
        self._rng = np.random.default_rng([self.step, 2])
