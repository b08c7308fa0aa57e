"""What NVIDIA's driver says of itself and its GPUs, asked through ``nvidia-smi``."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECONDS: Final = 20
_QUERY: Final = "--query-gpu=name,driver_version,compute_cap,memory.total"
_CUDA: Final = re.compile(r"CUDA Version\s*:\s*(\d+)\.(\d+)")


@dataclass(frozen=True)
class Gpu:
    """One GPU: its name, compute capability such as (8, 9), and memory in MiB."""

    name: str
    capability: tuple[int, int]
    memory_mib: int


@dataclass(frozen=True)
class NvidiaDriver:
    """The driver, the newest CUDA that it can run, and its GPUs.

    Attributes:
        version: Such as ``580.82.07``; empty when it does not answer.
        cuda: Such as (13, 0); (0, 0) when it does not say.
        gpus: In its own order.
        fault: Why it is of no use, empty when it is.
    """

    version: str = ""
    cuda: tuple[int, int] = (0, 0)
    gpus: tuple[Gpu, ...] = ()
    fault: str = ""


def read_driver() -> NvidiaDriver | None:
    """Return the driver, None when this machine has none."""
    program = _nvidia_smi()
    if program is None:
        return None
    try:
        summary = _said([program])
        table = _said([program, _QUERY, "--format=csv,noheader,nounits"])
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stdout", b"") or b""
        lines = said.decode("utf-8", "replace").strip().splitlines()
        why = lines[0][:200] if lines else type(error).__name__
        return NvidiaDriver(fault=f"NVIDIA's driver does not answer ({why})")
    return driver_of(summary, table)


def driver_of(summary: str, table: str) -> NvidiaDriver:
    r"""Return the driver that ``nvidia-smi`` describes.

    Args:
        summary: What it prints without arguments.
        table: What it prints for name, driver version, capability and memory, one GPU a line.

    Examples:
        >>> driver_of("| CUDA Version: 12.4 |", "NVIDIA A2000, 550.54, 8.6, 6138\n").cuda
        (12, 4)
    """
    gpus, version = [], ""
    for line in table.splitlines():
        words = [word.strip() for word in line.rsplit(",", 3)]
        if len(words) == 4:
            name, version, capability, memory = words
            gpus.append(Gpu(name, _pair(capability), int(memory) if memory.isdigit() else 0))
    cuda = _CUDA.search(summary)
    if not gpus:
        return NvidiaDriver(fault="NVIDIA's driver lists no GPU")
    return NvidiaDriver(version, (int(cuda[1]), int(cuda[2])) if cuda else (0, 0), tuple(gpus))


def _pair(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


def _nvidia_smi() -> str | None:
    found = shutil.which("nvidia-smi")
    if found is None and os.name == "nt":
        usual = Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"))
        beside = usual / "NVIDIA Corporation" / "NVSMI" / "nvidia-smi.exe"
        return str(beside) if beside.is_file() else None
    return found


def _said(words: list[str]) -> str:
    done = subprocess.run(
        words, capture_output=True, stdin=subprocess.DEVNULL, timeout=SECONDS, check=True
    )
    return done.stdout.decode("utf-8", "replace")
