"""Saying that a network is prepared for this computer, which is done deep in a call."""

from typing import Final

from ..core.progress import IGNORE, Progress

SENTENCE: Final = "Preparing the network for this computer, once"


class Preparation:
    """Passes progress on, and puts in the sentence where a network is prepared."""

    def __init__(self) -> None:
        self._progress = IGNORE
        self._fraction = 0.0

    def within(self, progress: Progress) -> Progress:
        """Return the receiver of a run in which networks may be prepared."""

        def report(fraction: float, sentence: str) -> None:
            self._fraction = fraction
            progress(fraction, sentence)

        self._progress, self._fraction = progress, 0.0
        return Progress(report)

    def begins(self) -> None:
        """Tell that a network is prepared now.

        Raises:
            Cancelled: Raised by the receiver.
        """
        self._progress(self._fraction, SENTENCE)
