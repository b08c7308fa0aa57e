"""What a journal knows of one segmentation, and the records that bring it up to date."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import slicer
import vtk

from ..core.journal import Record
from ..core.mask_history import NO_MASK, Mask, PlacedMask, box_of, encoded, union
from ..core.segment_tags import ORIGIN_TAG
from ..core.volume import Box
from .image_copies import ImageCopy, copied_in_turns, shifted
from .placement import affine_from_matrix
from .segment_metadata import tags_of_segment
from .segment_protection import tag_of
from .segmentation_layers import BINARY_LABELMAP, segments_by_image
from .segments_in_box import all_segments
from .turns import Steps, run_to_end

NODE, SEGMENT, MASK, DIFFERENCE, GONE = "node", "segment", "mask", "difference", "gone"
_MADE_BY_PROGRAMS = ("predicted", "weak", "accepted")
_CORRECTED = {ORIGIN_TAG: "corrected"}


@dataclass
class _Segment:
    image: ImageCopy
    value: int
    facts: dict[str, Any]
    facts_stamp: int = -1

    @property
    def mask(self) -> PlacedMask:
        """Where the segment is, on the lattice of its image."""
        box = self.image.boxes.get(self.value)
        return NO_MASK if box is None else PlacedMask(box.start_ijk, _mask(self, box))


@dataclass(frozen=True, eq=False)
class CapturedNode:
    """A segmentation at one moment, apart from its scene: any thread may look at it.

    Attributes:
        facts: What places it in a scene.
        segments: By segment ID, in order.
        by_program: Whether a result was written since the moment before.
    """

    facts: dict[str, Any]
    segments: dict[str, _Segment]
    by_program: bool

    @property
    def voxels(self) -> int:
        """How many voxels its images have together."""
        return sum(image.voxels.size for image in {s.image for s in self.segments.values()})


@dataclass
class JournaledNode:
    """One segmentation as it was when the journal last heard of it.

    What it knows belongs to `captured` and to `records` in turn, which may run on two threads but
    never at the same time.

    Attributes:
        node: The segmentation.
    """

    node: slicer.vtkMRMLSegmentationNode
    _segments: dict[str, _Segment] = field(default_factory=dict)
    _in_journal: set[str] = field(default_factory=set)
    _node_facts: dict[str, Any] = field(default_factory=dict)
    _as_made: dict[str, set[int]] = field(default_factory=dict)

    @property
    def is_in_journal(self) -> bool:
        """Whether the journal holds anything of it."""
        return bool(self._node_facts)

    def take_as_saved(self) -> None:
        """Know the voxels of now; they are in the scene's own file."""
        now = run_to_end(self.captured(by_program=True))
        self._segments = {i: _Segment(s.image, s.value, {}) for i, s in now.segments.items()}
        self.forget_journal()

    def forget_journal(self) -> None:
        """Begin anew: the next change writes all segments."""
        self._in_journal.clear()
        self._node_facts = {}

    def captured(self, by_program: bool) -> Steps[CapturedNode]:
        """Copy what has changed, in steps that are short.

        Args:
            by_program: Whether a result was written; else predicted segments whose voxels have
                changed get the origin "corrected".
        """
        known = list({kept.image for kept in self._segments.values()})
        segmentation = self.node.GetSegmentation()
        while True:
            copies = []
            for source, identifiers in segments_by_image(segmentation, BINARY_LABELMAP):
                copies.append((source, identifiers, (yield from copied_in_turns(source, known))))
            # What was added, removed or exchanged between the steps is looked at again.
            if segments_by_image(segmentation, BINARY_LABELMAP) == [one[:2] for one in copies]:
                break
            known += [one[2] for one in copies]
        segments = {}
        for _, identifiers, image in copies:
            for identifier in identifiers:
                segment = segmentation.GetSegment(identifier)
                facts = self._described(identifier, segment)
                segments[identifier] = _Segment(
                    image, segment.GetLabelValue(), facts, segment.GetMTime()
                )
        return CapturedNode(_facts_of_node(self.node), segments, by_program)

    def records(self, now: CapturedNode) -> tuple[list[Record], list[str]]:
        """Return what brings the journal up to date, and take it as known; any thread may ask.

        Returns:
            The records, and the IDs of the segments that a person has corrected.
        """
        changes: dict[str, tuple[_Segment | None, _Segment, PlacedMask | None]] = {}
        boxes: dict[tuple[int, int], Box | None] = {}
        corrected = []
        for identifier, new in now.segments.items():
            old = self._segments.get(identifier)
            change = None if old is None else _difference(old, new, boxes)
            is_edited = old is not None and change is not None and not now.by_program
            if is_edited and self._is_corrected(identifier, old, new):
                new.facts = {**new.facts, "tags": {**new.facts["tags"], **_CORRECTED}}
                corrected.append(identifier)
            changes[identifier] = (old, new, change)
        records = []
        if now.facts != self._node_facts:
            records.append(Record(NODE, {"node": now.facts["id"], **_without_id(now.facts)}))
            self._node_facts = now.facts
        for identifier, (old, new, change) in changes.items():
            key = {"node": now.facts["id"], "segment": identifier}
            records += self._segment_records(key, old, new, change)
        for identifier in set(self._segments) - set(changes):
            del self._segments[identifier]
            self._in_journal.discard(identifier)
            records.append(Record(GONE, {"node": now.facts["id"], "segment": identifier}))
        return records, corrected

    def state_records(self) -> list[Record]:
        """Return the last state that is known as records, when the journal has any of it."""
        if not self.is_in_journal:
            return []
        facts = self._node_facts
        known = {i: one for i, one in self._segments.items() if i in self._in_journal}
        self.forget_journal()
        records = [Record(NODE, {"node": facts["id"], **_without_id(facts)})]
        self._node_facts = facts
        for identifier, segment in known.items():
            key = {"node": facts["id"], "segment": identifier}
            records += self._segment_records(key, segment, segment, None)
        return records

    def mark_corrected(self, identifiers: list[str]) -> None:
        """Write into the segments that a person has changed their voxels."""
        for identifier in identifiers:
            segment = self.node.GetSegmentation().GetSegment(identifier)
            if segment is not None and tag_of(segment, ORIGIN_TAG) in _MADE_BY_PROGRAMS:
                segment.SetTag(ORIGIN_TAG, _CORRECTED[ORIGIN_TAG])

    def _segment_records(
        self, key: dict[str, Any], old: _Segment | None, new: _Segment, change: PlacedMask | None
    ) -> Iterator[Record]:
        identifier = key["segment"]
        is_known = identifier in self._in_journal and old is not None
        if not is_known or (old is not None and old.facts != new.facts):
            yield Record(SEGMENT, {**key, **new.facts})
        if old is None or not is_known or old.image.matrix != new.image.matrix:
            place, bits = encoded(new.mask)
            yield Record(MASK, {**key, "place": place, "matrix": list(new.image.matrix)}, bits)
        elif change is not None:
            place, bits = encoded(change)
            yield Record(DIFFERENCE, {**key, "place": place}, bits)
        self._segments[identifier] = new
        self._in_journal.add(identifier)

    def _is_corrected(self, identifier: str, old: _Segment | None, new: _Segment) -> bool:
        """Return whether a person changed a program's voxels, and undo did not bring them back."""
        if old is None or new.facts["tags"].get(ORIGIN_TAG) not in _MADE_BY_PROGRAMS:
            return False
        as_made = self._as_made.setdefault(identifier, set())
        before, now = _checksum(old), _checksum(new)
        if now == before or now in as_made:
            return False
        as_made.add(before)
        return True

    def _described(self, identifier: str, segment: slicer.vtkSegment) -> dict[str, Any]:
        """Return name, color and tags, read only when something of the segment was modified."""
        old = self._segments.get(identifier)
        if old is not None and old.facts and old.facts_stamp == segment.GetMTime():
            return old.facts
        return _facts_of(segment)


