"""What a training will cost before it starts: from counted operations and a look at this machine.

The network itself takes a few training steps on random numbers for half a second; the operations
of the plan's patches over those of that probe say how much longer its own steps will take. Earlier
trainings on this machine correct what such a probe cannot see: augmentation, looks at the
hold-out, other programs.
"""

import copy
import math
import time
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..core.errors import SegmentationAIError
from ..networks.device import physical_cores
from ..networks.registry import build
from ..networks.trainable import TrainableNetwork, TrainingForm
from .plan import ExpectedCost, Precision, TrainingPlan
from .training_history import TrainingHistory
from .training_machine import TrainingMachine

PROBE_SECONDS: Final = 0.5
# Operations of one forward pass of a probe's patch at most: a step of two such patches takes 0.2 s
# on two cores that have nothing else to do.
PROBE_OPERATIONS: Final = 2e9
# Weights, gradients, AdamW's two averages and the averaged weights, 4 bytes each.
BYTES_PER_WEIGHT: Final = 20
# Of what is kept for the backward pass; what comes and goes besides was at most a third of it.
WORKSPACE: Final = 1.3
# Without a history: augmentation and looks at the hold-out took so much of the steps themselves.
FIRST_FACTOR: Final = 1.3


@dataclass(frozen=True)
class StepCost:
    """What the steps of one plan take.

    Attributes:
        operations: Floating-point operations of one forward pass of one patch.
        seconds: Of one step of the whole batch.
        memory_bytes: Of weights, optimizer and what one step keeps.
        weights: Numbers in the network.
    """

    operations: float
    seconds: float
    memory_bytes: float
    weights: int


def expected_cost(
    plan: TrainingPlan, machine: TrainingMachine, history: TrainingHistory | None = None
) -> ExpectedCost:
    """Return what a plan is expected to cost on this machine; takes about half a second.

    Args:
        plan: To be carried out to its last epoch.
        machine: Where.
        history: Of earlier trainings, None for the person's own.

    Raises:
        SegmentationAIError: Not even the probe fits the memory.
    """
    step = step_cost(plan, machine)
    history = history or TrainingHistory()
    known = history.factor(plan, machine.device.name)
    seconds = step.seconds * plan.steps * (FIRST_FACTOR if known is None else known)
    basis = "from half a second of trial steps"
    if known is not None:
        basis += " and earlier trainings here"
    return ExpectedCost(round(seconds, 1), round(step.memory_bytes / 2**20, 1), step.weights, basis)


def step_cost(plan: TrainingPlan, machine: TrainingMachine) -> StepCost:
    """Return what one step of a plan takes, measured on a patch that is small enough.

    Raises:
        SegmentationAIError: The probe does not fit the memory.
    """
    network = build(plan.architecture.name, plan.architecture.arguments())
    assert isinstance(network, TrainableNetwork)
    full = plan.patch_size[: len(network.divisors)]
    inputs = len(plan.channels)
    wanted = _operations(network, inputs, full)
    sides = _probe_sides(full, network.divisors, wanted)
    share = wanted / _operations(network, inputs, sides)
    try:
        seconds, kept = _probe(network, inputs, sides, plan.precision, machine)
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        raise SegmentationAIError(
            f"A patch of {sides} voxels does not fit the memory of {machine.device.name}; choose "
            "smaller patches or a smaller network."
        ) from error
    weights = sum(parameter.numel() for parameter in network.parameters())
    voxels = math.prod(full) / math.prod(sides)
    memory = weights * BYTES_PER_WEIGHT + kept * voxels * plan.batch_size * WORKSPACE
    return StepCost(wanted, seconds * share * plan.batch_size, memory, weights)


def _operations(network: nn.Module, inputs: int, sides: tuple[int, ...]) -> float:
    """Return the operations of one forward pass, counted without computing anything."""
    empty = copy.deepcopy(network).to("meta").train()
    assert isinstance(empty, TrainableNetwork)
    patch = torch.empty((2, inputs, *sides), device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        TrainingForm(empty)(patch)
    return float(counter.get_total_flops()) / 2


def _probe_sides(
    full: tuple[int, ...], divisors: tuple[int, ...], operations: float
) -> tuple[int, ...]:
    """Return the patch itself where it is cheap, else one of the same form with fewer voxels."""
    shrink = min(1.0, PROBE_OPERATIONS / operations) ** (1 / len(full))
    sides = [max(d, int(n * shrink) // d * d) for n, d in zip(full, divisors, strict=True)]
    # Normalization needs two voxels on the coarsest grid.
    if math.prod(sides) < 2 * math.prod(divisors):
        longest = max(range(len(sides)), key=lambda axis: full[axis] / divisors[axis])
        sides[longest] = 2 * divisors[longest]
    return tuple(sides)


def _probe(
    network: nn.Module,
    inputs: int,
    sides: tuple[int, ...],
    precision: Precision,
    machine: TrainingMachine,
) -> tuple[float, float]:
    """Return the seconds of a training step of one patch, and the bytes it keeps meanwhile.

    Two patches are taken together, since batch normalization needs them and no step takes one.
    """
    device = torch.device(machine.device.torch_name)
    placed = network.to(device)
    assert isinstance(placed, TrainableNetwork)
    form = TrainingForm(placed).train()
    patches = torch.randn((2, inputs, *sides), generator=torch.Generator().manual_seed(0))
    threads = torch.get_num_threads()
    torch.set_num_threads(min(threads, physical_cores()))
    try:
        started = time.perf_counter()
        kept = _step(form, patches.to(device), precision)
        fastest = time.perf_counter() - started
        while time.perf_counter() - started < PROBE_SECONDS:
            before = time.perf_counter()
            _step(form, patches.to(device), precision)
            fastest = min(fastest, time.perf_counter() - before)
    finally:
        torch.set_num_threads(threads)
    return fastest / 2, kept / 2


def _step(form: nn.Module, patches: Tensor, precision: Precision) -> float:
    """Take a step without changing weights; return the bytes that were kept for its way back."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    is_bf16 = precision == "bf16"
    with (
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
        torch.autocast(patches.device.type, torch.bfloat16, enabled=is_bf16),
    ):
        logits = form(patches)
        loss = torch.stack([one.float().logsumexp(dim=1).mean() for one in logits]).sum()
    torch.autograd.backward(loss)
    form.zero_grad(set_to_none=True)
    if patches.device.type == "cuda":
        torch.cuda.synchronize(patches.device)
    return float(sum(kept.values()))
