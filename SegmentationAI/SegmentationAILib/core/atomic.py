"""Files that appear whole or not at all: written beside the target, then renamed over it.

Until the rename the previous file is untouched, whatever happens: a full disk, a read-only folder,
an error, Ctrl-C. A rename within one folder is atomic on POSIX systems and on NTFS.
"""

import errno
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .errors import SegmentationAIError

TEMPORARY_PREFIX = ".segmentationai-"
LONGEST_SUFFIX = 20
# Windows refuses to rename over a file that a viewer or a virus scanner holds open for a moment:
# ERROR_ACCESS_DENIED and ERROR_SHARING_VIOLATION. The pauses add up to 1.7 s.
WINDOWS_LOCK_ERRORS = (5, 32)
RENAME_ATTEMPTS = 12
FIRST_PAUSE_SECONDS = 0.01

_WHY_NOT_WRITTEN = {
    errno.ENOSPC: "there is no space left on the disk; free some or choose another folder",
    errno.EDQUOT: "your disk quota is used up; free some or choose another folder",
    errno.EFBIG: "the file would be larger than this disk allows; choose another disk",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.EACCES: "you may not write there; choose another folder or ask for the permission",
    errno.EPERM: "you may not write there; choose another folder or ask for the permission",
    errno.ENOENT: "its folder is not there; make it first",
    errno.ENOTDIR: "its folder is not there; make it first",
    errno.ENAMETOOLONG: "its name is too long for this system; choose a shorter one",
    errno.EIO: "the disk reports an error; choose another one",
}


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give the name of an empty temporary file beside ``path`` that becomes ``path`` at the end.

    When the block ends well, the file is on the disk (fsync) before it takes the place of the
    previous one, whose permissions it gets. When it raises, the temporary file is removed and the
    previous file is as it was. A link is followed: what it points to is replaced.

    Args:
        path: What is to be written.

    Raises:
        SegmentationAIError: The file cannot be written; the sentence names the cause.
    """
    with whole_files([path]) as (temporary,):
        yield temporary


@contextmanager
def whole_files(paths: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Give temporary files that become ``paths`` together at the end.

    All are complete on the disk before the first is renamed, so that what can fail for want of
    space has failed before any previous file is touched.

    Args:
        paths: What is to be written, renamed in this order.

    Raises:
        SegmentationAIError: One cannot be written; the sentence names it and the cause.
    """
    with ExitStack() as clean_up, _sentences_for(paths[0]):
        targets = [_target(path) for path in paths]
        temporaries = []
        for target in targets:
            temporaries.append(_new_temporary(target))
            clean_up.callback(temporaries[-1].unlink, missing_ok=True)
        yield tuple(temporaries)
        for temporary in temporaries:
            _flush_to_disk(temporary)
        for temporary, target in zip(temporaries, targets, strict=True):
            _rename(temporary, target)
        for folder in {target.parent for target in targets}:
            flush_folder(folder)


def check_writable(path: Path) -> None:
    """Raise unless ``path`` can be written now; long work asks before it begins.

    Raises:
        SegmentationAIError: It cannot; the sentence names the cause.
    """
    with _sentences_for(path):
        _new_temporary(_target(path)).unlink()


@contextmanager
def _sentences_for(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write into sentences; let everything else pass."""
    try:
        yield
    except OSError as error:
        why = _WHY_NOT_WRITTEN.get(error.errno or 0)
        if why is None:
            raise
        raise SegmentationAIError(
            f"{_shown(path)} was not written: {why}. A previous file of that name is untouched."
        ) from error


def _target(path: Path) -> Path:
    """Return the file that ``path`` leads to, or refuse what cannot be replaced by a file."""
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise SegmentationAIError(f"{_shown(path)} was not written: it is a link to itself.")
    if target.is_dir():
        raise SegmentationAIError(f"{_shown(path)} was not written: it is a folder; name a file.")
    if target.exists() and not target.is_file():
        raise SegmentationAIError(
            f"{_shown(path)} was not written: it is a device or a pipe; name a file."
        )
    if target.exists() and not os.access(target, os.W_OK):
        raise SegmentationAIError(
            f"{_shown(path)} was not written: it is write-protected; choose another name."
        )
    return target


def _new_temporary(target: Path) -> Path:
    """Return a new empty file beside ``target`` with its ending, by which writers choose formats.

    The name is short on purpose: one made from the target's could pass the longest name allowed.
    """
    suffix = "".join(target.suffixes[-2:])
    suffix = suffix if len(suffix) <= LONGEST_SUFFIX else ""
    temporary = target.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}{suffix}"
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    if target.exists():
        temporary.chmod(target.stat().st_mode & 0o777)
    return temporary


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make renames in a folder durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network disks cannot; the file itself is safe by then
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _rename(temporary: Path, target: Path) -> None:
    """Put ``temporary`` in the place of ``target``; wait while Windows says it is locked."""
    for attempt in range(RENAME_ATTEMPTS):
        try:
            temporary.replace(target)
        except PermissionError as error:
            locked = getattr(error, "winerror", None) in WINDOWS_LOCK_ERRORS
            if not locked or attempt == RENAME_ATTEMPTS - 1:
                raise
            time.sleep(FIRST_PAUSE_SECONDS * 1.5**attempt)
        else:
            return


def _shown(path: Path) -> str:
    """Return the name of a file, fit for a message."""
    return "".join(c if c.isprintable() else "?" for c in path.name)[:120] or "."
