"""Labelmaps to segmentation nodes and back: the one place where a label value meets a segment ID.

A segmentation made here shares one image per layer between all its segments; Slicer's own import
copies the voxels segment by segment, and renumbers them on the way out.
"""

import slicer

from ..core.labelmap import Labelmap
from ..core.segment_tags import segment_ids
from ..core.volume import Affine, check_same_grid
from .label_voxels import storable_voxels
from .placement import matrix_from_affine, place_in_hierarchy, world_from_local
from .segment_metadata import segment_from_label
from .segmentation_layers import BINARY_LABELMAP, labelmap_of_segmentation
from .volume_node import grid_of_node
from .vtk_voxels import scalars_from_voxels


def node_from_labelmap(
    labelmap: Labelmap,
    scene: slicer.vtkMRMLScene,
    volume_node: slicer.vtkMRMLVolumeNode | None,
    name: str,
) -> slicer.vtkMRMLSegmentationNode:
    """Return a new segmentation node: one segment per label, also for labels without voxels.

    Segments keep the label's ``segment_id`` or get ``Segment_<value>``; a second one of an ID gets
    its layer added. The node lies under its
    volume's parent transform and beside it in the subject hierarchy, and has it as reference.

    Args:
        labelmap: Each layer becomes one image that all its segments share. A layer in Fortran order
            is not copied: node and labelmap then share their voxels, Slicer edits them in place,
            and they live as long as the node needs them. Hand over a copy to keep a snapshot.
        scene: Gets the node.
        volume_node: The volume on whose grid (parent transforms applied) the labelmap lies; None
            places the segmentation by the labelmap's own affine.
        name: Name of the node.

    Raises:
        GeometryError: The labelmap is not on the volume's grid, or that has a non-linear transform.
        SegmentationAIError: Voxels have a value that no label names. In each case the scene is as
            it was.
    """
    affine = labelmap.affine
    if volume_node is not None:
        # The volume's own matrix, not an equal one: Slicer compares geometries more strictly.
        check_same_grid(labelmap.grid, grid_of_node(volume_node), (name, volume_node.GetName()))
        affine = grid_of_node(volume_node, world=False).affine
    identifiers = segment_ids(labelmap.labels)
    images = [_image(labelmap, layer, affine) for layer in range(len(labelmap.layers))]

    segmentation = slicer.vtkSegmentation()
    _set_source_representation(segmentation)
    for label, identifier in zip(labelmap.labels, identifiers, strict=True):
        segment = segment_from_label(label)
        segment.AddRepresentation(BINARY_LABELMAP, images[label.layer])
        segmentation.AddSegment(segment, identifier)

    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    # The whole segmentation at once: observers of the node hear of it once, not once per segment.
    node.SetAndObserveSegmentation(segmentation)
    if volume_node is not None:
        node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
    node.CreateDefaultDisplayNodes()
    place_in_hierarchy(node, scene, beside=volume_node)
    return node


def labelmap_from_node(
    node: slicer.vtkMRMLSegmentationNode,
    volume_node: slicer.vtkMRMLVolumeNode,
    resample: bool = False,
) -> Labelmap:
    """Return the segments of a node as a labelmap on the grid of a volume, voxel for voxel.

    Label values are those that the segments were made with, also after Slicer has renumbered its
    labelmaps; a segment that was not made here has Slicer's value. There are as few layers as
    overlaps (and equal values) allow. The arrays are copies: later edits do not show through.

    Args:
        node: Not changed; visibility and locks play no part. Segments that exist as surfaces alone
            become voxels, and a note says so.
        volume_node: Gives the grid; its parent transforms, and the node's, are applied.
        resample: Whether segments of another geometry are resampled (nearest neighbor).

    Raises:
        GeometryError: Segments lie on other voxels and ``resample`` is False, a parent transform is
            not linear, or the volume is empty.
        SegmentationAIError: A segment's voxels are not integers.
    """
    return labelmap_of_segmentation(
        node.GetSegmentation(), world_from_local(node), grid_of_node(volume_node), resample
    )


def scan_of(node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return the scan that a segmentation was made of, None when its scene has it no more."""
    scan = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    # Labelmap volumes are scalar volumes too, and no scans.
    return scan if scan is not None and scan.GetClassName() == "vtkMRMLScalarVolumeNode" else None


def _image(labelmap: Labelmap, layer: int, affine: Affine) -> slicer.vtkOrientedImageData:
    """Return one layer as the image that its segments share."""
    values = [label.value for label in labelmap.labels if label.layer == layer]
    voxels = storable_voxels(labelmap.layers[layer], values)
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*labelmap.grid.shape)
    image.GetPointData().SetScalars(scalars_from_voxels(voxels[None]))
    image.SetImageToWorldMatrix(matrix_from_affine(affine))
    return image


def _set_source_representation(segmentation: slicer.vtkSegmentation) -> None:
    """Make the labelmap the source; "source" was called "master" before Slicer 5.4."""
    if hasattr(segmentation, "SetSourceRepresentationName"):
        segmentation.SetSourceRepresentationName(BINARY_LABELMAP)
    else:
        segmentation.SetMasterRepresentationName(BINARY_LABELMAP)
