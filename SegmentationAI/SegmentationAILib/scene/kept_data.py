"""What lies in the data folder, part by part: how large it is, and gone when it is asked for."""

import os
from pathlib import Path

from ..core.errors import SegmentationAIError
from ..core.folder_lock import locked
from ..core.staging import clear_leftovers, discard
from .panel_facts import KeptPart

ENVIRONMENT = "environment"
# The event loop waits meanwhile; an installation that runs holds the lock for longer.
LOCK_SECONDS = 0.2
# Folder below the data folder, and what the person calls it.
PARTS = (
    ("networks", "Installed networks"),
    (ENVIRONMENT, "Environment of the worker"),
    ("journal", "Journal of corrections"),
    ("history", "Times of past runs"),
    ("cache", "Compiled networks"),
    ("training-cache", "Prepared training cases"),
    ("training-data", "Cases collected for trainings"),
    ("trainings", "Trainings and what they made"),
    ("downloads", "Unfinished downloads"),
)
# The environment is deleted by its own code, and the journal, which holds work, not at all.
_DELETABLE = frozenset(
    {"networks", "history", "cache", "training-cache", "training-data", "trainings", "downloads"}
)


def kept_parts(home: Path) -> tuple[KeptPart, ...]:
    """Return the parts that there are."""
    return tuple(
        KeptPart(key, title, _bytes_in(home / key), key in {*_DELETABLE, ENVIRONMENT})
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


def remove_network(home: Path, network_id: str) -> None:
    """Remove an installed network.

    Raises:
        SegmentationAIError: It is not installed, or its files are in use.
    """
    folder = home / "networks"
    if network_id not in {path.name for path in folder.glob("[!.]*")}:
        raise SegmentationAIError(f"The network {network_id} is not installed.")
    try:
        with locked(folder, LOCK_SECONDS):
            clear_leftovers(folder)
            discard(folder / network_id)
    except OSError as error:
        raise SegmentationAIError(
            f"The network could not be removed ({error.strerror}); close the other Slicer and "
            "try again."
        ) from error


def _bytes_in(folder: Path) -> int:
    total = 0
    for here, _folders, files in os.walk(folder):
        for name in files:
            path = Path(here) / name
            if path.is_file() and not path.is_symlink():
                total += path.stat().st_size
    return total
