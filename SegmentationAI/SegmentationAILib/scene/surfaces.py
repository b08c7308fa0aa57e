"""Closed surfaces of all segments in one pass over the labelmap that they share.

Slicer converts segment by segment; here the boundaries of all labels of a layer are found together,
so that neighbors share theirs exactly, and are then dealt out to the segments.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import slicer
import vtk

from ..core.volume import Array
from .placement import affine_from_matrix
from .segmentation_layers import BINARY_LABELMAP, segments_by_image
from .surface_mesh import SurfaceCutter
from .surface_nets import LabelBoundaries, boundaries_of_labels
from .vtk_voxels import voxels_from_image

CLOSED_SURFACE: Final = "Closed surface"


def create_surfaces(node: slicer.vtkMRMLSegmentationNode, is_smoothed: bool = True) -> None:
    """Give every segment of ``node`` a closed surface, in the representation that Slicer shows.

    Triangles, in the segmentation's own frame (RAS mm before parent transforms), with outward
    orientation and point normals. Segments without voxels get an empty surface. Slicer replaces
    the surfaces by its own when it changes the segments.

    Args:
        node: Gets the surfaces; the voxels are not changed. Nothing happens without segments.
        is_smoothed: False keeps the faces of the voxels.
    """
    segmentation = node.GetSegmentation()
    was_modifying = node.StartModify()
    try:
        for image, identifiers in segments_by_image(segmentation, BINARY_LABELMAP):
            segments = [segmentation.GetSegment(identifier) for identifier in identifiers]
            values = [segment.GetLabelValue() for segment in segments]
            surfaces = surfaces_of_image(image, values, is_smoothed)
            for segment, surface in zip(segments, surfaces, strict=True):
                segment.AddRepresentation(CLOSED_SURFACE, surface)
    finally:
        node.EndModify(was_modifying)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)


def surfaces_of_image(
    image: slicer.vtkOrientedImageData | None, values: Sequence[int], is_smoothed: bool
) -> list[vtk.vtkPolyData]:
    """Return the surface of each label value, in the frame of the image's world."""
    if image is None or image.GetNumberOfPoints() < 1:
        return [vtk.vtkPolyData() for _ in values]
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = affine_from_matrix(matrix)
    affine[:3, 3] += affine[:3, :3] @ image.GetExtent()[::2]
    voxels: Array = voxels_from_image(image)[0]
    found = boundaries_of_labels(voxels, affine, values, is_smoothed)
    return _dealt_out(found, values, is_mirrored=np.linalg.det(affine[:3, :3]) < 0)


def _dealt_out(
    found: LabelBoundaries, values: Sequence[int], is_mirrored: bool
) -> list[vtk.vtkPolyData]:
    """Return one surface per value.

    Args:
        found: Faces with the labels that they bound.
        values: Label value of each surface.
        is_mirrored: Whether the affine is left-handed, which turns every face inside out.
    """
    # Stable is numpy's radix sort: 0.01 s for 1.5 million labels of 8 or 16 bits.
    order = np.argsort(found.owners, kind="stable")
    owners = found.owners[order]
    starts, stops = (np.searchsorted(owners, values, side) for side in ("left", "right"))
    cutter = SurfaceCutter(found.points, is_mirrored)
    return [
        cutter.surface_of(found.faces.take(order[start:stop], axis=0))
        for start, stop in zip(starts, stops, strict=True)
    ]
