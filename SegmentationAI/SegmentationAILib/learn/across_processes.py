"""Sums over the processes of one training that torchrun started; alone, they are what they are.

A loss of ours is made of sums over the whole batch. Where the batch is shared by several processes,
those sums are added across them, so that each has the loss of the whole batch: the gradients are
those of one process with all patches (DistributedDataParallel averages them; the sum of this file
hands each process the gradient of all losses, which are equal, so that the mean is the gradient).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed

from ..core.errors import SegmentationAIError


@contextmanager
def joined_processes(device_kind: str) -> Iterator[None]:
    """Join the processes that torchrun started, if it did; leave them at the end.

    Args:
        device_kind: ``cuda`` talks over NCCL, all else over Gloo.

    Raises:
        SegmentationAIError: There is no way to talk in this build of torch.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    if not distributed.is_available():
        raise SegmentationAIError(
            "torchrun started several processes, but this build of torch cannot connect them; "
            "start one process, or install a build with torch.distributed."
        )
    distributed.init_process_group("nccl" if device_kind == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def process_count() -> int:
    """Return how many processes train together."""
    return distributed.get_world_size() if _is_joined() else 1


def process_number() -> int:
    """Return which of them this is, from 0."""
    return distributed.get_rank() if _is_joined() else 0


def summed(values: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes, with its gradient."""
    if process_count() == 1:
        return values
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]  # torch's is untyped
    return total


def of_first_process(number: float) -> float:
    """Return the number that process 0 has, such as the time: clocks differ."""
    if process_count() == 1:
        return number
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    shared = torch.tensor([number], dtype=torch.float64, device=device)
    distributed.broadcast(shared, 0)
    return float(shared)


def _is_joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


class _Sum(torch.autograd.Function):
    """A sum over processes whose gradient is the sum of their gradients."""

    @staticmethod
    def forward(_context: object, values: Tensor) -> Tensor:
        total = values.detach().clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: object, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total
