"""The most memory that this process has held so far."""

import re
import sys
from pathlib import Path

import psutil

try:
    import resource
except ImportError:  # Windows counts it in the process information instead
    resource = None  # type: ignore[assignment]

STATUS = Path("/proc/self/status")


def peak_memory_bytes() -> int:
    """Return the highest resident memory of this process since it began, bytes."""
    # Linux hands the peak of getrusage on from parent to child, across exec: a worker would be
    # charged with what Slicer has held. The status file counts this program alone.
    if STATUS.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text(encoding="ascii"))
        if found:
            return int(found.group(1)) * 1024
    if resource is None:
        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts in bytes, the others in KiB.
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
