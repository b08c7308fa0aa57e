"""A result becomes segments: through the Segment Editor's masking, as one undo state, step by step.

Locked segments, the editable area and the overwrite mode are honored; what a person has corrected
is never lost. A commit is a generator: the event loop runs between its steps.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import slicer

from ..core.errors import SegmentationAIError
from ..core.volume import Affine, check_same_grid
from .commit_plan import Rule, plan_of_commit
from .painted_writing import can_be_painted, painted, put
from .placement import place_in_hierarchy, world_from_local
from .prepared_result import PreparedResult
from .segment_editors import SegmentEditors
from .segment_writing import (
    Target,
    check_lattice,
    check_there,
    is_there,
    share_layers,
    takes_all_at_once,
    write_one_by_one,
)
from .segmentation_state import SegmentationState, copied_state, referred_state
from .surfaces import CLOSED_SURFACE, create_surfaces
from .turns import READY, Steps, run_to_end
from .volume_node import grid_of_node


@dataclass(frozen=True, eq=False)
class Committed:
    """What a commit did.

    Attributes:
        node: The segmentation that has the result.
        segment_ids: Segments that were added or changed, in the result's order.
        notes: Sentences about what was put elsewhere.
        lacks_surfaces: Whether the segmentation had closed surfaces that are to be made anew.
        before: What the segmentation was.
    """

    node: slicer.vtkMRMLSegmentationNode
    segment_ids: tuple[str, ...]
    notes: tuple[str, ...]
    lacks_surfaces: bool = False
    before: SegmentationState | None = None


Commit = Steps[Committed]


def commit(
    result: PreparedResult,
    volume_node: slicer.vtkMRMLVolumeNode,
    editors: SegmentEditors,
    rule: Rule,
    target: slicer.vtkMRMLSegmentationNode,
) -> Commit:
    """Write a result into a segmentation; step the generator until it returns.

    One undo of the node's editor takes everything back. When a step raises, or the generator is
    closed, the segmentation is as it was.

    Args:
        result: On the grid of the volume.
        volume_node: What the result was made of.
        editors: Give the Segment Editor logic whose settings and undo count.
        rule: Which segments may be changed.
        target: See `new_segmentation` for one of its own.

    Raises:
        GeometryError: The result is not on the volume's grid, or a segment to be changed lies on
            other voxels.
        SegmentationAIError: The target was removed, or its segments exchanged, meanwhile.
    """
    work = _target(result, volume_node, editors, target)
    check_lattice(work, plan_of_commit(result, work.segmentation, rule))
    yield READY
    check_there(work)
    if target.GetDisplayNode() is None:
        target.CreateDefaultDisplayNodes()
    with editors.settings_for(work.logic):
        return (yield from _written(work, rule))


def check_commit(
    result: PreparedResult,
    volume_node: slicer.vtkMRMLVolumeNode,
    editors: SegmentEditors,
    rule: Rule,
    target: slicer.vtkMRMLSegmentationNode,
) -> None:
    """Raise what `commit` would raise at once; nothing is changed."""
    work = _target(result, volume_node, editors, target)
    check_lattice(work, plan_of_commit(result, work.segmentation, rule))


def finished(steps: Commit) -> Committed:
    """Run a commit to its end at once, for scripts and for a scene that is about to be saved."""
    committed = run_to_end(steps)
    if committed.lacks_surfaces:
        create_surfaces(committed.node)
    return committed


def _target(
    result: PreparedResult,
    volume_node: slicer.vtkMRMLVolumeNode,
    editors: SegmentEditors,
    target: slicer.vtkMRMLSegmentationNode,
) -> Target:
    place = _place(result, volume_node, target)
    return Target(target, target.GetSegmentation(), editors.editor_of(target), result, place)


def _written(work: Target, rule: Rule) -> Commit:
    """Write by the quickest way that is exact."""
    if takes_all_at_once(work):
        plan = plan_of_commit(work.result, work.segmentation, rule)
        before = referred_state(work.node)
        with _one_undo_state(work):
            share_layers(work, plan)
    elif can_be_painted(work):
        painting = yield from painted(work, rule)
        plan = painting.plan
        before = referred_state(work.node)
        with _one_undo_state(work):
            _remove_surfaces(work.segmentation)
            put(work, painting)
    else:
        before = yield from copied_state(work.node)
        check_there(work)
        plan = plan_of_commit(work.result, work.segmentation, rule)
        with _one_undo_state(work):
            _remove_surfaces(work.segmentation)
            yield from write_one_by_one(work, plan, rule)
    identifiers = tuple(p.label.segment_id for p in plan.placings)
    return Committed(work.node, identifiers, plan.notes, before.has_surfaces, before)


@contextmanager
def _one_undo_state(work: Target) -> Iterator[None]:
    """Let the person's editor take the block back as a whole; an error in it does so at once.

    Raises:
        SegmentationAIError: The editor keeps no states.
    """
    if not work.logic.SaveStateForUndo():
        raise SegmentationAIError(
            "The Segment Editor could not save its state for undo, so the result was not written; "
            "set its number of undo states to 1 or more."
        )
    try:
        yield
    except BaseException:
        if is_there(work):
            work.logic.Undo()
        raise


def _remove_surfaces(segmentation: slicer.vtkSegmentation) -> None:
    """Else Slicer makes the surface anew at every change; undo brings the old ones back."""
    if segmentation.ContainsRepresentation(CLOSED_SURFACE):
        segmentation.RemoveRepresentation(CLOSED_SURFACE)


def new_segmentation(
    scene: slicer.vtkMRMLScene, volume_node: slicer.vtkMRMLVolumeNode, name: str
) -> slicer.vtkMRMLSegmentationNode:
    """Return an empty segmentation beside a volume, under its transform, with its geometry."""
    node = slicer.vtkMRMLSegmentationNode()
    node.SetName(scene.GenerateUniqueName(name))
    add_empty_segmentation(node, scene, volume_node)
    return node


def add_empty_segmentation(
    node: slicer.vtkMRMLSegmentationNode,
    scene: slicer.vtkMRMLScene,
    volume_node: slicer.vtkMRMLVolumeNode,
) -> None:
    """Put a new node into the scene, with everything about it that its volume decides."""
    scene.AddNode(node)
    node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
    node.CreateDefaultDisplayNodes()
    place_in_hierarchy(node, scene, beside=volume_node)


def _place(
    result: PreparedResult,
    volume_node: slicer.vtkMRMLVolumeNode,
    target: slicer.vtkMRMLSegmentationNode,
) -> Affine:
    """Return where the result's voxels lie in the target's own frame."""
    world = grid_of_node(volume_node)
    check_same_grid(result.labelmap.grid, world, ("The result", f"'{volume_node.GetName()}'"))
    if target.GetTransformNodeID() == volume_node.GetTransformNodeID():
        # The volume's own matrix, not an equal one: Slicer compares geometries more strictly.
        return grid_of_node(volume_node, world=False).affine
    local: Affine = np.linalg.solve(world_from_local(target), world.affine).astype(np.float64)
    return local
