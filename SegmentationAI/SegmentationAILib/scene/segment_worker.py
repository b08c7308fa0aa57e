"""What runs need of a worker: the part of `worker.client` that a test can stand in for."""

from collections.abc import Mapping
from typing import Any, Protocol

from ..core.labelmap import Labelmap
from ..core.volume import Volume


class Answer(Protocol):
    """What a worker brings."""

    @property
    def labelmap(self) -> Labelmap:
        """On the grid of the volume."""

    @property
    def report(self) -> dict[str, Any]:
        """The facts of the run as the public contract names them."""


class Event(Protocol):
    """Progress of a call."""

    @property
    def fraction(self) -> float:
        """0 to 1."""

    @property
    def sentence(self) -> str:
        """What is being done."""

    @property
    def seconds_left(self) -> float | None:
        """None when unknown."""


class Call(Protocol):
    """A run at the worker."""

    @property
    def is_finished(self) -> bool:
        """Whether the outcome is known."""

    @property
    def last_event(self) -> Event:
        """What became known last."""

    def cancel(self) -> None:
        """End it; it is finished at once."""

    def result(self, seconds: float | None = None) -> Answer:
        """Return the answer, or raise what it failed by."""


class SegmentWorker(Protocol):
    """The part of `worker.client.Worker` that runs need."""

    def segment(
        self,
        volume: Volume,
        others: Mapping[str, Volume] | None,
        network_id: str,
        options: Mapping[str, Any] | None = None,
    ) -> Call:
        """Begin to segment; the voxels stay as they are until the call is over."""
