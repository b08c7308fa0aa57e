"""Progress of a command: a bar with the remaining time on a terminal, plain lines otherwise."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

from ..core.progress import WARNING, Progress

SECONDS_BETWEEN_LINES = 5.0
BAR = "{percentage:3.0f} %|{bar:24}| {elapsed} passed, {remaining} left  {desc}"


@contextmanager
def progress_line(stream: TextIO | None = None) -> Iterator[Progress]:
    """Yield a progress receiver that writes to ``stream``, by default standard error."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield Progress(_Lines(stream))
        return
    with tqdm(total=1.0, file=stream, bar_format=BAR, leave=False) as bar:

        def report(fraction: float, sentence: str) -> None:
            if sentence.startswith(WARNING):
                bar.write(sentence, file=stream)
                return
            bar.set_description_str(sentence, refresh=False)
            bar.update(max(0.0, fraction - bar.n))

        yield Progress(report)


class _Lines:
    """One line now and then, so that a log file stays short."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started = time.monotonic()
        self._written = -SECONDS_BETWEEN_LINES

    def __call__(self, fraction: float, sentence: str) -> None:
        now = time.monotonic() - self._started
        if sentence.startswith(WARNING):
            self._stream.write(f"{sentence}\n")
            return
        if now - self._written < SECONDS_BETWEEN_LINES:
            return
        self._written = now
        left = f", about {now / fraction - now:.0f} s left" if fraction > 0.02 else ""
        self._stream.write(f"{fraction:4.0%}  {sentence}{left}\n")
        self._stream.flush()
