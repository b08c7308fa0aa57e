"""What lies in the data folder, part by part: how large it is, and gone when it is asked for."""

import os
from pathlib import Path

from ..core.errors import SegmentationAIError
from ..core.staging import discard
from .panel_facts import KeptPart

# Folder below the data folder, and what the person calls it.
PARTS = (
    ("networks", "Installed networks"),
    ("environment", "Environment of the worker"),
    ("journal", "Journal of corrections"),
    ("history", "Times of past runs"),
    ("cache", "Compiled networks"),
    ("downloads", "Unfinished downloads"),
)
# Those in use, or whose loss would cost work, are deleted elsewhere or not at all.
_DELETABLE = frozenset({"networks", "history", "cache", "downloads"})


def kept_parts(home: Path) -> tuple[KeptPart, ...]:
    """Return the parts that there are."""
    return tuple(
        KeptPart(key, title, _bytes_in(home / key), key in _DELETABLE)
        for key, title in PARTS
        if (home / key).is_dir()
    )


def delete_part(home: Path, key: str) -> None:
    """Delete one part of the data folder.

    Raises:
        SegmentationAIError: It is not one that is deleted here, or files of it are in use.
    """
    if key not in _DELETABLE:
        raise SegmentationAIError(f"'{key}' is in use or holds work; it cannot be deleted here.")
    try:
        discard(home / key)
    except OSError as error:
        raise SegmentationAIError(
            f"The folder {key} could not be deleted ({error.strerror}); close the other Slicer "
            "and try again."
        ) from error


def _bytes_in(folder: Path) -> int:
    total = 0
    for here, _folders, files in os.walk(folder):
        for name in files:
            path = Path(here) / name
            if path.is_file() and not path.is_symlink():
                total += path.stat().st_size
    return total
