"""A result painted over copies of the segments on another thread, and put into them in one turn.

Nothing is half written at any moment: segments that are edited meanwhile are copied and painted
anew.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import slicer
import vtk

from ..core.volume import SAME_GRID_TOLERANCE_VOXELS
from .commit_plan import Plan, Rule, plan_of_commit
from .image_copies import ImageCopy, Stamp, copied_in_turns, image_from_copy, stamp_of
from .painted_layers import Area, EditorRules, PaintedLayers, Place, layer_on_grid
from .placement import affine_from_matrix
from .segment_metadata import segment_from_label
from .segment_writing import Target, check_there, sign
from .segmentation_layers import BINARY_LABELMAP, segments_by_image
from .segments_in_box import all_segments, visible_segments
from .turns import Steps, elsewhere

# After so many paintings that edits have overtaken, the next one keeps the event loop waiting.
MOST_OVERTAKEN: Final = 4


@dataclass(frozen=True, eq=False)
class Painting:
    """Segments painted over, ready to be put into the scene.

    Attributes:
        plan: What was painted.
        layers: Their voxels and places.
        state: What the segments were when they were copied.
    """

    plan: Plan
    layers: PaintedLayers
    state: tuple[Any, ...]


def can_be_painted(work: Target) -> bool:
    """Return whether all segments lie on the result's own lattice, and no intensity range holds.

    Else Slicer has to resample, and writes segment by segment: see `segment_writing`.
    """
    if work.logic.GetSegmentEditorNode().GetSourceVolumeIntensityMask():
        return False
    places = set()
    for image, identifiers in segments_by_image(work.segmentation, BINARY_LABELMAP):
        for identifier in identifiers:
            place = image, work.segmentation.GetSegment(identifier).GetLabelValue()
            if image is None or place in places:
                return False
            places.add(place)
    return all(
        image is None or image.GetNumberOfPoints() < 1 or _offset(work, image) is not None
        for image, _ in segments_by_image(work.segmentation, BINARY_LABELMAP)
    )


def painted(work: Target, rule: Rule) -> Steps[Painting]:
    """Paint the result over copies of the segments as they are, step by step.

    Raises:
        SegmentationAIError: The target was removed or exchanged meanwhile.
    """
    overtaken = 0
    while True:
        check_there(work)
        copies: dict[Any, ImageCopy] = {}
        state = state_of(work)
        for image, _ in segments_by_image(work.segmentation, BINARY_LABELMAP):
            copies[image] = yield from copied_in_turns(image)
            check_there(work)
        if state_of(work) == state:
            plan = plan_of_commit(work.result, work.segmentation, rule)
            layers = _layers(work, copies, plan)

            def paint(layers: PaintedLayers = layers, plan: Plan = plan) -> None:
                layers.paint(work.result, plan, rule)

            if overtaken < MOST_OVERTAKEN:
                yield from elsewhere(paint, sum(box_size(b) for b in work.result.boxes))
            else:
                paint()
            check_there(work)
            if state_of(work) == state:
                return Painting(plan, layers, state)
        overtaken += 1


def put(work: Target, painting: Painting) -> None:
    """Give the segments what was painted; the images that they had are left as they are."""
    segmentation, layers = work.segmentation, painting.layers
    images = [
        image_from_copy(ImageCopy((), layer.voxels, layer.box, tuple(work.affine.ravel().tolist())))
        for layer in layers.layers
    ]
    labels = {p.label.segment_id: p.label for p in painting.plan.placings if p.is_new}
    was_modifying = work.node.StartModify()
    try:
        for identifier, place in layers.places.items():
            segment = segmentation.GetSegment(identifier)
            is_new = segment is None
            if is_new:
                segment = segment_from_label(labels[identifier])
            segment.SetLabelValue(place.value)
            segment.AddRepresentation(BINARY_LABELMAP, images[place.layer])
            if is_new:
                segmentation.AddSegment(segment, identifier)
        for placing in painting.plan.placings:
            sign(work, placing)
    finally:
        work.node.EndModify(was_modifying)


def state_of(work: Target) -> tuple[Any, ...]:
    """Return what must not change while a result is painted over copies."""
    segmentation = work.segmentation
    segments = [segmentation.GetSegment(i) for i in all_segments(segmentation)]
    images: list[Stamp] = [
        (stamp_of(image), tuple(ids))
        for image, ids in segments_by_image(segmentation, BINARY_LABELMAP)
    ]
    stamps = [(segment.GetMTime(), segment.GetLabelValue()) for segment in segments]
    return (images, stamps, _rules(work))


def box_size(box: Any) -> int:
    """Return the number of voxels of a box."""
    return 0 if box.is_empty else int(np.prod(box.shape))


def _layers(work: Target, copies: dict[Any, ImageCopy], plan: Plan) -> PaintedLayers:
    layers, places = [], {}
    for index, (image, identifiers) in enumerate(
        segments_by_image(work.segmentation, BINARY_LABELMAP)
    ):
        layers.append(layer_on_grid(copies[image], _offset(work, image) or (0, 0, 0)))
        for identifier in identifiers:
            value = work.segmentation.GetSegment(identifier).GetLabelValue()
            places[identifier] = Place(index, value)
    in_order = {i: places[i] for i in all_segments(work.segmentation)}
    return PaintedLayers(layers, in_order, _rules(work), plan.protected)


def _offset(work: Target, image: slicer.vtkOrientedImageData) -> tuple[int, int, int] | None:
    """Return where an image's lattice begins on the result's grid, None when it is another one."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    steps = np.linalg.solve(work.affine, affine_from_matrix(matrix))
    shift = np.rint(steps[:3, 3])
    i, j, k = (int(n) for n in shift)
    expected = np.eye(4)
    expected[:3, 3] = shift
    extent = np.reshape(image.GetExtent(), (3, 2))
    farthest = np.append(np.abs(extent).max(axis=1), 1)
    apart = float((np.abs(steps - expected)[:3] @ farthest).max())
    return (i, j, k) if apart <= SAME_GRID_TOLERANCE_VOXELS else None


def _rules(work: Target) -> EditorRules:
    """Return what the person's editor allows."""
    editor, modes = work.logic.GetSegmentEditorNode(), slicer.vtkMRMLSegmentationNode
    hidden = frozenset(all_segments(work.segmentation)) - frozenset(visible_segments(work.node))
    mode, overwriting = editor.GetMaskMode(), editor.GetOverwriteMode()
    area: Area = "everywhere"
    if mode in (modes.EditAllowedOutsideAllSegments, modes.EditAllowedOutsideVisibleSegments):
        area = "outside"
    elif mode != modes.EditAllowedEverywhere:
        area = "inside"
    is_single = mode == modes.EditAllowedInsideSingleSegment
    by_sight = (modes.EditAllowedInsideVisibleSegments, modes.EditAllowedOutsideVisibleSegments)
    return EditorRules(
        area,
        editor.GetMaskSegmentID() or "" if is_single else None,
        hidden if mode in by_sight else frozenset(),
        overwriting != editor.OverwriteNone,
        hidden if overwriting == editor.OverwriteVisibleSegments else frozenset(),
    )
