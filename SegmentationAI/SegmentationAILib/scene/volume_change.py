"""How much a segment has changed: against what was accepted, or against another time point."""

from collections.abc import Mapping

import numpy as np
import slicer

from ..core.errors import SegmentationAIError
from ..core.labelmap import Labelmap
from .segment_protection import tag_of
from .segmentation_node import labelmap_from_node
from .translation import tr as _

# Kept in the segment, so that a saved scene and a ``.seg.nrrd`` still know it.
ACCEPTED_TAG = "SegmentationAI.AcceptedVolumeMl"


def volumes_ml(labelmap: Labelmap) -> dict[str, float]:
    """Return the volume of every label by segment ID, ml; any thread may do it."""
    counts = [np.bincount(layer.ravel(order="K")) for layer in labelmap.layers]
    return {
        label.segment_id: float(counts[label.layer][label.value]) * labelmap.grid.voxel_volume_ml
        if label.value < len(counts[label.layer])
        else 0.0
        for label in labelmap.labels
    }


def remember_accepted(
    node: slicer.vtkMRMLSegmentationNode, volumes: Mapping[str, float], segment_ids: tuple[str, ...]
) -> None:
    """Write down what the segments of an accepted result measured when it was accepted."""
    for segment_id in segment_ids:
        segment = node.GetSegmentation().GetSegment(segment_id)
        if segment is not None and segment_id in volumes:
            # All digits: a rounded one would look like a change.
            segment.SetTag(ACCEPTED_TAG, repr(volumes[segment_id]))


def accepted_volumes(node: slicer.vtkMRMLSegmentationNode) -> dict[str, float]:
    """Return the volume that segments had when they were accepted, by their name, ml."""
    segmentation, found = node.GetSegmentation(), {}
    for index in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(index)
        try:
            found[segment.GetName()] = float(tag_of(segment, ACCEPTED_TAG))
        except ValueError:
            continue  # it was never accepted, or another program wrote the tag
    return found


def labelmap_of_time_point(node: slicer.vtkMRMLSegmentationNode) -> Labelmap:
    """Return the segments of another time point on the grid of the scan that they were made of.

    Raises:
        SegmentationAIError: The segmentation belongs to no scan of the scene.
        GeometryError: It lies on other voxels than its scan.
    """
    volume = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    if volume is None:
        raise SegmentationAIError(
            _(
                "'{name}' belongs to no scan, so its volumes are not known; load its scan, and "
                "choose it as source geometry in the Segment Editor."
            ).format(name=node.GetName())
        )
    return labelmap_from_node(node, volume)
