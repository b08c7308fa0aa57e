"""Which build of PyTorch fits this machine: chosen from the driver, its address from one file."""

import json
import sys
from dataclasses import dataclass
from typing import Any, Final

from ..resources import resource
from .nvidia_driver import Gpu, NvidiaDriver

WHEELS: Final = "torch-wheels.json"
CPU: Final = "cpu"


@dataclass(frozen=True)
class TorchBuild:
    """A build and where it is found.

    Attributes:
        tag: ``cu130`` and so on, ``cpu``, or empty for whatever an index of the person's own holds.
        index: Address of its package index, empty when the usual one has it.
        reason: Why this one, to stand after "because".
    """

    tag: str
    index: str
    reason: str

    @property
    def is_cuda(self) -> bool:
        """Whether it was chosen for an NVIDIA GPU."""
        return self.tag.startswith("cu")


def choose_build(driver: NvidiaDriver | None, own_index: str = "") -> TorchBuild:
    """Return the build for a machine.

    A build runs when its CUDA's major version is not newer than the driver's (minor versions are
    compatible since CUDA 11, see NVIDIA's "CUDA Compatibility"), and when it was compiled for the
    capability of a GPU. The first in the file that does is taken.

    Args:
        driver: As `read_driver` returns it.
        own_index: Address set by the person; ``{build}`` in it stands for the tag.
    """
    wheels = json.loads(resource(WHEELS).read_text(encoding="utf-8"))
    if own_index and "{build}" not in own_index:
        return TorchBuild("", own_index, "the index set in the settings offers it")
    if sys.platform == "darwin":
        return TorchBuild("", "", "PyTorch has one build for macOS")
    found, reason = (None, "there is no NVIDIA driver") if driver is None else _cuda(driver, wheels)
    tag = CPU if found is None else str(found["build"])
    address = str(wheels[CPU] if found is None else found["address"])
    return TorchBuild(tag, own_index.replace("{build}", tag) or address, reason)


def _cuda(driver: NvidiaDriver, wheels: Any) -> tuple[Any, str]:
    """Return the entry that fits, or None, and the reason."""
    if driver.fault:
        return None, driver.fault
    newest, oldest = driver.cuda, min(entry["cuda"][0] for entry in wheels["cuda"])
    if newest[0] < oldest:
        return None, (
            f"NVIDIA's driver {driver.version} is for CUDA {newest[0]}.{newest[1]}, and PyTorch "
            f"wants {oldest} or newer; update the driver"
        )
    for entry in wheels["cuda"]:
        if newest[0] >= entry["cuda"][0] and any(_runs(gpu, entry) for gpu in driver.gpus):
            return entry, f"the driver {driver.version} runs CUDA {newest[0]}.{newest[1]}"
    gpu = driver.gpus[0]
    return None, (
        f"no build of PyTorch fits both the driver {driver.version} and {gpu.name} (compute "
        f"capability {gpu.capability[0]}.{gpu.capability[1]}); a newer driver may help"
    )


def _runs(gpu: Gpu, entry: Any) -> bool:
    lowest, highest = (tuple(entry["capability"][end]) for end in ("lowest", "highest"))
    return bool(lowest <= gpu.capability <= highest)
