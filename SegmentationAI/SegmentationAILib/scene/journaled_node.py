"""What a journal knows of one segmentation, and the records that bring it up to date."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import slicer
import vtk

from ..core.journal import Record
from ..core.mask_history import NO_MASK, Mask, PlacedMask, box_of, encoded, union
from ..core.segment_tags import ORIGIN_TAG
from ..core.volume import Array, Box
from .placement import affine_from_matrix
from .segment_metadata import tags_of_segment
from .segment_protection import tag_of
from .segmentation_layers import BINARY_LABELMAP, segments_by_image
from .segments_in_box import all_segments
from .value_boxes import boxes_of_values
from .vtk_voxels import voxels_from_image

NODE, SEGMENT, MASK, DIFFERENCE, GONE = "node", "segment", "mask", "difference", "gone"
_EMPTY = np.zeros((0, 0, 0), np.uint8)


@dataclass(frozen=True, eq=False)
class _Image:
    """A copy of the voxels that segments shared at some moment."""

    stamp: tuple[Any, ...]
    voxels: Array
    box: Box
    matrix: tuple[float, ...]

    @cached_property
    def boxes(self) -> dict[int, Box]:
        """The box of each label value, on the image's own lattice."""
        start = self.box.start_ijk
        return {
            value: Box(_moved(box.start_ijk, start), _moved(box.stop_ijk, start))
            for value, box in boxes_of_values(self.voxels).items()
        }

    def within(self, box: Box) -> Array:
        """Return the voxels in a box, 0 where the image does not reach."""
        if box == self.box:
            return self.voxels
        out = np.zeros(box.shape, self.voxels.dtype, order="F")
        start = np.maximum(box.start_ijk, self.box.start_ijk)
        stop = np.minimum(box.stop_ijk, self.box.stop_ijk)
        if (start < stop).all():
            into, of = start - box.start_ijk, start - self.box.start_ijk
            size = stop - start
            out[tuple(slice(a, a + n) for a, n in zip(into, size, strict=True))] = self.voxels[
                tuple(slice(a, a + n) for a, n in zip(of, size, strict=True))
            ]
        return out


@dataclass
class _Segment:
    image: _Image
    value: int
    facts: dict[str, Any]
    facts_stamp: int = -1

    @property
    def mask(self) -> PlacedMask:
        """Where the segment is, on the lattice of its image."""
        box = self.image.boxes.get(self.value)
        return NO_MASK if box is None else PlacedMask(box.start_ijk, _mask(self, box))


@dataclass
class JournaledNode:
    """One segmentation as it was when the journal last heard of it.

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
        for _, identifier, image in self._images():
            segment = self.node.GetSegmentation().GetSegment(identifier)
            self._segments[identifier] = _Segment(image, segment.GetLabelValue(), {})
        self.forget_journal()

    def forget_journal(self) -> None:
        """Begin anew: the next change writes all segments."""
        self._in_journal.clear()
        self._node_facts = {}

    def records(self, by_program: bool) -> list[Record]:
        """Return what brings the journal up to date, and take it as known.

        Args:
            by_program: Whether a result was written; else predicted segments whose voxels have
                changed get the origin "corrected".
        """
        changes: dict[str, tuple[_Segment | None, _Segment, PlacedMask | None]] = {}
        boxes: dict[tuple[int, int], Box | None] = {}
        for segment, identifier, image in self._images():
            old = self._segments.get(identifier)
            new = _Segment(image, segment.GetLabelValue(), {})
            change = None if old is None else _difference(old, new, boxes)
            if not by_program and old is not None and change is not None:
                self._mark_corrected(segment, identifier, old, new)
            _describe(new, segment, old)
            changes[identifier] = (old, new, change)
        records = []
        facts = _facts_of_node(self.node)
        if facts != self._node_facts:
            records.append(Record(NODE, {"node": self.node.GetID(), **facts}))
            self._node_facts = facts
        for identifier, (old, new, change) in changes.items():
            records += self._segment_records(identifier, old, new, change)
        for identifier in set(self._segments) - set(changes):
            del self._segments[identifier]
            self._in_journal.discard(identifier)
            records.append(Record(GONE, {"node": self.node.GetID(), "segment": identifier}))
        return records

    def _segment_records(
        self, identifier: str, old: _Segment | None, new: _Segment, change: PlacedMask | None
    ) -> Iterator[Record]:
        key = {"node": self.node.GetID(), "segment": identifier}
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

    def _mark_corrected(
        self, segment: slicer.vtkSegment, identifier: str, old: _Segment, new: _Segment
    ) -> None:
        """Write down that a person changed the voxels, unless undo brought old ones back."""
        if tag_of(segment, ORIGIN_TAG) not in ("predicted", "weak", "accepted"):
            return
        as_made = self._as_made.setdefault(identifier, set())
        before, now = _checksum(old), _checksum(new)
        if now == before or now in as_made:
            return
        as_made.add(before)
        segment.SetTag(ORIGIN_TAG, "corrected")

    def _images(self) -> Iterator[tuple[slicer.vtkSegment, str, _Image]]:
        """Yield every segment with a copy of its voxels, the old one where nothing changed."""
        known = {kept.image.stamp: kept.image for kept in self._segments.values()}
        segmentation = self.node.GetSegmentation()
        for source, identifiers in segments_by_image(segmentation, BINARY_LABELMAP):
            image = _copied(source, known)
            for identifier in identifiers:
                yield segmentation.GetSegment(identifier), identifier, image


def _copied(source: Any, known: dict[tuple[Any, ...], _Image]) -> _Image:
    """Return a copy of an image, or the one that is there already."""
    if source is None or source.GetNumberOfPoints() < 1:
        return _Image((None,), _EMPTY, Box((0, 0, 0), (0, 0, 0)), tuple(np.eye(4).ravel()))
    matrix = vtk.vtkMatrix4x4()
    source.GetImageToWorldMatrix(matrix)
    numbers = tuple(float(n) for n in affine_from_matrix(matrix).ravel())
    extent = source.GetExtent()
    scalars = source.GetPointData().GetScalars()
    stamp = (source.GetAddressAsString("vtkObject"), source.GetMTime(), scalars.GetMTime(), extent)
    if stamp in known:
        return known[stamp]
    i, j, k = extent[::2]
    box = Box((i, j, k), (extent[1] + 1, extent[3] + 1, extent[5] + 1))
    return _Image(stamp, voxels_from_image(source)[0].copy(order="F"), box, numbers)


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
        moved = Box(_moved(box.start_ijk, start), _moved(box.stop_ijk, start))
        boxes[key] = None if box.is_empty else moved
    return boxes[key]


def _moved(corner: tuple[int, int, int], by: tuple[int, int, int]) -> tuple[int, int, int]:
    return corner[0] + by[0], corner[1] + by[1], corner[2] + by[2]


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


def _describe(new: _Segment, segment: slicer.vtkSegment, old: _Segment | None) -> None:
    """Read name, color and tags, unless nothing of the segment was modified."""
    new.facts_stamp = segment.GetMTime()
    if old is not None and old.facts and old.facts_stamp == new.facts_stamp:
        new.facts = old.facts
    else:
        new.facts = _facts_of(segment)


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
        "name": node.GetName() or "",
        "volume": [volume.GetID(), volume.GetName()] if volume is not None else None,
        "transform": transform.GetID() if transform is not None else None,
        "world": [float(n) for n in affine_from_matrix(matrix).ravel()],
        "order": all_segments(node.GetSegmentation()),
    }
