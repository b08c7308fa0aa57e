"""A resumable training of the click network: rounds, steps, averaged weights, checkpoints."""

from __future__ import annotations

import copy
import time
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
from .training_run import LONGEST_STEP_SECONDS, Schedule

BATCH = 4
# Small patches teach what a click means at a third of the cost; the last part of the training shows
# whole patches. Measured on two cores that others use, too: 0.60 s of CPU for 4 patches of 48^3,
# about 0.45 s for 8 of 32^3.
SMALL_SIDE = 32
SMALL_BATCH = 8
SMALL_UNTIL = 0.6


class ClickTraining:
    """Network, averaged copy, optimizers and clock, and the objects that are in work.

    The schedule follows the clock, so that a busy machine gives fewer steps and not a network that
    stopped half-way.

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
        self.network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # missing in torch's stubs
        self.averaged = copy.deepcopy(self.network).requires_grad_(False)
        self.schedule = schedule
        kernels, others = split_parameters(network, (network.whole.stem, network.mix, network.head))
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "kernels": OrthogonalMomentum(kernels, lr=schedule.kernels),
            "others": torch.optim.AdamW(others, lr=schedule.others, betas=(0.9, 0.99)),
        }
        self.highest = {name: o.param_groups[0]["lr"] for name, o in self.optimizers.items()}
        self.step = 0
        self.batch = batch
        self.small_until = small_until
        self._rng = np.random.default_rng([seed, 1])
        self._in_work: list[Rounds] = []
        self._seconds = 0.0
        self._last = time.monotonic()

    @property
    def minutes(self) -> float:
        """Minutes trained so far, those before a resume included."""
        return self._seconds / 60.0

    @property
    def fraction(self) -> float:
        """How much of the training is done, 0 to 1."""
        return min(1.0, self.minutes / self.schedule.minutes)

    def start_clock(self) -> None:
        """Let the training's time run from now; what came before stays counted."""
        self._last = time.monotonic()

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
        rate = self.schedule.rate(self.fraction)
        for name, optimizer in self.optimizers.items():
            optimizer.param_groups[0]["lr"] = rate * self.highest[name]
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
        self.network.zero_grad()
        torch.autograd.backward(loss)
        for optimizer in self.optimizers.values():
            optimizer.step()
        self.step += 1
        self._average()
        self._tick()
        return depth_to_space(folded.detach())[:, 0], float(loss.detach())

    def save(self, path: Path) -> None:
        """Write everything that `load` needs; the file appears whole or not at all."""
        state = {
            "step": self.step,
            "seconds": self._seconds,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
        }
        beside = path.with_suffix(".part")
        torch.save(state, beside)
        beside.replace(path)

    def load(self, path: Path) -> None:
        """Continue where `save` left off; the objects that were in work are drawn anew."""
        state = torch.load(path, weights_only=True, map_location="cpu")
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.step = state["step"]
        self._seconds = state["seconds"]
        self._rng = np.random.default_rng([self.step, 2])
        self.start_clock()

    def _tick(self) -> None:
        # A process that was halted has not trained meanwhile.
        now = time.monotonic()
        self._seconds += min(now - self._last, LONGEST_STEP_SECONDS)
        self._last = now

    @torch.no_grad()
    def _average(self) -> None:
        # Short memory at first, or the random start would stay in the average for long.
        decay = min(0.998, (1.0 + self.step) / (20.0 + self.step))
        averaged: list[Tensor] = list(self.averaged.parameters())
        torch._foreach_lerp_(averaged, list(self.network.parameters()), 1.0 - decay)
