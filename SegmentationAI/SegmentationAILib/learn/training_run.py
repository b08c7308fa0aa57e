"""A resumable training: steps, a schedule by the clock, averaged weights, checkpoints."""

from __future__ import annotations

import copy
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..networks.architectures.space_to_depth_unet import (
    SpaceToDepthUNet,
    space_to_depth,
)
from .losses import dice_and_cross_entropy
from .orthogonal_momentum import OrthogonalMomentum, split_parameters

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """How learning rate and loss move with the clock.

    Attributes:
        minutes: length of the whole training.
        kernels: highest learning rate of the convolution kernels (`OrthogonalMomentum`).
        others: highest learning rate of first layer, last layer and normalization (AdamW).
        floor: lowest rate, as a fraction of the highest.
        warm_up: fraction of the training in which the rate rises.
        dice_until: fraction of the training in which the Dice part of the loss has weight 1. It
            finds the small structures, but it draws what is uncertain too large: after half of the
            training the hippocampi of the held-out heads had 1.9 times their volume.
        dice_after: its weight from then on.
        details: highest learning rate of the detail branch's last layer (AdamW).
        details_from: fraction of the training from which the branch on the full grid takes part;
            a step costs half as much again with it.
    """

    minutes: float
    kernels: float = 0.02
    others: float = 2e-3
    floor: float = 0.01
    warm_up: float = 0.02
    dice_until: float = 0.5
    dice_after: float = 0.02
    details: float = 2e-2
    details_from: float = 0.65

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


class TrainingRun:
    """Network, averaged copy, optimizer and clock of one training.

    The schedule follows the clock and not a number of steps, so that a busy machine gives fewer
    steps and not a network that stopped half-way.
    """

    def __init__(self, network: SpaceToDepthUNet, schedule: Schedule) -> None:
        self.network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # missing in torch's stubs
        self.averaged = copy.deepcopy(self.network).requires_grad_(False)
        self.schedule = schedule
        outer = (network.stem, network.head, network.detail_head)
        kernels, others = split_parameters(network, outer)
        details = list(network.detail_head.parameters())
        others = [p for p in others if p is not details[0]]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "kernels": OrthogonalMomentum(kernels, lr=schedule.kernels),
            "others": torch.optim.AdamW(others, lr=schedule.others, betas=(0.9, 0.99)),
            "details": torch.optim.AdamW(details, lr=schedule.details, betas=(0.9, 0.99)),
        }
        self.step = 0
        self._seconds_before = 0.0
        self._started = time.monotonic()

    @property
    def minutes(self) -> float:
        """Minutes trained so far, those before a resume included."""
        return (self._seconds_before + time.monotonic() - self._started) / 60.0

    @property
    def fraction(self) -> float:
        """How much of the training is done, 0 to 1."""
        return min(1.0, self.minutes / self.schedule.minutes)

    def start_clock(self) -> None:
        """Let the training's time run from now; what came before a resume stays counted."""
        self._started = time.monotonic()

    def learn(self, volume: np.ndarray, channels: np.ndarray) -> float:
        """Take one step on a volume `(I, J, K)` with its channels `(I, J, K)`; return the loss."""
        fraction = self.fraction
        rate = self.schedule.rate(fraction)
        self.optimizers["kernels"].param_groups[0]["lr"] = rate * self.schedule.kernels
        self.optimizers["others"].param_groups[0]["lr"] = rate * self.schedule.others
        self.optimizers["details"].param_groups[0]["lr"] = rate * self.schedule.details
        logits, target = self._logits(volume, channels, fraction >= self.schedule.details_from)
        loss = dice_and_cross_entropy(logits, target, self.schedule.dice_weight(fraction))
        self.network.zero_grad()
        torch.autograd.backward(loss)
        for optimizer in self.optimizers.values():
            optimizer.step()
        self.step += 1
        self._average()
        return float(loss.detach())

    def save(self, path: Path) -> None:
        """Write everything that `load` needs; the file appears whole or not at all."""
        state = {
            "step": self.step,
            "seconds": 60.0 * self.minutes,
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
        self._seconds_before = state["seconds"]
        self._started = time.monotonic()

    def _logits(
        self, volume: np.ndarray, channels: np.ndarray, with_details: bool
    ) -> tuple[Tensor, Tensor]:
        """Return logits `(1, K, ...)` and the channels `(1, ...)` that they should answer."""
        patch = torch.from_numpy(volume.astype(np.float32))[None, None]
        truth = torch.from_numpy(channels)[None]
        # On CPUs with AVX512-BF16 and without AMX, torch 2.13 gives kernel gradients of NaN
        # or worse for bfloat16 convolutions on grids of two voxels (oneDNN 3.12); three are right.
        fine = min(patch.shape[2:]) >= 3 * self.network.stride
        with torch.autocast("cpu", torch.bfloat16, enabled=fine):
            if with_details:
                return self.network.training_logits(patch), truth.long()
            folded = self.network.folded_logits(patch)
        return folded.unflatten(1, (self.network.out_channels, 8)), space_to_depth(
            truth[None]
        ).long()

    @torch.no_grad()
    def _average(self) -> None:
        # Short memory at first, or the random start would stay in the average for long.
        decay = min(0.998, (1.0 + self.step) / (20.0 + self.step))
        averaged: list[Tensor] = list(self.averaged.parameters())
        torch._foreach_lerp_(averaged, list(self.network.parameters()), 1.0 - decay)
