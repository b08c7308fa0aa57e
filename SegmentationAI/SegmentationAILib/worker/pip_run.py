"""Runs pip as a child process: progress from what it says, cancel at any moment, one failure."""

import importlib.util
import math
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from ..core.progress import IGNORE, Progress
from .host_python import bare_environment
from .package_source import without_unwanted
from .pip_failure import failure_of
from .process import WorkerPython

CHILD: Final = Path(__file__).resolve().with_name("pip_child.py")
SECONDS_BETWEEN_LOOKS: Final = 0.1
_STEP: Final = re.compile(r"^\s*(Collecting|Downloading|Using cached|Processing|Saved) (\S+)(.*)")
_SIZE: Final = re.compile(r"\([0-9.]+ [kMG]?B\)")
_COMMON: Final = (
    "--disable-pip-version-check", "--no-input", "--no-color", "--progress-bar", "off",
    "--only-binary", ":all:",
    # Without a second try pip keeps the reason to itself and speaks of a missing distribution.
    "--retries", "2",
)  # fmt: skip


def run_pip(
    python: WorkerPython,
    words: Sequence[str],
    variables: Mapping[str, str],
    expected: int,
    progress: Progress = IGNORE,
) -> None:
    """Run pip's command; when progress raises, pip is ended and the error goes on.

    Args:
        python: The interpreter to install for.
        words: The command and its options; wheels alone are taken, so that nothing is built.
        variables: Added to the environment.
        expected: Number of packages named, from which the fraction is guessed.
        progress: Told about each package, and ten times a second.

    Raises:
        WorkerEnvironmentError: pip failed; one sentence and one thing to do.
    """
    said: list[str] = []
    fraction, sentence, steps = 0.0, "Looking for packages", 0
    with _pip(python, [words[0], *_COMMON, *words[1:]], variables) as (child, lines):
        while (line := _next(lines)) is not None:
            if line:
                said.append(line)
                step = _STEP.match(line)
                steps += step is not None
                # Packages bring others, about twice as many as are named: never quite the end.
                guess = 0.8 * (1 - math.exp(-steps / (3 * max(expected, 1))))
                fraction = max(fraction, guess)
                sentence = _sentence(line, step) or sentence
                if line.startswith("Installing collected"):
                    fraction = 0.85
            progress(fraction, sentence)
        status = child.wait()
    if status:
        raise failure_of("".join(said), status)
    progress(1.0, "Packages are in place")


@contextmanager
def _pip(
    python: WorkerPython, words: Sequence[str], variables: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], "queue.SimpleQueue[str | None]"]]:
    """Give the running child and its lines; None is the last. It has ended after the block."""
    flags = [*python.flags, "-X", "utf8"]
    child = subprocess.Popen(
        [str(python.executable), *flags, str(CHILD), str(_pip_folder()), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**without_unwanted(bare_environment(python.variables)), **variables},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    assert child.stdout is not None
    reader = threading.Thread(target=_read, args=(child.stdout, lines), daemon=True)
    reader.start()
    try:
        yield child, lines
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        reader.join()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


def _pip_folder() -> Path:
    """Return where this program's pip lies, found and not imported; it may be absent."""
    spec = importlib.util.find_spec("pip")
    if spec is None or spec.origin is None:
        return Path(sys.prefix) / "no-pip"
    return Path(spec.origin).parent


def _read(pipe: IO[bytes], lines: "queue.SimpleQueue[str | None]") -> None:
    for line in pipe:
        lines.put(line.decode("utf-8", "replace"))
    lines.put(None)


def _next(lines: "queue.SimpleQueue[str | None]") -> str | None:
    """Return the next line, empty when none has come within a moment, None at the end."""
    try:
        return lines.get(timeout=SECONDS_BETWEEN_LOOKS)
    except queue.Empty:
        return ""


def _sentence(line: str, step: re.Match[str] | None) -> str:
    if line.startswith("Installing collected"):
        return "Installing the packages"
    if step is None:
        return ""
    verb = {"Collecting": "Looking for", "Downloading": "Downloading"}.get(step[1], "Taking")
    name = step[2].rsplit("/", 1)[-1].split("==")[0]
    size = _SIZE.search(step[3])
    return f"{verb} {name}{f' {size[0]}' if size else ''}"
