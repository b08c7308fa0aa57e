"""Which device runs a network: what was asked for, what was found, and why."""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import torch

from ..core.errors import SegmentationAIError
from ..core.memory_budget import free_memory_bytes

Kind = Literal["cpu", "cuda", "mps"]
# Whoever sets it, as torchrun does for each of its processes, knows who else computes here: two
# threads that wait for a core together take ten times as long as one (measured, load 7).
THREADS = "OMP_NUM_THREADS"
_REQUEST = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class Device:
    """A device that is there.

    Attributes:
        kind: What it is to torch.
        torch_name: ``cpu``, ``cuda:0`` or ``mps``.
        name: For the report: ``cpu``, or the name of the GPU.
        note: Why it was chosen where that is not what was asked for word by word; else empty.
    """

    kind: Kind
    torch_name: str
    name: str
    note: str = ""


CPU = Device("cpu", "cpu", "cpu")


def choose_device(request: str = "auto") -> Device:
    """Return the device for a request ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    ``auto`` takes the first GPU that answers, else the CPU, and the note says why.

    Raises:
        SegmentationAIError: No such request, or a device asked for by name that is not there.
    """
    if not _REQUEST.fullmatch(request):
        raise SegmentationAIError(
            f"There is no device {request!r}; ask for auto, cpu, cuda, cuda:N or mps."
        )
    if request == "cpu":
        return CPU
    if request == "mps":
        return _mps()
    if request.startswith("cuda"):
        return _cuda(int(request.partition(":")[2] or 0))
    if torch.cuda.is_available():
        return _cuda(0)
    if torch.backends.mps.is_available():
        return _mps()
    return Device("cpu", "cpu", "cpu", f"No GPU was used: {_why_no_gpu()}.")


def physical_cores() -> int:
    """Return how many cores a computation should use: physical ones that this process may use.

    Two threads on one core share its vector unit and only get in each other's way.
    """
    physical = psutil.cpu_count(logical=False) or 1
    process = psutil.Process()
    allowed = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else physical
    return max(1, min(physical, allowed))


def compute_on_cores() -> None:
    """Let torch compute on the physical cores, or on as many as ``OMP_NUM_THREADS`` says.

    A number that is set for one computation stays for the next one: were another one set here than
    for a training, the training after a prediction would differ in its last bits from one in a new
    process.
    """
    if THREADS not in os.environ:
        torch.set_num_threads(physical_cores())


def memory_available_bytes(device: Device) -> int:
    """Return the memory that is free now on a device (the machine's own for ``mps``)."""
    if device.kind == "cuda":
        free, _ = torch.cuda.mem_get_info(torch.device(device.torch_name))
        return int(free)
    return free_memory_bytes()


def cpu_model() -> str:
    """Return the name of the processor, for keys of what was compiled for it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    wanted = ("model name", "model\t", "stepping", "flags")
    found = sorted({line for line in lines if line.startswith(wanted)})
    return "\n".join(found) or platform.machine()


def _cuda(index: int) -> Device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= count:
        found = f"{count} found" if count else _why_no_gpu()
        raise SegmentationAIError(
            f"There is no GPU cuda:{index} ({found}); use --device auto or cpu."
        )
    return Device("cuda", f"cuda:{index}", torch.cuda.get_device_name(index))


def _mps() -> Device:
    if not torch.backends.mps.is_available():
        raise SegmentationAIError(
            "There is no Metal device (mps); it needs a Mac with an Apple GPU. Use --device auto."
        )
    return Device("mps", "mps", f"Apple GPU ({platform.processor() or 'mps'})")


def _why_no_gpu() -> str:
    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} is built for the CPU"
    return "torch finds no driver or no GPU"
