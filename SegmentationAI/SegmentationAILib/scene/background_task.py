"""A function on a thread of its own, for numpy and zlib: one thread alone touches a scene."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class BackgroundTask(Generic[T]):
    """A function on a thread of its own; it must touch no node.

    Args:
        work: Begins at once.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._result: T | None = None
        self._error: BaseException | None = None
        self._finished = threading.Event()
        threading.Thread(target=self._run, name="SegmentationAI task", daemon=True).start()

    @property
    def is_finished(self) -> bool:
        """Whether the outcome is known."""
        return self._finished.is_set()

    def wait(self) -> None:
        """Return when the outcome is known."""
        self._finished.wait()

    def result(self) -> T:
        """Return what the function returned, or raise what it raised; only once it is finished."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # T may itself be None

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:  # told on the event loop's thread
            self._error = error
        finally:
            self._finished.set()
