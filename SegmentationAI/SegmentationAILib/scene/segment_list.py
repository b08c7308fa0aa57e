"""The segments of a segmentation as a panel lists them: name, color, lock, status, origin."""

import slicer

from ..core.labelmap import Label, Status
from ..core.segment_tags import STATUS_TAG
from .panel_facts import SegmentFacts
from .segment_metadata import label_from_segment
from .segment_protection import is_locked
from .segments_in_box import all_segments


def segments_of(node: slicer.vtkMRMLSegmentationNode) -> tuple[SegmentFacts, ...]:
    """Return the segments in their order."""
    segmentation = node.GetSegmentation()
    facts = []
    for identifier in all_segments(segmentation):
        segment = segmentation.GetSegment(identifier)
        label = label_from_segment(segment, identifier, value=1, layer=0)
        facts.append(
            SegmentFacts(
                id=identifier,
                name=label.name,
                color=label.color,
                is_locked=is_locked(segment),
                status=label.status,
                origin=origin_in_words(label),
            )
        )
    return tuple(facts)


def set_status(node: slicer.vtkMRMLSegmentationNode, segment_id: str, status: Status) -> None:
    """Write down how far the work on a segment is, as Slicer's own segment table does."""
    node.GetSegmentation().GetSegment(segment_id).SetTag(STATUS_TAG, status.replace(" ", ""))


def origin_in_words(label: Label) -> str:
    """Return how a segment came to be, with network, weights and time where they are known."""
    made = label.provenance
    if made is None:
        return "Origin not known."
    words = f"Was {made.origin}"
    if made.network:
        words += f" by {made.network}"
    if made.weights_sha256:
        words += f", weights {made.weights_sha256[:8]}"
    if made.time:
        words += f", {made.time[:16].replace('T', ' ')} UTC"
    return words + "."
