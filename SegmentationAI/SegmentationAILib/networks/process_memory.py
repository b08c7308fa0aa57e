"""The most memory that this process has held so far."""

import sys

import psutil

try:
    import resource
except ImportError:  # Windows counts it in the process information instead
    resource = None  # type: ignore[assignment]


def peak_memory_bytes() -> int:
    """Return the highest resident memory of this process since it began, bytes."""
    if resource is None:
        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
