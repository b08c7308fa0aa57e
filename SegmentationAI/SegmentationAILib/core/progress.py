"""Progress of slow functions: a fraction and a sentence; to cancel, the call raises.

Examples:
    >>> seen = []
    >>> progress = Progress(lambda fraction, sentence: seen.append((fraction, sentence)))
    >>> progress.part(0.5, 1.0)(0.5, "Patch 2 of 4")
    >>> seen
    [(0.75, 'Patch 2 of 4')]
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Report = Callable[[float, str], None]

# A sentence that begins so is for the person to see before the work goes on; receivers keep it.
WARNING: Final = "Warning: "


def _ignore(fraction: float, sentence: str) -> None:
    """Take no notice."""


@dataclass(frozen=True)
class Progress:
    """A receiver of progress over the interval ``[start, stop]`` of a larger task.

    Attributes:
        report: Called with the overall fraction (0 to 1, never falling) and a sentence. To cancel
            the work it raises `Cancelled`; core has no other way to be stopped.
        start: Fraction of the larger task at which this part begins.
        stop: Fraction at which it ends.
    """

    report: Report = _ignore
    start: float = 0.0
    stop: float = 1.0

    def __call__(self, fraction: float, sentence: str) -> None:
        """Report that ``fraction`` (0 to 1) of this part is done."""
        within = min(max(fraction, 0.0), 1.0)
        self.report(self.start + within * (self.stop - self.start), sentence)

    def part(self, start: float, stop: float) -> "Progress":
        """Return the receiver for the part of this task between two of its fractions."""
        width = self.stop - self.start
        return Progress(self.report, self.start + start * width, self.start + stop * width)


IGNORE = Progress()
