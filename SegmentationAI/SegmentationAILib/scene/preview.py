"""A result shown over its scan before anything is changed: kept by *Accept*, gone by *Discard*."""

import slicer

from .commit import add_empty_segmentation
from .commit_plan import plan_of_commit
from .node_removal import remove_displayable
from .prepared_result import PreparedResult
from .segment_writing import Target, share_layers
from .segmentation_state import let_go
from .segmentation_watch import PREVIEW_ATTRIBUTE
from .volume_node import grid_of_node

# See-through, so that the scan can be judged below it.
FILL_OPACITY = 0.35


def show_preview(
    result: PreparedResult,
    volume_node: slicer.vtkMRMLVolumeNode,
    scene: slicer.vtkMRMLScene,
    name: str,
) -> slicer.vtkMRMLSegmentationNode:
    """Return a segmentation that shows a result; it is neither saved, journaled nor offered.

    Args:
        result: Shares its voxels with the preview.
        volume_node: What the result was made of.
        scene: Gets the node.
        name: Shown in lists of what is displayed.
    """
    node = slicer.vtkMRMLSegmentationNode()
    node.SetName(scene.GenerateUniqueName(name))
    node.SetAttribute(PREVIEW_ATTRIBUTE, "1")
    node.SetSaveWithScene(False)
    node.SetHideFromEditors(True)
    add_empty_segmentation(node, scene, volume_node)
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetOpacity2DFill(FILL_OPACITY)
    affine = grid_of_node(volume_node, world=False).affine
    plan = plan_of_commit(result, node.GetSegmentation(), "new")
    share_layers(Target(node, node.GetSegmentation(), None, result, affine), plan)
    return node


def remove_preview(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Take a preview out of its scene with everything that came with it."""
    if node.GetScene() is None:
        return
    segmentation = node.GetSegmentation()
    remove_displayable(node)
    # After the node has left: a slice view that shows it crashes when a segment loses its voxels
    # while the display node is gone (slicer-core 5.11).
    let_go(segmentation)
