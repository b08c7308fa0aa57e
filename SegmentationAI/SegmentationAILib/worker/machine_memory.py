"""How much memory this computer has, with the standard library alone."""

import ctypes
import os
import sys


def total_memory_bytes() -> int:
    """Return the bytes of memory of this computer, 0 when it does not say."""
    if sys.platform == "win32":
        return _windows()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0


def _windows() -> int:
    class _Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "a", "b", "c", "d", "e")),
        )

    status = _Status(length=ctypes.sizeof(_Status))
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - there on Windows alone
    return int(status.total) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else 0
