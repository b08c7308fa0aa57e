"""The one error of the worker's environment: what happened, and the one thing to do about it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from ..core.errors import SegmentationAIError

Kind = Literal[
    "network",
    "proxy",
    "certificate",
    "access",
    "disk",
    "permission",
    "no-match",
    "conflict",
    "hash",
    "damaged",
    "interrupted",
    "no-pip",
    "python",
    "not-working",
    "in-use",
    "busy",
    "absent",
    "bundle",
    "unknown",
]


_DISK: Final = (errno.ENOSPC, errno.EDQUOT)
_PERMISSION: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


class WorkerEnvironmentError(SegmentationAIError):
    """The environment could not be made, used or deleted.

    Args:
        kind: Its class, for programs.
        sentence: What happened.
        fix: The one thing to try.
        details: The last lines of output, for a report; empty when there are none.
    """

    def __init__(self, kind: Kind, sentence: str, fix: str, details: str = "") -> None:
        super().__init__(f"{sentence} {fix}")
        self.kind = kind
        self.sentence = sentence
        self.fix = fix
        self.details = details


@contextmanager
def disk_sentences() -> Iterator[None]:
    """Turn what a disk refuses during the block into a `WorkerEnvironmentError`."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK:
            raise WorkerEnvironmentError(
                "disk", "The disk is full.", "Free some space, or choose a folder elsewhere."
            ) from error
        if error.errno in _PERMISSION:
            raise WorkerEnvironmentError(
                "permission",
                "The folder of the worker's environment cannot be written.",
                "Choose a folder of your own in the settings, or ask for the permission.",
            ) from error
        raise
