"""A commit while the event loop runs between its steps."""

from collections.abc import Callable

from ..core.errors import SegmentationAIError
from .commit import Commit, Committed
from .turns import Steps, run_to_end, take_turn


class CommitUnderWay:
    """A commit that is taken through the turns of the event loop.

    Args:
        steps: Of the commit.
        on_end: Given what was done, or why it was not.
    """

    def __init__(
        self,
        steps: Commit,
        on_end: Callable[[Committed | None, BaseException | None], None],
    ) -> None:
        self._steps = self._told(steps)
        self._on_end = on_end
        self._is_over = False

    def step(self) -> bool:
        """Write for one turn of the event loop; return whether it is over."""
        return self._is_over or take_turn(self._steps)

    def finish(self) -> None:
        """Write all that is left."""
        if not self._is_over:
            run_to_end(self._steps)

    def _told(self, steps: Commit) -> Steps[None]:
        """Take the steps and tell how they ended."""
        try:
            done = yield from steps
        except SegmentationAIError as error:
            self._end(None, error)
        except Exception as error:
            self._end(None, error)
            raise
        else:
            self._end(done, None)

    def give_up(self) -> None:
        """Leave the segmentation as it was."""
        if not self._is_over:
            self._steps.close()
            self._end(None, SegmentationAIError("The scene was closed; the result is dropped."))

    def _end(self, done: Committed | None, error: BaseException | None) -> None:
        self._is_over = True
        self._on_end(done, error)
