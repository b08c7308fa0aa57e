"""The worker's process on this machine: start it, learn where it listens, see it end, end it.

What depends on the system is here. The child reads its token from its standard input, which then
stays open: when this process dies, in whatever way, that input ends and the child ends too.
"""

import collections
import json
import logging
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from ..resources import HOME_VARIABLE
from .protocol import PROTOCOL_VERSION, WorkerError

BOOT: Final = Path(__file__).resolve().with_name("boot.py")
START_SECONDS: Final = 120.0
LAST_LINES: Final = 30
ENDED_BY_ITSELF_SECONDS: Final = 1.0
# The C library of Linux gives freed pages back at once and gets them again for the next prompt:
# 9 ms of 60. It raises these bounds itself, to 32 and 64 MB, once such arrays were freed; scans are
# above them and always go back. Other systems know no such variables.
MEMORY: Final[Mapping[str, str]] = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerPython:
    """The interpreter that runs the worker, and what it needs to find its packages.

    Attributes:
        executable: Python 3.11 or newer; of a virtual environment, or any.
        paths: Folders put first on its ``sys.path``, such as one made by ``pip --target``.
        flags: ``-I`` keeps out ``PYTHONPATH``, the working directory and the user's own packages;
            ``-P -s`` does the same for an interpreter that needs ``PYTHONHOME``.
        variables: Set in its environment, from which every ``PYTHON...`` variable is taken first.
    """

    executable: Path = field(default_factory=lambda: Path(sys.executable))
    paths: tuple[Path, ...] = ()
    flags: tuple[str, ...] = ("-I",)
    variables: Mapping[str, str] = field(default_factory=dict)


class WorkerProcess:
    """A worker that was started; `wait_until_ready` says where it listens.

    Args:
        python: What runs it.
        home: Its data folder, None for that of this process.
        exchange: Folder for frames as files, None when they travel as bodies.

    Raises:
        WorkerError: The interpreter cannot be started.
    """

    def __init__(
        self, python: WorkerPython, home: Path | None = None, exchange: Path | None = None
    ) -> None:
        self.token = secrets.token_urlsafe(32)
        self.port = 0
        self._said: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
        self._hello: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._own_pid = 0
        words = [str(python.executable), *python.flags, "-X", "utf8", str(BOOT)]
        try:
            self._child = subprocess.Popen(
                [*words, *map(str, python.paths)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(python.variables, home),
                cwd=os.path.abspath(os.sep),  # noqa: PTH100 - the root of this drive, on any system
                **_APART,
            )
        except OSError as error:
            raise WorkerError(
                f"The worker's Python could not be started ({error.strerror}); make its "
                "environment again in the settings."
            ) from error
        self._greet(exchange)
        for target, stream in ((self._read_hello, "stdout"), (self._read_said, "stderr")):
            pipe = getattr(self._child, stream)
            threading.Thread(
                target=target, args=(pipe,), name=f"worker {stream}", daemon=True
            ).start()

    @property
    def pid(self) -> int:
        """Process ID of the interpreter; where a launcher starts it, not the launcher's."""
        return self._own_pid or self._child.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs (a stopped one does)."""
        return self._child.poll() is None

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait for the worker to listen; ends it when it does not.

        Raises:
            WorkerError: It ended, or took too long, or is of another version.
        """
        if self.port:
            return
        try:
            line = self._hello.get(timeout=seconds)
        except queue.Empty:
            self.end()
            raise WorkerError(f"The worker did not start within {seconds:.0f} s.") from None
        try:
            hello = json.loads(line)
            if hello["protocol"] != PROTOCOL_VERSION:
                raise WorkerError("The worker is of another version; install the module again.")
            self._own_pid, self.port = int(hello["pid"]), int(hello["port"])
        except (ValueError, KeyError, TypeError) as error:
            self.end()
            last = f" It said: {self._said[-1]}" if self._said else ""
            raise WorkerError(f"The worker could not be started.{last}") from error

    def why_it_ended(self) -> str:
        """Return a sentence about its end; waits a moment for an end that is under way."""
        try:
            status = self._child.wait(ENDED_BY_ITSELF_SECONDS)
        except subprocess.TimeoutExpired:
            return "The connection to the worker broke."
        if status < 0:
            name = signal.Signals(-status).name if -status in set(signal.Signals) else str(-status)
            return f"The worker was ended from outside ({name}), perhaps for want of memory."
        return f"The worker ended unexpectedly (exit status {status})."

    def close(self, seconds: float = 2.0) -> None:
        """Ask it to end by closing its input; end it when it does not within ``seconds``."""
        if self._child.stdin is not None:
            try:
                self._child.stdin.close()
            except OSError:
                logger.debug("the worker's input was closed already")
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()

    def end(self) -> None:
        """End it at once, also when it is stopped, with everything that it started."""
        if sys.platform == "win32":
            for pid in {self._child.pid, self.pid}:
                words = ["taskkill", "/F", "/T", "/PID", str(pid)]
                subprocess.run(words, capture_output=True, check=False)
        else:
            try:
                os.killpg(self._child.pid, signal.SIGKILL)
            except ProcessLookupError:
                logger.debug("the worker had ended already")
        self._child.wait()

    def _greet(self, exchange: Path | None) -> None:
        greeting = {"token": self.token, "exchange": None if exchange is None else str(exchange)}
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(greeting).encode() + b"\n")
            self._child.stdin.flush()
        except OSError:
            logger.debug("the worker ended before it was greeted")

    def _read_hello(self, pipe: IO[bytes]) -> None:
        self._hello.put(pipe.readline())
        _drain(pipe)

    def _read_said(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            text = line.decode("utf-8", "replace").strip()[:500]
            if text:
                self._said.append(text)
                logger.debug("worker: %s", text)


def _environment(variables: Mapping[str, str], home: Path | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if home is not None:
        kept[HOME_VARIABLE] = str(home)
    return {**MEMORY, **kept, **variables}


def _drain(pipe: IO[bytes]) -> None:
    """Read to the end, so that a child that prints is never held up."""
    while pipe.read(4096):
        pass


# Its own group: Ctrl-C in a terminal is for the host, and a kill reaches its children too.
_APART: Final[dict[str, Any]] = (
    {"creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)}
    if sys.platform == "win32"
    else {"start_new_session": True}
)
