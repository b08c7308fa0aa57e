"""The interpreter of the host, and a second one beside it for the worker.

Slicer's ``python-real`` lies in ``bin`` and its standard library in ``lib/Python``, which it finds
by ``PYTHONHOME`` alone. That variable has two consequences for a virtual environment. While it is
set, ``pyvenv.cfg`` is not read: pip in the environment would write into Slicer's own packages.
When it is not, the ``home`` that ``python -m venv`` wrote (``bin``) leads to no standard library.
So the worker never gets that variable, and ``home`` is mended to name the folder above the standard
library, from which Python searches. Where neither form answers as it should, such as on Windows,
whose launcher wants ``python.exe`` in ``home``, the packages go into a folder (``pip --target``).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from .environment_error import WorkerEnvironmentError
from .process import WorkerPython

PROBE_SECONDS: Final = 120
_FACTS: Final = (
    "import ctypes, json, ssl, sys, zlib;"
    "print(json.dumps([sys.prefix, sys.base_prefix, list(sys.version_info[:2])]))"
)
_WINDOWS: Final = os.name == "nt"


class PythonFacts(NamedTuple):
    """What an interpreter says of itself."""

    prefix: Path
    base_prefix: Path
    version: tuple[int, int]


def host_python() -> WorkerPython:
    """Return how to start the interpreter that this program runs in, as a process of its own.

    Raises:
        WorkerEnvironmentError: There is none that can be started.
    """
    home = os.environ.get("PYTHONHOME")
    flags = ("-P", "-s") if home else ("-I",)
    variables = {"PYTHONHOME": sys.base_prefix} if home else {}
    for executable in _candidates():
        python = WorkerPython(executable, (), flags, variables)
        if facts_of(python) is not None:
            return python
    raise WorkerEnvironmentError(
        "python",
        "The Python of this program cannot be started as a process of its own.",
        "Install Slicer again, or connect to a worker on another machine.",
    )


def facts_of(python: WorkerPython) -> PythonFacts | None:
    """Return what an interpreter says of itself, None when it cannot be started."""
    try:
        done = subprocess.run(
            [str(python.executable), *python.flags, "-X", "utf8", "-c", _FACTS],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=bare_environment(python.variables),
            timeout=PROBE_SECONDS,
            check=True,
        )
        prefix, base_prefix, (major, minor) = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return PythonFacts(Path(prefix), Path(base_prefix), (major, minor))


def make_venv(host: WorkerPython, folder: Path) -> bool:
    """Make a virtual environment in ``folder``; return False, and nothing is there, if none works.

    Args:
        host: What it is made of.
        folder: Does not exist.
    """
    facts = facts_of(host)
    words = [str(host.executable), *host.flags, "-m", "venv", "--without-pip", str(folder)]
    done = subprocess.run(
        words,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env=bare_environment(host.variables),
        check=False,
    )
    if facts is not None and done.returncode == 0:
        if _is_of(folder, facts):
            return True
        _mend_home(folder, facts.base_prefix)
        if _is_of(folder, facts):
            return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def python_of_venv(folder: Path) -> WorkerPython:
    """Return the interpreter of a virtual environment."""
    return WorkerPython(folder / ("Scripts/python.exe" if _WINDOWS else "bin/python"))


def bare_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return this process's variables without any of Python's, then ``variables``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, **variables}


def _candidates() -> list[Path]:
    """Return where the interpreter may be; inside Slicer ``sys.executable`` may be Slicer."""
    suffix = ".exe" if _WINDOWS else ""
    own = Path(sys.executable) if sys.executable else None
    found: list[Path] = []
    for name in ("python-real", "PythonSlicer"):
        if own is not None:
            found += [own.parent / f"{name}{suffix}", own.parent / "bin" / f"{name}{suffix}"]
        on_path = shutil.which(name)
        found += [Path(on_path)] if on_path else []
    if own is not None and own.stem.lower().startswith("python"):
        # Outside Slicer this is the one; inside, the real interpreter beside its launcher is.
        found = [own, *found] if own.stem.lower() != "pythonslicer" else [*found, own]
    return [path for path in found if path.is_file()]


def _is_of(folder: Path, host: PythonFacts) -> bool:
    """Whether the environment runs, is itself, and has the host's own standard library."""
    facts = facts_of(python_of_venv(folder))
    return (
        facts is not None
        and facts.version == host.version
        and facts.prefix.resolve() == folder.resolve()
        and facts.base_prefix.resolve() == host.base_prefix.resolve()
    )


def _mend_home(folder: Path, base_prefix: Path) -> None:
    configuration = folder / "pyvenv.cfg"
    lines = configuration.read_text(encoding="utf-8").splitlines()
    mended = [f"home = {base_prefix}" if line.startswith("home ") else line for line in lines]
    configuration.write_text("\n".join(mended) + "\n", encoding="utf-8")
