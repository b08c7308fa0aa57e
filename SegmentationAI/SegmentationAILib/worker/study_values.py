"""Values that calls of a study bring, checked."""

import math
from typing import Final

from .protocol import WorkerError
from .wire_study import StudyAsked

# A week: what is beyond was no work on a case.
LONGEST_SECONDS: Final = 7 * 24 * 3600.0


def text(asked: StudyAsked, name: str) -> str:
    """Return a value that has to be text."""
    value = asked.values.get(name)
    if not isinstance(value, str):
        raise WorkerError(f"The call '{asked.action}' has to give {name} as text.")
    return value


def integer(asked: StudyAsked, name: str) -> int:
    """Return a value that has to be a whole number."""
    value = asked.values.get(name)
    if type(value) is not int:
        raise WorkerError(f"The call '{asked.action}' has to give {name} as a whole number.")
    return value


def number(asked: StudyAsked, name: str) -> int | None:
    """Return a value that is a whole number, or None where nothing is said."""
    return None if asked.values.get(name) is None else integer(asked, name)


def seconds_of(asked: StudyAsked) -> float:
    """Return the seconds that a person has spent, 0 where nothing is said."""
    value = asked.values.get("seconds", 0.0)
    if type(value) not in (int, float) or not math.isfinite(value):
        raise WorkerError("The time that was spent has to be a number of seconds.")
    return min(max(float(value), 0.0), LONGEST_SECONDS)
