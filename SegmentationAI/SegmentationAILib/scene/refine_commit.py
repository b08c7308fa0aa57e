"""A correction written into its segment: through the Segment Editor's masking, as one undo state.

What a person has edited in the segment meanwhile stays: the voxels that the correction turns over
are written, and no others. Locked segments keep every voxel.
"""

import numpy as np
import slicer

from ..core.errors import SegmentationAIError
from ..core.mask_history import Mask, box_of
from ..core.volume import Affine, Box, Grid
from .placement import matrix_from_affine, world_from_local
from .refine_facts import CorrectionAsked
from .segment_editors import settings_for_one_change, settings_taken_from
from .segment_protection import is_locked
from .segmentation_state import SegmentationState, copied_state
from .segments_in_box import all_segments, editable_area, mask_of_segments, visible_segments
from .surfaces import CLOSED_SURFACE
from .turns import run_to_end
from .volume_node import grid_of_node
from .vtk_voxels import scalars_from_voxels


def write_correction(
    asked: CorrectionAsked,
    logic: slicer.vtkSlicerSegmentEditorLogic,
    changes: tuple[Box, Mask, Mask],
) -> SegmentationState:
    """Turn the voxels of a correction over in its segment; return what the segmentation was.

    Args:
        asked: What was corrected; it has to be in its scene.
        logic: Edits the segmentation; one undo of it takes everything back.
        changes: A box of the scan's grid, and which of its voxels come and go.

    Raises:
        SegmentationAIError: The editor keeps no states for undo, or the segment is locked.
    """
    check_unlocked(asked)
    own = logic.GetSegmentEditorNode()
    with settings_taken_from(asked.settings or own, own, asked.volume):
        return _written(asked, logic, changes)


def segment_mask(asked: CorrectionAsked) -> Mask:
    """Return the segment on the scan's grid, bool ``(I, J, K)``.

    Raises:
        GeometryError: It lies on other voxels, or under a transform that is not linear.
    """
    segmentation = asked.node.GetSegmentation()
    return mask_of_segments(segmentation, [asked.segment_id], local_grid(asked), resample=False)


def frozen_voxels(asked: CorrectionAsked) -> Mask | None:
    """Return the voxels that writing would leave alone, None when there are none.

    These are locked segments, unless overlaps are allowed, and what lies outside of the editable
    area; an intensity range that limits editing is applied when the correction is written.
    """
    segmentation, grid = asked.node.GetSegmentation(), local_grid(asked)
    frozen = np.zeros(grid.shape, bool, order="F")
    locked = _locked_in_the_way(asked, _overwriting(asked))
    if locked:
        frozen |= mask_of_segments(segmentation, locked, grid)
        frozen &= ~mask_of_segments(segmentation, [asked.segment_id], grid)
    area = None
    if asked.settings is not None:
        area = editable_area(asked.node, asked.settings, asked.segment_id, grid)
    if area is not None:
        frozen |= ~area
    return frozen if frozen.any() else None


def check_unlocked(asked: CorrectionAsked) -> None:
    """Raise when the segment is locked.

    Raises:
        SegmentationAIError: It is, or it is not there any more.
    """
    segment = asked.node.GetSegmentation().GetSegment(asked.segment_id)
    if segment is None:
        raise SegmentationAIError(
            f"The segment was removed from '{asked.node.GetName()}'; choose another one."
        )
    if is_locked(segment):
        raise SegmentationAIError(
            f"'{segment.GetName()}' is locked and stays as it is; unlock it in the step Correct."
        )


def local_grid(asked: CorrectionAsked) -> Grid:
    """Return the scan's grid in the segmentation's own frame."""
    volume, node = asked.volume, asked.node
    world = grid_of_node(volume)
    if node.GetTransformNodeID() == volume.GetTransformNodeID():
        # The volume's own matrix, not an equal one: Slicer compares geometries more strictly.
        return Grid(world.shape, grid_of_node(volume, world=False).affine)
    local: Affine = np.linalg.solve(world_from_local(node), world.affine).astype(np.float64)
    return Grid(world.shape, local)


def _written(
    asked: CorrectionAsked,
    logic: slicer.vtkSlicerSegmentEditorLogic,
    changes: tuple[Box, Mask, Mask],
) -> SegmentationState:
    box, added, removed = changes
    place = local_grid(asked)
    before = run_to_end(copied_state(asked.node))
    if not logic.SaveStateForUndo():
        raise SegmentationAIError(
            "The Segment Editor could not save its state for undo, so nothing was written; set its "
            "number of undo states to 1 or more."
        )
    modes = slicer.vtkSlicerSegmentEditorLogic
    try:
        segmentation = asked.node.GetSegmentation()
        if segmentation.ContainsRepresentation(CLOSED_SURFACE):
            # Else Slicer makes the surface anew at every change.
            segmentation.RemoveRepresentation(CLOSED_SURFACE)
        _modify(asked, logic, place, box, removed, modes.ModificationModeRemove)
        _modify(asked, logic, place, box, added, modes.ModificationModeAdd)
    except BaseException:
        logic.Undo()
        raise
    return before


def _overwriting(asked: CorrectionAsked) -> int:
    editors = slicer.vtkMRMLSegmentEditorNode
    mode = asked.settings.GetOverwriteMode() if asked.settings else editors.OverwriteAllSegments
    return int(mode)


def _locked_in_the_way(asked: CorrectionAsked, overwriting: int) -> list[str]:
    """Return the locked segments that adding voxels would take from."""
    editors = slicer.vtkMRMLSegmentEditorNode
    if overwriting == editors.OverwriteNone:
        return []
    segmentation = asked.node.GetSegmentation()
    found = all_segments(segmentation)
    if overwriting == editors.OverwriteVisibleSegments:
        found = visible_segments(asked.node)
    others = [identifier for identifier in found if identifier != asked.segment_id]
    return [identifier for identifier in others if is_locked(segmentation.GetSegment(identifier))]


def _modify(
    asked: CorrectionAsked,
    logic: slicer.vtkSlicerSegmentEditorLogic,
    place: Grid,
    box: Box,
    mask: Mask,
    mode: int,
) -> None:
    """Add or remove voxels of a box, those alone that the person's settings let change."""
    if not mask.any():
        return
    mask, grid, editor = mask.copy(order="F"), place.cropped(box), logic.GetSegmentEditorNode()
    area = editable_area(asked.node, editor, asked.segment_id, grid)
    if area is not None:
        mask &= area
    takes_from_others = mode == slicer.vtkSlicerSegmentEditorLogic.ModificationModeAdd
    if takes_from_others:
        locked = _locked_in_the_way(asked, editor.GetOverwriteMode())
        if locked:
            mask &= ~mask_of_segments(asked.node.GetSegmentation(), locked, grid)
    inner = box_of(mask)
    if inner.is_empty:
        return
    image = slicer.vtkOrientedImageData()
    first = np.add(box.start_ijk, inner.start_ijk)
    last = np.add(box.start_ijk, inner.stop_ijk) - 1
    image.SetExtent(*(int(n) for pair in zip(first, last, strict=True) for n in pair))
    part = np.asfortranarray(mask[inner.slices]).view(np.uint8)
    image.GetPointData().SetScalars(scalars_from_voxels(part[None]))
    image.SetImageToWorldMatrix(matrix_from_affine(place.affine))
    with settings_for_one_change(editor, takes_from_others):
        logic.ModifySegmentByLabelmap(asked.node, asked.segment_id, image, mode, False, False)
