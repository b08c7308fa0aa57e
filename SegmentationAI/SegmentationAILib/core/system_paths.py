"""What one operating system wants of paths and the others do not."""

import os
from pathlib import Path

# Windows refuses longer ones (MAX_PATH is 260 with the drive) unless they carry the long prefix.
LONGEST_PLAIN_WINDOWS_PATH = 240


def reachable(path: Path) -> Path:
    """Return a path that this system can open, however long it is."""
    if os.name != "nt":
        return path
    return Path(extended_windows_path(str(path.absolute())))


def extended_windows_path(absolute: str) -> str:
    r"""Return an absolute Windows path with the prefix that lifts its limit of 260 characters.

    Examples:
        >>> extended_windows_path("C:\\scans\\ct.nii")
        'C:\\scans\\ct.nii'
        >>> extended_windows_path("C:\\" + "long\\" * 60 + "ct.nii")[:10]
        '\\\\?\\C:\\lon'
        >>> extended_windows_path("\\\\server\\share\\" + "long\\" * 60)[:20]
        '\\\\?\\UNC\\server\\share'
    """
    if len(absolute) <= LONGEST_PLAIN_WINDOWS_PATH or absolute.startswith("\\\\?\\"):
        return absolute
    if absolute.startswith("\\\\"):
        return f"\\\\?\\UNC\\{absolute[2:]}"
    return f"\\\\?\\{absolute}"
