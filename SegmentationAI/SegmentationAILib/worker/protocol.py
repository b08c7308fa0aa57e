"""What host and worker say to each other, whatever carries it: version, calls, events, errors.

A call is ``POST /calls/<name>`` with a frame (see `frame`); the answer is a stream of events, one
JSON object a line, the first with the call's ``id`` and the last with its outcome. The outcome's
frame is ``GET /calls/<id>/result``; ``DELETE /calls/<id>`` cancels. ``GET /health`` needs no token.
No object is ever unpickled: text is JSON, arrays are raw little-endian bytes.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from ..core import errors

PROGRAM: Final = "segmentationai"
PROGRAM_VERSION: Final = "0.1.0"
# Host and worker are one release locally; a server on another machine can be older or newer.
PROTOCOL_VERSION: Final = 1

CallName = Literal[
    "segment",
    "networks",
    "install",
    "remove",
    "device",
    "compare",
    "dicom_seg",
    "refine",
    "train",
    "study",
]
CALL_NAMES: Final[tuple[str, ...]] = get_args(CallName)
DEFAULT_MAX_BODY_BYTES: Final = 4 << 30
LONGEST_LINE_BYTES: Final = 64 << 10
LONGEST_SENTENCE: Final = 2000
HEARTBEAT_SECONDS: Final = 1.0
OK: Final = 200
# Networks answer with at most this many layers; more in a result is a damaged or hostile answer.
MOST_LAYERS: Final = 64

Kind = Literal["started", "queued", "progress", "heartbeat", "silent", "done", "failed", "canceled"]
_FINAL: Final = ("done", "failed", "canceled")


class WorkerError(errors.SegmentationAIError):
    """The worker or the way to it failed; the call is lost, and the next one can work."""


class UnexpectedError(errors.SegmentationAIError):
    """An error inside the worker that nobody foresaw; its log says more."""


_ERRORS: Final = {
    kind.__name__: kind
    for kind in (
        errors.SegmentationAIError,
        errors.FileFormatError,
        errors.GeometryError,
        errors.WeightsError,
        errors.MemoryBudgetError,
        errors.PromptError,
        WorkerError,
        UnexpectedError,
    )
}


@dataclass(frozen=True)
class Event:
    """One thing that became known about a call.

    Attributes:
        kind: ``silent`` comes from the host's own watch, all others from the worker.
        fraction: Done so far, 0 to 1.
        sentence: For the person at the screen; of the error when it failed.
        seconds_left: Expected, None when nothing is known yet.
        facts: Everything else that came with it.
    """

    kind: Kind
    fraction: float = 0.0
    sentence: str = ""
    seconds_left: float | None = None
    facts: Mapping[str, Any] | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing comes after it."""
        return self.kind in _FINAL


def line_of_event(event: Event) -> bytes:
    """Return an event as one line of JSON."""
    facts = {
        **(event.facts or {}),
        "event": event.kind,
        "fraction": round(event.fraction, 4),
        "sentence": event.sentence[:LONGEST_SENTENCE],
        "seconds_left": event.seconds_left,
    }
    return json.dumps(facts, allow_nan=False).encode() + b"\n"


def event_of_line(line: bytes) -> Event:
    """Return the event of a line.

    Raises:
        WorkerError: It is not one; another program or another version answers there.
    """
    try:
        facts = json.loads(line)
        kind, fraction = facts.pop("event"), float(facts.pop("fraction"))
        sentence, seconds = facts.pop("sentence"), facts.pop("seconds_left")
        is_valid = kind in get_args(Kind) and isinstance(sentence, str) and math.isfinite(fraction)
        seconds = None if seconds is None else float(seconds)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WorkerError(NOT_UNDERSTOOD) from error
    if not is_valid:
        raise WorkerError(NOT_UNDERSTOOD)
    return Event(cast(Kind, kind), min(max(fraction, 0.0), 1.0), in_one_line(sentence), seconds,
                 facts)  # fmt: skip


NOT_UNDERSTOOD: Final = (
    "The worker answered something that is not understood here; is the address right, and are both "
    "sides of the same version?"
)


def failure(error: Exception) -> Event:
    """Return the event that carries an error to the host."""
    if isinstance(error, errors.SegmentationAIError):
        kind = type(error).__name__ if type(error).__name__ in _ERRORS else "SegmentationAIError"
        return Event("failed", sentence=str(error), facts={"error": kind})
    if isinstance(error, OSError) and error.strerror:
        return Event("failed", sentence=f"{error.strerror}.", facts={"error": "WorkerError"})
    sentence = f"The worker met an unexpected {type(error).__name__}: {error}"
    return Event("failed", sentence=sentence, facts={"error": "UnexpectedError"})


def error_of_failure(event: Event) -> errors.SegmentationAIError:
    """Return the error that a ``failed`` event carries; an unknown kind is an unexpected error."""
    kind = _ERRORS.get(str((event.facts or {}).get("error")), UnexpectedError)
    return kind(event.sentence)


def in_one_line(text: str) -> str:
    """Return text from the other side with everything unprintable as a space, and not too long."""
    return "".join(c if c.isprintable() else " " for c in text[:LONGEST_SENTENCE])


def check_health(facts: Any, where: str) -> None:
    """Check that what answered ``GET /health`` is a worker that this host understands.

    Raises:
        WorkerError: It is another program or speaks another version of the protocol.
    """
    if not isinstance(facts, dict) or facts.get("program") != PROGRAM:
        raise WorkerError(
            f"What answers at {where} is not a SegmentationAI server; check the address."
        )
    if facts.get("protocol") != PROTOCOL_VERSION:
        raise WorkerError(
            f"The server at {where} is version {in_one_line(str(facts.get('version')))[:20]} and "
            f"speaks protocol {facts.get('protocol')!a:.20}; this side is version "
            f"{PROGRAM_VERSION} and speaks protocol {PROTOCOL_VERSION}. Install the same version "
            "on both."
        )
