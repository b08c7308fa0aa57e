"""The files of a study: written whole, named by what they hold, never changed afterwards.

A file is complete on the disk before the index speaks of it. A kill in between leaves a file that
nobody knows; `set_orphans_aside` moves such files out of the way when the study is opened.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from ...core.atomic import TEMPORARY_PREFIX, flush_folder
from ...core.errors import SegmentationAIError
from .records import Role, StoredFile

LABELS: Final = "labels"
ORPHANS: Final = "orphans"
_CHUNK: Final = 1 << 20
_ENDING: Final[dict[Role, str]] = {
    "labels": ".seg.nrrd",
    "touched": ".seg.nrrd",
    "doubt": ".nrrd",
    "votes": ".nrrd",
}
# As `store_file` makes names: what an index says is a path of this form or it is not opened.
_NAME: Final = re.compile(
    r"[0-9]{4,9}/[0-9]{4,9}-(labels|touched|doubt|votes)-[0-9a-f]{16}\.(seg\.)?nrrd"
)

Write = Callable[[Path], None]


def store_file(study: Path, case: int, number: int, role: Role, write: Write) -> StoredFile:
    """Write a new file of a study and return its name and hash.

    Args:
        study: Folder of the study.
        case: Key of the case.
        number: Of the version.
        role: What the file holds.
        write: Writes to the path that it is given, whole and to the disk, as those of
            `core.files` do.

    Raises:
        SegmentationAIError: It cannot be written; nothing is left of it.
    """
    folder = study / LABELS / f"{case:04d}"
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}{_ENDING[role]}"
    try:
        write(temporary)
        sha256 = sha256_of_file(temporary)
        name = f"{case:04d}/{number:04d}-{role}-{sha256[:16]}{_ENDING[role]}"
        temporary.replace(study / LABELS / name)
    finally:
        temporary.unlink(missing_ok=True)
    for changed in (folder, folder.parent):
        flush_folder(changed)
    return StoredFile(name, sha256)


def path_of(study: Path, file: StoredFile) -> Path:
    """Return the path of a file, having looked that it is the one the index means.

    Raises:
        SegmentationAIError: It is missing, or its bytes are others, or its name leads elsewhere.
    """
    if not _NAME.fullmatch(file.name):
        raise SegmentationAIError(
            f"The index of {study.name} names a file that cannot be one of its own; restore "
            "study.sqlite from a backup."
        )
    path = study / LABELS / file.name
    if path.is_symlink() or not path.is_file():
        raise SegmentationAIError(
            f"The file {file.name} of the study {study.name} is missing; restore it from a backup."
        )
    if sha256_of_file(path) != file.sha256:
        raise SegmentationAIError(
            f"The file {file.name} of the study {study.name} was changed by something else; "
            "restore it from a backup, or roll the case back."
        )
    return path


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def set_orphans_aside(study: Path, known: Iterable[str]) -> int:
    """Move files that the index does not know to ``orphans``, and return how many.

    Nobody writes meanwhile: the caller holds the study's lock. They are moved rather than deleted,
    since an index restored from an older backup does not know the newest versions.

    Args:
        study: Folder of the study.
        known: Names of all files of the index.
    """
    names = set(known)
    moved = 0
    for path in sorted((study / LABELS).glob("*/*")):
        if path.name.startswith(TEMPORARY_PREFIX):
            path.unlink(missing_ok=True)
        elif path.relative_to(study / LABELS).as_posix() not in names:
            (study / ORPHANS).mkdir(exist_ok=True)
            target = f"{path.parent.name}-{path.name}-{secrets.token_hex(4)}"
            path.rename(study / ORPHANS / target)
            moved += 1
    return moved
