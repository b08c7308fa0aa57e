"""What a Slicer segment keeps in tags: codes, status, provenance and the label value that it owns.

``.seg.nrrd`` files and `scene.segment_metadata` both use this: a file written without Slicer and
one saved by Slicer read alike.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast, get_args

from .labelmap import Label, Origin, Provenance, Status
from .terminology import TISSUE, Terminology, terminology_from_slicer

# Slicer renumbers segments when it merges or separates their layers, which saving alone does; the
# value that a label is known by is therefore kept in a tag as well.
LABEL_VALUE_TAG: Final = "SegmentationAI.LabelValue"
ORIGIN_TAG: Final = "SegmentationAI.Origin"
NETWORK_TAG: Final = "SegmentationAI.Network"
WEIGHTS_TAG: Final = "SegmentationAI.WeightsSha256"
ITERATION_TAG: Final = "SegmentationAI.Iteration"
TIME_TAG: Final = "SegmentationAI.Time"
STATUS_TAG: Final = "Segmentation.Status"
TERMINOLOGY_TAG: Final = "TerminologyEntry"

_OWN_TAGS: Final = frozenset(
    {
        LABEL_VALUE_TAG,
        ORIGIN_TAG,
        NETWORK_TAG,
        WEIGHTS_TAG,
        ITERATION_TAG,
        TIME_TAG,
        STATUS_TAG,
        TERMINOLOGY_TAG,
    }
)
# What Slicer writes for a segment of which nobody has said what it is.
_UNSAID: Final = Terminology(TISSUE, TISSUE)


def tags_of_label(label: Label) -> dict[str, str]:
    """Return all tags of a label, its own free tags included."""
    tags = {key: value for key, value in label.tags if key not in _OWN_TAGS}
    tags[LABEL_VALUE_TAG] = str(label.value)
    tags[STATUS_TAG] = label.status.replace(" ", "")
    if label.terminology is not None:
        tags[TERMINOLOGY_TAG] = str(label.terminology)
    if label.provenance is not None:
        tags[ORIGIN_TAG] = label.provenance.origin
        tags[NETWORK_TAG] = label.provenance.network
        tags[WEIGHTS_TAG] = label.provenance.weights_sha256
        tags[ITERATION_TAG] = str(label.provenance.iteration)
        tags[TIME_TAG] = label.provenance.time
    return tags


def fields_of_tags(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of `Label` that tags hold: terminology, status, provenance, tags."""
    terminology = terminology_from_slicer(tags.get(TERMINOLOGY_TAG, ""))
    status = tags.get(STATUS_TAG, "")
    return {
        "terminology": None if terminology == _UNSAID else terminology,
        "status": next(
            (s for s in get_args(Status) if s.replace(" ", "") == status), "not started"
        ),
        "provenance": _provenance(tags),
        "tags": tuple((key, value) for key, value in tags.items() if key not in _OWN_TAGS),
    }


def owned_value(tags: Mapping[str, str]) -> int | None:
    """Return the label value that a segment is known by, None when its tags do not say."""
    given = tags.get(LABEL_VALUE_TAG, "")
    return int(given) if re.fullmatch(r"[1-9][0-9]{0,8}", given) else None


def segment_ids(labels: Sequence[Label]) -> tuple[str, ...]:
    """Return a segment ID for each label: its own, else ``Segment_<value>``; all differ."""
    taken = {label.segment_id for label in labels}
    used: set[str] = set()
    chosen = []
    for label in labels:
        identifier = label.segment_id or f"Segment_{label.value}"
        while identifier in used or (not label.segment_id and identifier in taken):
            identifier += f"_layer_{label.layer}"
        used.add(identifier)
        chosen.append(identifier)
    return tuple(chosen)


def _provenance(tags: Mapping[str, str]) -> Provenance | None:
    """Return how the segment came to be, None when its tags do not say."""
    origin = tags.get(ORIGIN_TAG, "")
    if origin not in get_args(Origin):
        return None
    iteration = tags.get(ITERATION_TAG, "")
    return Provenance(
        origin=cast(Origin, origin),
        network=tags.get(NETWORK_TAG, ""),
        weights_sha256=tags.get(WEIGHTS_TAG, ""),
        iteration=int(iteration) if re.fullmatch(r"[0-9]{1,9}", iteration) else 0,
        time=tags.get(TIME_TAG, ""),
    )
