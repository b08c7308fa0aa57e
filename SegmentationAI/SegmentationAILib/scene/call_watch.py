"""Follows a worker's call from the event loop: no thread of the call ever touches the scene."""

import traceback
from collections.abc import Callable
from typing import Any, Final

from ..core.errors import Cancelled, SegmentationAIError
from ..worker.client import Call
from .panel_facts import Outcome
from .ticker import Stop, Ticker
from .translation import tr as _

POLL_MILLISECONDS: Final = 50
OnProgress = Callable[[float, str, float | None], None]


def watch_call(
    call: Call[Any],
    ticker: Ticker,
    on_progress: OnProgress,
    on_end: Callable[[Call[Any]], None],
    milliseconds: int = POLL_MILLISECONDS,
) -> Stop:
    """Tell of a call's progress and, once, of its end, on the thread of the event loop.

    Args:
        call: May be finished already.
        ticker: The event loop.
        on_progress: Told a fraction, a sentence and the seconds left.
        on_end: Given the call when its outcome is known.
        milliseconds: Between two looks.

    Returns:
        A function that stops the watching; the call goes on.
    """
    last: list[object] = [None]

    def look() -> None:
        event = call.last_event
        if event is not last[0] and not call.is_finished:
            last[0] = event
            on_progress(event.fraction, event.sentence, event.seconds_left)
        if call.is_finished:
            stop()
            on_end(call)

    stop = ticker.every(milliseconds, look)
    return stop


def outcome_of_call(call: Call[Any], sentence: Callable[[Any], str]) -> Outcome:
    """Return how a finished call ended, in words.

    Args:
        call: Is finished.
        sentence: Says what was done, from the call's result.
    """
    try:
        return Outcome(sentence(call.result(0)))
    except Cancelled:
        said = _("Canceled; everything is as it was.")
        return Outcome(said, was_cancelled=True, is_success=False)
    except SegmentationAIError as error:
        details = repr(error.__cause__) if error.__cause__ else getattr(error, "details", "")
        return Outcome(str(error), details=details, is_success=False)
    except Exception as error:  # told to the person: the event loop would only print it
        said = _("Something unforeseen happened in the program: {kind}. See Details.")
        said = said.format(kind=type(error).__name__)
        details = "".join(traceback.format_exception(error))
        return Outcome(said, details=details, is_success=False)
