"""Locks between windows: each ends with the process that holds it, however that process ends."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ...core.errors import SegmentationAIError
from ...core.process_lock import try_lock
from ...core.progress import IGNORE, Progress

SECONDS_BETWEEN_TRIES: Final = 0.02


class HeldElsewhereError(SegmentationAIError):
    """Another window holds the lock."""


@contextmanager
def held(
    path: Path, refusal: str, seconds: float = 0.0, progress: Progress = IGNORE
) -> Iterator[None]:
    """Hold the lock of a file during the block; the file stays and means nothing.

    Args:
        path: Of the lock file; its folder exists.
        refusal: What is said when another window keeps it.
        seconds: How long to wait for the other window.
        progress: Told while waiting, so that waiting can be cancelled.

    Raises:
        HeldElsewhereError: ``refusal``: another window held it all the time.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while not try_lock(handle):
            if time.monotonic() >= deadline:
                raise HeldElsewhereError(refusal)
            progress(0.0, "Waiting for another window of this study")
            time.sleep(SECONDS_BETWEEN_TRIES)
        yield
    finally:
        os.close(handle)