def _difference(
    old: _Segment, new: _Segment, boxes: dict[tuple[int, int], Box | None]
) -> PlacedMask | None:
    """Return the voxels of a segment that differ, None when there are none."""
    box = _changed_box(old, new, boxes)
    if box is None:
        return None
    difference = _mask(old, box) ^ _mask(new, box)
    return PlacedMask(box.start_ijk, difference) if difference.any() else None


def _changed_box(
    old: _Segment, new: _Segment, boxes: dict[tuple[int, int], Box | None]
) -> Box | None:
    """Return where voxels of two images differ, None when nothing does."""
    if old.image is new.image and old.value == new.value:
        return None
    both = union(old.image.box, new.image.box)
    if old.value != new.value or old.image.matrix != new.image.matrix:
        return None if both.is_empty else both
    key = (id(old.image), id(new.image))
    if key not in boxes:
        box = box_of(old.image.within(both) != new.image.within(both))
        start = both.start_ijk
        moved = Box(shifted(box.start_ijk, start), shifted(box.stop_ijk, start))
        boxes[key] = None if box.is_empty else moved
    return boxes[key]


def _mask(segment: _Segment, box: Box) -> Mask:
    found: Mask = segment.image.within(box) == segment.value
    return found


def _checksum(segment: _Segment) -> int:
    """Return a number that tells masks apart, wherever the image around them ends."""
    # Cropping one mask is ten times faster than finding the boxes of all.
    image = segment.image
    mask = PlacedMask(image.box.start_ijk, image.voxels == segment.value).cropped()
    place = np.array([*mask.start_ijk, *mask.voxels.shape], np.int64).tobytes()
    return zlib.crc32(np.packbits(mask.voxels.ravel(order="F")).tobytes(), zlib.crc32(place))


def _facts_of(segment: slicer.vtkSegment) -> dict[str, Any]:
    return {
        "name": segment.GetName() or "",
        "color": list(segment.GetColor()),
        "value": int(segment.GetLabelValue()),
        "tags": tags_of_segment(segment),
    }


def _facts_of_node(node: slicer.vtkMRMLSegmentationNode) -> dict[str, Any]:
    """Return what places a segmentation in a scene."""
    volume = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    transform = node.GetParentTransformNode()
    matrix = vtk.vtkMatrix4x4()
    if transform is not None and transform.IsTransformToWorldLinear():
        transform.GetMatrixTransformToWorld(matrix)
    return {
        "id": node.GetID(),
        "name": node.GetName() or "",
        "volume": [volume.GetID(), volume.GetName()] if volume is not None else None,
        "transform": transform.GetID() if transform is not None else None,
        "world": [float(n) for n in affine_from_matrix(matrix).ravel()],
        "order": all_segments(node.GetSegmentation()),
    }


def _without_id(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name != "id"}
