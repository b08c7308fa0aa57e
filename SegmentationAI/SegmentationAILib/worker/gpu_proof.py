"""Proof that an environment works: its packages import, their versions are right, a kernel runs."""

import json
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ..core.progress import IGNORE, Progress
from .environment_error import WorkerEnvironmentError
from .host_python import bare_environment
from .process import WorkerPython

PROBE: Final = Path(__file__).resolve().with_name("environment_probe.py")
SECONDS: Final = 600
_AGAIN: Final = "Delete the environment in the settings and set it up again."


@dataclass(frozen=True)
class GpuProof:
    """What computes, as a kernel has shown.

    Attributes:
        kind: Where the kernel ran.
        name: Of the GPU; empty on the CPU.
        reason: Why not on a GPU; empty on one.
    """

    kind: Literal["cuda", "mps", "cpu"]
    name: str = ""
    reason: str = ""

    @property
    def badge(self) -> str:
        """The words for the person.

        Examples:
            >>> GpuProof("cpu", reason="there is no NVIDIA driver").badge
            'CPU only, because there is no NVIDIA driver.'
        """
        if self.kind == "cpu":
            return f"CPU only, because {self.reason}."
        return f"GPU works: {self.name}"


def prove(
    python: WorkerPython,
    folder: Path,
    pins: Mapping[str, str],
    why_cpu: str,
    progress: Progress = IGNORE,
) -> GpuProof:
    """Return what computes in an environment, after everything in it was tried.

    Args:
        python: Its interpreter.
        folder: Where its packages lie; one that lies elsewhere does not count.
        pins: Version that each package must have.
        why_cpu: The reason when a CPU build was chosen on purpose; empty otherwise.
        progress: Told ten times a second.

    Raises:
        WorkerEnvironmentError: A package is missing, of another version, or broken, or no kernel
            ran even on the CPU.
    """
    question = {"folder": str(folder), "names": sorted(pins), "kernel": "torch" in pins}
    answer = _ask(python, question, progress)
    _check_packages(answer, pins)
    if "torch" not in pins:
        return GpuProof("cpu", reason="this environment has no PyTorch")
    device = answer["device"]
    if device["kind"] != "cpu":
        return GpuProof(device["kind"], device["name"])
    return GpuProof("cpu", reason=why_cpu or device["reason"])


def _check_packages(answer: Mapping[str, Any], pins: Mapping[str, str]) -> None:
    for name, version in pins.items():
        found = answer["versions"].get(name)
        # A build's own mark ("+cpu") counts only where the pin names one.
        if found is None or version not in (found, found.split("+")[0]):
            what = "is missing" if found is None else f"is of version {found}"
            raise _broken(f"The package {name} {what}, version {version} is needed.")
    for name, why in answer["failed"].items():
        raise _broken(f"The package {name} cannot be loaded ({why}).")


def _ask(python: WorkerPython, question: Mapping[str, Any], progress: Progress) -> Any:
    """Return the probe's answer; it is ended when it takes too long or progress raises."""
    child = subprocess.Popen(
        [str(python.executable), *python.flags, "-X", "utf8", str(PROBE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=bare_environment(python.variables),
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    said: list[bytes] = [b"", b""]

    def talk() -> None:
        said[:] = child.communicate(json.dumps(question).encode())

    talker = threading.Thread(target=talk, daemon=True)
    talker.start()
    deadline = time.monotonic() + SECONDS
    try:
        while talker.is_alive():
            talker.join(0.1)
            progress(0.5, "Trying out the environment")
            if time.monotonic() > deadline:
                raise _broken(f"The environment did not answer within {SECONDS} s.")
    finally:
        if child.poll() is None:
            child.kill()
        talker.join()
    return _answer(said, child.returncode)


def _answer(said: list[bytes], status: int) -> Any:
    try:
        return json.loads(said[0])
    except ValueError as error:
        lines = said[1].decode("utf-8", "replace").strip().splitlines()
        why = lines[-1][:300] if lines else f"exit status {status}"
        raise _broken(f"The environment's Python failed ({why}).") from error


def _broken(sentence: str) -> WorkerEnvironmentError:
    return WorkerEnvironmentError("not-working", sentence, _AGAIN)
