"""Writing a result into segments: all at once where nothing is there, else one by one.

One by one means through ``vtkSlicerSegmentEditorLogic``, within the box of each structure: where
Slicer has to resample, or an intensity range limits what may be edited. Everywhere else
`painted_writing` is as exact and much faster.
"""

from dataclasses import dataclass

import numpy as np
import slicer

from ..core.errors import GeometryError, SegmentationAIError
from ..core.labelmap import Label
from ..core.mask_history import Mask, box_of
from ..core.segment_tags import tags_of_label
from ..core.volume import Affine, Box, Grid
from .commit_plan import Placing, Plan, Rule
from .placement import matrix_from_affine
from .prepared_result import PreparedResult
from .segment_editors import settings_for_one_change
from .segment_metadata import segment_from_label
from .segmentation_layers import BINARY_LABELMAP
from .segments_in_box import all_segments, editable_area, mask_of_segments, visible_segments
from .turns import READY, Steps
from .vtk_voxels import scalars_from_voxels


@dataclass(frozen=True, eq=False)
class Target:
    """A segmentation while a result is written into it.

    Attributes:
        node: The node.
        segmentation: What it held when the commit began.
        logic: Its Segment Editor; a preview has none.
        result: What is written.
        affine: Voxel indices of the result to the segmentation's own frame, mm.
    """

    node: slicer.vtkMRMLSegmentationNode
    segmentation: slicer.vtkSegmentation
    logic: slicer.vtkSlicerSegmentEditorLogic
    result: PreparedResult
    affine: Affine

    @property
    def grid(self) -> Grid:
        """The result's grid in the segmentation's own frame."""
        return Grid(self.result.labelmap.grid.shape, self.affine)


def check_lattice(work: Target, plan: Plan) -> None:
    """Refuse segments on other voxels before anything is changed.

    Raises:
        GeometryError: A segment that is to be changed lies on other voxels than the result.
    """
    changed = [p.label.segment_id for p in plan.placings if not p.is_new]
    try:
        mask_of_segments(
            work.segmentation, changed, work.grid.cropped(Box((0, 0, 0), (1, 1, 1))), resample=False
        )
    except GeometryError as error:
        raise GeometryError(
            f"{error} Or let the result become a segmentation of its own."
        ) from error


def is_there(work: Target) -> bool:
    """Return whether the node is in its scene and holds what it held."""
    return work.node.GetScene() is not None and work.node.GetSegmentation() is work.segmentation


def check_there(work: Target) -> None:
    """Raise unless the node is in its scene and holds what it held.

    Raises:
        SegmentationAIError: It is not.
    """
    if not is_there(work):
        raise SegmentationAIError(
            f"'{work.node.GetName()}' was removed or exchanged while the result was written into "
            "it, so writing was stopped; run the network again into another segmentation."
        )


def takes_all_at_once(work: Target) -> bool:
    """Return whether nothing is there that masking or overwriting could concern."""
    editor = work.logic.GetSegmentEditorNode()
    everywhere = editor.GetMaskMode() == slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere
    # Layers that overlap take voxels from each other in the Segment Editor's overwriting modes only
    # by the order in which they are written; here as there they keep them.
    return (
        work.segmentation.GetNumberOfSegments() == 0
        and everywhere
        and not editor.GetSourceVolumeIntensityMask()
    )


def share_layers(work: Target, plan: Plan) -> None:
    """Give all labels of a layer one image; the same segments as one by one, many times faster."""
    images = []
    for layer in work.result.labelmap.layers:
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(*layer.shape)
        image.GetPointData().SetScalars(scalars_from_voxels(layer[None]))
        image.SetImageToWorldMatrix(matrix_from_affine(work.affine))
        images.append(image)
    was_modifying = work.node.StartModify()
    try:
        for placing in plan.placings:
            segment = segment_from_label(placing.label)
            # What the voxels of the shared image have, whatever value the segment is known by.
            segment.SetLabelValue(work.result.labelmap.labels[placing.index].value)
            segment.AddRepresentation(BINARY_LABELMAP, images[placing.label.layer])
            work.segmentation.AddSegment(segment, placing.label.segment_id)
    finally:
        work.node.EndModify(was_modifying)


def write_one_by_one(work: Target, plan: Plan, rule: Rule) -> Steps[None]:
    """Write label by label through the Segment Editor logic."""
    for placing in plan.placings:
        check_there(work)
        if placing.is_new:
            _add_empty(work, placing.label)
        elif rule == "replace":
            _remove_what_is_gone(work, placing)
        _add_voxels(work, plan, placing)
        sign(work, placing)
        yield READY
    if len(work.result.labelmap.layers) > 1:
        for placing in plan.placings:
            check_there(work)
            _add_what_later_layers_took(work, plan, placing)
            yield READY


