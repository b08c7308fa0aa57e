"""Which segments a result may change: locks, and work that a person has put into a segment.

Slicer has no lock per segment. A lock is kept as the tag `LOCK_TAG`, which survives in scenes and
``.seg.nrrd``, together with Slicer's own status "Completed", which its segment table shows. A
segment that a person calls completed in that table counts as locked too.
"""

from typing import Final

import slicer
import vtk

from ..core.segment_tags import ORIGIN_TAG, STATUS_TAG

LOCK_TAG: Final = "SegmentationAI.Locked"

# Segments of other origins, and those of none, hold a person's work.
_MADE_BY_PROGRAMS: Final = frozenset({"predicted", "weak"})
_COMPLETED: Final = "completed"


def tag_of(segment: slicer.vtkSegment, name: str) -> str:
    """Return the value of a tag, empty when the segment lacks it."""
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else ""


def is_locked(segment: slicer.vtkSegment) -> bool:
    """Return whether nothing but a person may change the voxels of a segment."""
    return tag_of(segment, LOCK_TAG) == "1" or tag_of(segment, STATUS_TAG) == _COMPLETED


def set_locked(segment: slicer.vtkSegment, locked: bool) -> None:
    """Lock or unlock a segment; its status becomes "completed" or "in progress" with it."""
    if locked:
        segment.SetTag(LOCK_TAG, "1")
    else:
        segment.RemoveTag(LOCK_TAG)
    segment.SetTag(STATUS_TAG, _COMPLETED if locked else "inprogress")


def holds_work(segment: slicer.vtkSegment) -> bool:
    """Return whether a person drew, corrected or accepted a segment."""
    return tag_of(segment, ORIGIN_TAG) not in _MADE_BY_PROGRAMS
