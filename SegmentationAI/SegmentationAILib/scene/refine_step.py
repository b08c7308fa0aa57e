"""One step of a correction that waits for its turn at the worker."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from ..core.volume import Box
from ..worker.client import RefineAnswer

NO_ANSWER: Final = RefineAnswer("", Box((0, 0, 0), (0, 0, 0)), None, (), (), 0, 0, ())


@dataclass(eq=False)
class CorrectionStep:
    """What is to be done next.

    Attributes:
        action: Of `worker.wire_refine.RefineAction`; ``local`` asks nothing of the worker.
        values: That go with it.
        is_finished: False for a line that is still drawn; a later state takes its place.
        then: Called with the answer.
        is_retried: Whether it was asked before, of a worker that was lost.
    """

    action: str
    values: dict[str, Any] = field(default_factory=dict)
    is_finished: bool = True
    then: Callable[[RefineAnswer], None] = lambda answer: None
    is_retried: bool = False
