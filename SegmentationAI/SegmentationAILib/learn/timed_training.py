"""A resumable training by the clock: a schedule, averaged weights, checkpoints."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

logger = logging.getLogger(__name__)

LONGEST_STEP_SECONDS = 30.0
SAVE_EVERY_MINUTES = 2.5
VALIDATE_EVERY_MINUTES = 10.0
CHECKPOINT = "checkpoint.pt"
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Schedule:
    """How learning rate and loss move with the clock.

    Attributes:
        minutes: length of the whole training.
        kernels: highest learning rate of the convolution kernels (`OrthogonalMomentum`).
        whole_kernels: the same for the first look, which starts from weights that it had before.
        others: highest learning rate of first layer, last layer and normalization (AdamW).
        floor: lowest rate, as a fraction of the highest.
        warm_up: fraction of the training in which the rate rises.
        dice_until: fraction of the training in which the Dice part of the loss has weight 1. It
            finds the small structures, but it draws what is uncertain too large: after half of the
            training the hippocampi of the held-out heads had 1.9 times their volume.
        dice_after: its weight from then on.
    """

    minutes: float
    kernels: float = 0.02
    whole_kernels: float = 0.01
    others: float = 2e-3
    floor: float = 0.0
    warm_up: float = 0.02
    dice_until: float = 0.5
    dice_after: float = 0.1

    def rate(self, fraction: float) -> float:
        """Return the rate as a fraction of the highest: a linear rise, then half a cosine.

        Args:
            fraction: how much of the training is done, 0 to 1.
        """
        rise = min(1.0, (fraction + 0.05 * self.warm_up) / self.warm_up)
        fall = 0.5 * (1.0 + math.cos(math.pi * min(fraction, 1.0)))
        return rise * max(fall, self.floor)

    def dice_weight(self, fraction: float) -> float:
        """Return the weight of the Dice part of the loss at `fraction` (0 to 1) of the training."""
        return 1.0 if fraction < self.dice_until else self.dice_after


class TimedTraining(Generic[Network]):
    """Network, averaged copy, optimizers and clock of one training.

    The schedule follows the clock and not a number of steps, so that a busy machine gives fewer
    steps and not a network that stopped half-way.

    Args:
        network: trained in place.
        schedule: rates by the clock.
        optimizers: by name, each with its highest rate.
    """

    def __init__(
        self, network: Network, schedule: Schedule, optimizers: dict[str, torch.optim.Optimizer]
    ) -> None:
        self.network: Network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # missing in torch's stubs
        self.averaged = copy.deepcopy(self.network).requires_grad_(False)
        self.schedule = schedule
        self.optimizers = optimizers
        self.highest = {name: o.param_groups[0]["lr"] for name, o in optimizers.items()}
        self.step = 0
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

    def descend(self, loss: Tensor) -> None:
        """Take one step down the gradient of a loss, at the rate of this moment."""
        rate = self.schedule.rate(self.fraction)
        for name, optimizer in self.optimizers.items():
            optimizer.param_groups[0]["lr"] = rate * self.highest[name]
        self.network.zero_grad()
        torch.autograd.backward(loss)
        for optimizer in self.optimizers.values():
            optimizer.step()
        self.step += 1
        self._average()
        self._tick()

    def run(
        self, learn: Callable[[], float], validate: Callable[[float], None], folder: Path
    ) -> float:
        """Train until the schedule's minutes have passed; return the mean of the last 300 losses.

        Args:
            learn: takes one step and returns its loss.
            validate: called now and then with the mean of the last 300 losses.
            folder: receives `checkpoint.pt`.
        """
        losses: list[float] = []
        self.start_clock()
        saved = validated = self.minutes
        started, first_step = time.monotonic(), self.step
        while self.fraction < 1.0:
            losses = [*losses[-299:], learn()]
            if self.step - first_step == 30:
                self._log_estimate((time.monotonic() - started) / 30)
            if self.step % 100 == 0:
                mean = np.mean(losses[-100:])
                logger.info("step %d, minute %.1f, loss %.4f", self.step, self.minutes, mean)
            if self.minutes - saved >= SAVE_EVERY_MINUTES:
                self.save(folder / CHECKPOINT)
                saved = self.minutes
            if self.minutes - validated >= VALIDATE_EVERY_MINUTES:
                validate(float(np.mean(losses)))
                validated = self.minutes
        self.save(folder / CHECKPOINT)
        return float(np.mean(losses or [np.nan]))

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
        """Continue where `save` left off."""
        state = torch.load(path, weights_only=True, map_location="cpu")
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.step = state["step"]
        self._seconds = state["seconds"]
        self.start_clock()

    def _log_estimate(self, seconds: float) -> None:
        left = self.schedule.minutes - self.minutes
        steps = left * 60 / seconds
        logger.info("%.2f s a step: about %d steps in the %.0f minutes left", seconds, steps, left)

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


def export_halved(network: nn.Module, path: Path, metadata: dict[str, str]) -> None:
    """Write weights as safetensors in half precision; the file appears whole or not at all.

    Half the size, and the answers stay the same.
    """
    tensors = {name: t.half().contiguous() for name, t in network.state_dict().items()}
    beside = path.with_suffix(".part")
    save_file(tensors, beside, metadata=metadata)
    beside.replace(path)
