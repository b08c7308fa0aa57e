"""One network in training: its weights, their average, the optimizer and the steps it takes."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..networks.device import Device
from ..networks.registry import build
from ..networks.trainable import InferenceForm, TrainableNetwork, TrainingForm
from ..networks.weights import Weights
from .across_processes import process_count, process_number
from .frozen_layers import Freeze, FrozenLayers
from .loss_target import loss_target
from .named_losses import loss_by_name, supervised_loss
from .optimizers import Optimizer
from .patch_sampler import Batch
from .plan import TrainingPlan

# Gradients longer than this are shortened to it; nnU-Net's bound.
LONGEST_GRADIENT = 12.0
# The average forgets within some 200 steps.
MOST_DECAY = 0.995


class NotFiniteError(ArithmeticError):
    """The loss or its gradient is NaN or infinite; no weight was changed by it."""


class TrainingSession:
    """Takes the steps of a training.

    Args:
        plan: Says network, optimizer, loss, precision and seed.
        freeze: What stays as it is.
        device: Where it runs.
        start: Tensors to start from, all of the network's; None for random ones from the seed.
    """

    def __init__(
        self, plan: TrainingPlan, freeze: Freeze, device: Device, start: Weights | None = None
    ) -> None:
        self.device = torch.device(device.torch_name)
        network = seeded_network(plan)
        if start is not None:
            load_weights(network, start)
        self.network = _in_fast_order(network.to(self.device))
        assert isinstance(self.network, TrainableNetwork)
        self.frozen = FrozenLayers(self.network, freeze)
        self.averaged = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.answer = InferenceForm(self.averaged).eval()
        form = TrainingForm(self.network)
        self._form: nn.Module = form if process_count() == 1 else DistributedDataParallel(form)
        self.optimizer = Optimizer(
            plan.optimizer, self.network, len(plan.channels), plan.out_channels
        )
        self._loss = loss_by_name(plan.loss)
        self._plan = plan
        self.step = 0

    @property
    def divisors(self) -> tuple[int, ...]:
        """Of the sides of a patch."""
        assert isinstance(self.network, TrainableNetwork)
        return self.network.divisors

    def learn(self, batch: Batch, rate: float) -> float:
        """Take one step and return the loss before it.

        Args:
            batch: This process's share of the patches.
            rate: Of learning.

        Raises:
            NotFiniteError: The loss or its gradient is; the weights are as they were.
        """
        self.network.train()
        self.frozen.keep_still()
        self.optimizer.zero_grad()
        with torch.random.fork_rng(devices=self._rng_devices()):
            torch.manual_seed(self._seed_of_step())
            loss = self._loss_of(batch)
            torch.autograd.backward(loss)
        value = float(loss.detach())
        free = [p for p in self.network.parameters() if p.requires_grad]
        length = float(nn.utils.clip_grad_norm_(free, LONGEST_GRADIENT))
        if not (math.isfinite(value) and math.isfinite(length)):
            raise NotFiniteError(f"loss {value}, gradient {length}")
        self.optimizer.step(rate)
        self.step += 1
        self._average()
        return value

    def state(self) -> dict[str, Any]:
        """Return all that `load_state` needs, as tensors, numbers and texts."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def _loss_of(self, batch: Batch) -> Tensor:
        patches = _ordered(batch.patches.to(self.device))
        weights = None if batch.weights is None else batch.weights.to(self.device)
        target = loss_target(batch.channels.to(self.device), weights)
        is_bf16 = self._plan.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=is_bf16):
            logits = self._form(patches)
        assert isinstance(self.network, TrainableNetwork)
        return supervised_loss(self._loss, logits, target, self.network.output_strides)

    def _seed_of_step(self) -> int:
        """Return a seed for dropout that a resumed training has again."""
        words = [self._plan.seed, self.step, process_number()]
        return int(np.random.SeedSequence(words).generate_state(1)[0])

    def _rng_devices(self) -> list[torch.device]:
        return [self.device] if self.device.type == "cuda" else []

    @torch.no_grad()
    def _average(self) -> None:
        # Short memory at first, or the random start would stay in the average for long.
        share = 1.0 - min(MOST_DECAY, (1.0 + self.step) / (10.0 + self.step))
        now, mean = self.network.state_dict(), self.averaged.state_dict()
        numbers = [name for name, tensor in mean.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([mean[n] for n in numbers], [now[n] for n in numbers], share)
        for name in mean.keys() - set(numbers):
            mean[name].copy_(now[name])


def seeded_network(plan: TrainingPlan) -> nn.Module:
    """Return the plan's network with random weights from its seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed % 2**32)
        return build(plan.architecture.name, plan.architecture.arguments())


def load_weights(network: nn.Module, weights: Weights) -> None:
    """Put weights into a network; counters of batch normalization may be missing.

    Raises:
        WeightsError: They are those of another network.
    """
    from ..networks.weights import check_against

    state = network.state_dict()
    counters = {name for name in state if name.endswith("num_batches_tracked")}
    shapes = {name: tuple(t.shape) for name, t in state.items() if name not in counters}
    kept = {name: array for name, array in weights.items() if name not in counters}
    check_against(shapes, kept, "What the training starts from")
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in kept.items()}
    network.load_state_dict({**{name: state[name] for name in counters}, **tensors})


def _in_fast_order(network: nn.Module) -> nn.Module:
    """Return the network with its kernels in the order in which the CPU and GPU multiply fastest.

    Three-dimensional steps in single precision take 0.7 times as long on CPUs with AMX (measured).
    """
    for parameter in network.parameters():
        if parameter.ndim in (4, 5):
            parameter.data = _ordered(parameter.data)
    return network


def _ordered(tensor: Tensor) -> Tensor:
    order = torch.channels_last_3d if tensor.ndim == 5 else torch.channels_last
    return tensor.contiguous(memory_format=order)
