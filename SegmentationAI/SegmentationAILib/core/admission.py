"""Checks that every foreign file passes before and while it is read.

A header is only a claim. Each check compares a claim with what is known without trusting it (the
size of the file, the free memory, what a scan can be), and refuses in one sentence that names the
file, what was found, what was expected and what to do.
"""

import errno
import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .errors import FileFormatError, GeometryError, MemoryBudgetError
from .memory_budget import memory_budget_bytes
from .volume import Affine, Array

# From electron microscopy (1 nm) to a meter; what lies outside is a broken header, not a scan.
SMALLEST_SPACING_MM = 1e-6
LARGEST_SPACING_MM = 1e3
# Deflate cannot shrink data more than this (RFC 1951: 258 bytes from 2 bits).
LARGEST_INFLATION = 1032
# Cosine of the angle between two axes: scanners write rounding up to 1e-4, half a voxel of shear
# over 512 voxels is 1e-3, and the smallest gantry tilt (0.5 degrees) is 9e-3.
SHEAR_COSINE = 1e-3
SHOWN_CHARACTERS = 80
BLOCK = 1 << 22

_WHY_NOT_OPENED = {
    errno.ENOENT: "is not there; check the path",
    errno.ENOTDIR: "is not there; check the path",
    errno.ELOOP: "is a link that leads to itself; name the file that was meant",
    errno.ENAMETOOLONG: "has a name that is too long for this system; rename it",
    errno.EACCES: "may not be read by you; ask for the permission",
    errno.EPERM: "may not be read by you; ask for the permission",
}


def shown_name(path: Path) -> str:
    """Return the file's name (without its folder) fit for a message: printable and short."""
    name = "".join(c if c.isprintable() else "?" for c in path.name) or "."
    if len(name) > SHOWN_CHARACTERS:
        return f"{name[: SHOWN_CHARACTERS // 2]}...{name[-SHOWN_CHARACTERS // 2 :]}"
    return name


def is_folder(path: Path) -> bool:
    """Return whether a folder is there; a name that the system cannot look up is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def open_regular(path: Path) -> BinaryIO:
    """Return a regular file opened for reading, unbuffered; the caller closes it (``with``).

    It is opened once and then judged by its descriptor, so that nothing can be put in its place
    between a check and the reading. A FIFO is refused without waiting for its writer.

    Raises:
        FileFormatError: It is missing, unreadable, empty, a folder, a FIFO, a device or a loop.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        why = _WHY_NOT_OPENED.get(number or 0, "cannot be opened; check the path")
        if is_folder(path):  # Windows refuses to open a folder, and says so as a missing permission
            why = "is a folder, and a file was expected; name the file inside"
        raise FileFormatError(f"{shown_name(path)} {why}.") from error
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size > 0:
        return os.fdopen(descriptor, "rb", buffering=0)
    os.close(descriptor)
    if stat.S_ISREG(found.st_mode):
        raise FileFormatError(f"{shown_name(path)} is empty; copy or export it again.")
    kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a socket or a device"
    raise FileFormatError(f"{shown_name(path)} is {kind}, and a file was expected; name a file.")


def check_sizes(sizes: Sequence[int], item_bytes: int, name: str) -> int:
    """Return the bytes of an array, in Python integers that cannot overflow.

    Args:
        sizes: Spatial sizes (at most three), then channels, as the header claims them.
        item_bytes: Bytes of one value in memory.
        name: Name of the file, for the message.

    Raises:
        FileFormatError: There are too many axes, or one is below 1.
        MemoryBudgetError: The array takes more memory than one volume may.
    """
    if not 1 <= len(sizes) <= 4 or any(n < 1 for n in sizes):
        raise FileFormatError(
            f"{name} claims sizes {tuple(sizes)}; one to three spatial axes and channels of at "
            "least 1 each were expected; export it again."
        )
    needed = math.prod(int(n) for n in sizes) * item_bytes
    budget = memory_budget_bytes()
    if needed > budget:
        raise MemoryBudgetError(
            f"{name} claims {' x '.join(str(n) for n in sizes)} voxels, {needed / 2**30:.3g} GiB, "
            f"and {budget / 2**30:.3g} GiB may be used for one volume; crop or resample it, or use "
            "a machine with more memory."
        )
    return needed


def check_available(needed: int, most: int, name: str) -> None:
    """Raise unless a file can hold the bytes that its header claims.

    Args:
        needed: Bytes of all voxels.
        most: Bytes that the file can give at the very most (see `ByteSource.most_bytes`).
        name: Name of the file, for the message.

    Raises:
        FileFormatError: It cannot.
    """
    if needed > most:
        raise FileFormatError(
            f"{name} claims {needed} bytes of voxels and can hold {most} at most: it is cut off or "
            "its header is damaged; copy or export it again."
        )


def checked_affine(affine: Affine, name: str) -> Affine:
    """Return an affine as float64 ``(4, 4)`` after judging it; shear is accepted.

    Raises:
        GeometryError: It is not finite, singular, or has a spacing that no scan has.
    """
    checked = np.array(affine, dtype=np.float64)
    if not np.isfinite(checked).all():
        raise GeometryError(
            f"{name} places its voxels by numbers that are not finite (NaN or infinite); finite "
            "ones were expected: repair the header or export it again."
        )
    check_spacing(np.hypot(np.hypot(checked[0, :3], checked[1, :3]), checked[2, :3]), name)
    axes = checked[:3, :3] / np.linalg.norm(checked[:3, :3], axis=0)
    if abs(np.linalg.det(axes)) < 1e-3:
        raise GeometryError(
            f"{name} has axes that are not independent (singular direction matrix); three "
            "directions in space were expected: repair the header or export it again."
        )
    return checked


def check_spacing(spacing: Sequence[float] | Affine, name: str) -> None:
    """Raise unless distances between voxels (mm) are ones that a scan can have.

    Raises:
        GeometryError: One is zero, negative, not finite, or beyond reason.
    """
    if all(SMALLEST_SPACING_MM <= s <= LARGEST_SPACING_MM for s in spacing):
        return
    found = ", ".join(f"{s:.4g}" for s in spacing)
    raise GeometryError(
        f"{name} claims a voxel spacing of {found} mm; {SMALLEST_SPACING_MM:g} to "
        f"{LARGEST_SPACING_MM:g} mm was expected: repair the header or export it again."
    )


def is_sheared(affine: Affine) -> bool:
    """Return whether two axes of an affine are away from a right angle (as by a gantry tilt)."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = axes.T @ axes - np.eye(3)
    return bool(np.abs(cosines).max() > SHEAR_COSINE)


def non_finite_note(voxels: Array) -> tuple[str, ...]:
    """Return a sentence on voxels that are NaN or infinite, or nothing when all are finite."""
    if voxels.dtype.kind != "f":
        return ()
    # A sum is finite when all its terms are, and needs no second array; only when it is not
    # (or has overflowed) are the voxels counted.
    with np.errstate(all="ignore"):
        if np.isfinite(voxels.sum(dtype=np.float64)):
            return ()
    flat = voxels.ravel(order="K")
    bad = sum(
        int(np.count_nonzero(~np.isfinite(flat[at : at + BLOCK])))
        for at in range(0, flat.size, BLOCK)
    )
    return (f"{bad} of {flat.size} voxels are not finite (NaN or infinite).",) if bad else ()