def _add_empty(work: Target, label: Label) -> None:
    identifier = work.segmentation.AddEmptySegment(label.segment_id, label.name, label.color)
    segment = work.segmentation.GetSegment(identifier)
    segment.SetNameAutoGenerated(False)
    segment.SetColorAutoGenerated(False)


def _remove_what_is_gone(work: Target, placing: Placing) -> None:
    """Take from a segment the voxels that the new result does not give it."""
    identifier = placing.label.segment_id
    old = mask_of_segments(work.segmentation, [identifier], work.grid, resample=False)
    old[work.result.boxes[placing.index].slices] &= ~_mask(work, placing)
    box = box_of(old)
    if not box.is_empty:
        _modify(work, identifier, old[box.slices], box, removes=True, takes_from_others=False)


def _add_voxels(work: Target, plan: Plan, placing: Placing) -> None:
    """Give a segment its voxels, but those of protected segments that this would take."""
    box = work.result.boxes[placing.index]
    if box.is_empty:
        return
    mask = _mask(work, placing)
    if not placing.is_alternative:
        kept = plan.protected & _overwritable(work)
        mask &= ~mask_of_segments(work.segmentation, kept, work.grid.cropped(box))
    _modify(
        work,
        placing.label.segment_id,
        mask,
        box,
        removes=False,
        takes_from_others=not placing.is_alternative,
    )


def _add_what_later_layers_took(work: Target, plan: Plan, placing: Placing) -> None:
    """Labels of several layers overlap on purpose; overwriting has kept the last one only."""
    box = work.result.boxes[placing.index]
    if box.is_empty:
        return
    layers = work.result.labelmap.layers
    mask = _mask(work, placing)
    mask &= np.logical_or.reduce(
        [layer[box.slices] != 0 for n, layer in enumerate(layers) if n != placing.label.layer]
    )
    kept = plan.protected & _overwritable(work)
    if not placing.is_alternative:
        mask &= ~mask_of_segments(work.segmentation, kept, work.grid.cropped(box))
    _modify(work, placing.label.segment_id, mask, box, removes=False, takes_from_others=False)


def _mask(work: Target, placing: Placing) -> Mask:
    label = work.result.labelmap.labels[placing.index]
    return work.result.mask(label, work.result.boxes[placing.index])


def _overwritable(work: Target) -> frozenset[str]:
    """Return the segments from which the person's overwrite mode takes voxels."""
    editor = work.logic.GetSegmentEditorNode()
    mode = editor.GetOverwriteMode()
    if mode == editor.OverwriteNone:
        return frozenset()
    if mode == editor.OverwriteVisibleSegments:
        return frozenset(visible_segments(work.node))
    return frozenset(all_segments(work.segmentation))


def _modify(
    work: Target, segment_id: str, mask: Mask, box: Box, removes: bool, takes_from_others: bool
) -> None:
    """Change one segment through the Segment Editor logic, within the box alone.

    Args:
        work: The target.
        segment_id: The segment.
        mask: Where, on the voxels of ``box``; changed.
        box: Its place on the result's grid.
        removes: Whether the voxels are taken away.
        takes_from_others: Whether the overwrite mode holds.
    """
    editor = work.logic.GetSegmentEditorNode()
    area = editable_area(work.node, editor, segment_id, work.grid.cropped(box))
    if area is not None:
        mask &= area
    if not mask.any():
        return
    image = slicer.vtkOrientedImageData()
    i, j, k = zip(box.start_ijk, (n - 1 for n in box.stop_ijk), strict=True)
    image.SetExtent(*i, *j, *k)
    image.GetPointData().SetScalars(
        scalars_from_voxels(np.asfortranarray(mask).view(np.uint8)[None])
    )
    image.SetImageToWorldMatrix(matrix_from_affine(work.affine))
    logic = slicer.vtkSlicerSegmentEditorLogic
    mode = logic.ModificationModeRemove if removes else logic.ModificationModeAdd
    with settings_for_one_change(editor, takes_from_others):
        work.logic.ModifySegmentByLabelmap(work.node, segment_id, image, mode, False, False)


def sign(work: Target, placing: Placing) -> None:
    """Write status, codes and provenance into the segment's tags."""
    segment = work.segmentation.GetSegment(placing.label.segment_id)
    for name, value in tags_of_label(placing.label).items():
        segment.SetTag(name.replace("|", "¦").replace(":", "."), value.replace("|", "¦"))
