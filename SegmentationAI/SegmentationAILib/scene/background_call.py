"""A function on a thread of its own that is followed and canceled as a worker's call is."""

import threading
from collections.abc import Callable
from typing import TypeVar

from ..core.errors import Cancelled
from ..core.progress import Progress
from ..worker.client import Call, Event

T = TypeVar("T")


def started(work: Callable[[Progress], T], name: str) -> Call[T]:
    """Begin ``work`` on a thread of its own and return its call.

    Args:
        work: Given a receiver of progress, which raises `Cancelled` once the call was canceled. It
            must touch no node.
        name: Of the thread.
    """
    call: Call[T] = Call()

    def report(fraction: float, sentence: str) -> None:
        if call.canceled_at is not None:
            raise Cancelled
        call.tell(Event("progress", fraction, sentence))

    def run() -> None:
        try:
            call.finish(work(Progress(report)))
        except BaseException as error:  # told on the event loop's thread
            call.finish(error=error)
        finally:
            call.release()

    threading.Thread(target=run, name=name, daemon=True).start()
    return call
