"""Work in turns of the event loop: generators of short steps, and waits for other threads."""

import time
from collections.abc import Callable, Generator
from typing import Final, Literal, TypeVar

from .background_task import BackgroundTask
from .ticker import Stop, Ticker

T = TypeVar("T")
# What a step yields: whether the next one has something to do, or a thread has to end first.
Pause = Literal["ready", "waiting"]
READY: Final = "ready"
WAITING: Final = "waiting"
Steps = Generator[Pause, None, T]

# A turn of the event loop ends when a step has passed this; see P14.
SECONDS_PER_TURN: Final = 0.010
# Work on so few voxels takes 20 ms at the most: no thread is begun for it, so that a stroke on a
# small scan is in the journal after one turn.
FEW_VOXELS: Final = 5 << 19
POLL_MILLISECONDS: Final = 5
_NAP_SECONDS: Final = 0.002


def elsewhere(work: Callable[[], T], voxels: int | None = None) -> Steps[T]:
    """Do work on a thread of its own, or at once when it concerns few voxels.

    Args:
        work: Touches copies alone, never the scene. It is waited for when the steps are closed.
        voxels: How many it looks at, None for work that takes long for each.
    """
    if voxels is not None and voxels <= FEW_VOXELS:
        return work()
    task = BackgroundTask(work)
    try:
        yield WAITING
        while not task.is_finished:
            yield WAITING
    finally:
        task.wait()
    return task.result()


def run_to_end(steps: Steps[T]) -> T:
    """Take all steps before returning, for scripts and for a scene that is about to be saved."""
    while True:
        try:
            if next(steps) == WAITING:
                time.sleep(_NAP_SECONDS)
        except StopIteration as stop:
            answer: T = stop.value
            return answer


def run_in_turns(steps: Steps[None], ticker: Ticker) -> Stop:
    """Take steps in the turns of the event loop, from the next one on.

    Args:
        steps: What they raise is the event loop's to show.
        ticker: The event loop.

    Returns:
        A function that closes the steps.
    """
    stops: list[Stop] = []
    is_ended, is_running = [False], [False]

    def turn() -> None:
        is_over = is_running[0] = True
        try:
            is_over = take_turn(steps)
        finally:
            is_running[0] = False
            if is_over or is_ended[0]:
                end()

    def begin() -> None:
        if not is_ended[0]:
            stops.append(ticker.every(POLL_MILLISECONDS, turn))
            turn()

    def end() -> None:
        is_ended[0] = True
        if not is_running[0]:
            steps.close()
        while stops:
            stops.pop()()

    ticker.soon(begin)
    return end


def take_turn(steps: Steps[None]) -> bool:
    """Take steps for one turn; return whether they are over."""
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS_PER_TURN:
        try:
            if next(steps) == WAITING:
                return False
        except StopIteration:
            return True
    return False
