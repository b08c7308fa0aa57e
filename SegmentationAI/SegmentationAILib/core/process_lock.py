"""A lock on an open file that ends with the process holding it, however that process ends.

Depends on the system: ``fcntl`` where there is one, ``msvcrt`` on Windows.
"""

import sys
from typing import Final

# Windows locks bytes against reading as well; this one lies far behind the end of any file.
_FAR_BEHIND: Final = 1 << 40


def try_lock(handle: int) -> bool:
    """Lock the file behind a descriptor and return whether nobody else held it.

    Args:
        handle: Open for writing. The lock ends when it is closed, or with the process.
    """
    try:
        if sys.platform == "win32":
            import msvcrt
            import os

            position = os.lseek(handle, 0, os.SEEK_CUR)
            os.lseek(handle, _FAR_BEHIND, os.SEEK_SET)
            try:
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(handle, position, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
