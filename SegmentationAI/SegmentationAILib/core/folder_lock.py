"""A lock on a folder between processes, which ends with the process that holds it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .errors import WeightsError
from .process_lock import try_lock
from .progress import IGNORE, Progress

SECONDS_BETWEEN_TRIES: Final = 0.05


@contextmanager
def locked(folder: Path, seconds: float = 120.0, progress: Progress = IGNORE) -> Iterator[None]:
    """Hold the lock of ``folder`` during the block; the lock file stays and means nothing.

    Args:
        folder: Exists; gets a file ``.lock``.
        seconds: How long to wait for another process.
        progress: Told while waiting, so that waiting can be cancelled.

    Raises:
        WeightsError: Another process held it all the time.
    """
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while not try_lock(handle):
            if time.monotonic() > deadline:
                raise WeightsError(
                    f"Another process has been changing the networks for {seconds:.0f} s; "
                    "try again when it is done."
                )
            progress(0.0, "Waiting for another process that changes the networks")
            time.sleep(SECONDS_BETWEEN_TRIES)
        yield
    finally:
        os.close(handle)
