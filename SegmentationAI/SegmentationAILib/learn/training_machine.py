"""The machine that a training is planned for: its device, its memory, and what it computes fast."""

from dataclasses import dataclass

import torch

from ..core.memory_budget import free_memory_bytes
from ..networks.device import Device, choose_device
from .plan import Precision


@dataclass(frozen=True)
class TrainingMachine:
    """Where a training will run.

    Attributes:
        device: Of the computation.
        memory_bytes: Free on the device now.
        precision: That the forward pass is fastest in.
    """

    device: Device
    memory_bytes: int
    precision: Precision

    @property
    def is_gpu(self) -> bool:
        """Whether it is more than a processor."""
        return self.device.kind != "cpu"


def this_machine(request: str = "auto") -> TrainingMachine:
    """Return this machine with the device that is asked for.

    Args:
        request: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        SegmentationAIError: The device is not there.
    """
    device = choose_device(request)
    memory = free_memory_bytes()
    if device.kind == "cuda":
        memory = int(torch.cuda.mem_get_info(device.torch_name)[0])
    return TrainingMachine(device, memory, _precision(device))


def _precision(device: Device) -> Precision:
    """Return bf16 where matrix units compute in it; elsewhere it is emulated and slower."""
    if device.kind == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.kind == "cpu" and torch.cpu._is_amx_tile_supported():
        return "bf16"
    return "fp32"
