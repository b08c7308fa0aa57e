"""Where segments of a node lie within a box of a grid, as masks; and where a person lets us edit.

Slicer makes its editing mask for the whole scan and anew for every segment (1.5 s each among 30
segments of 256 x 256 x 128 voxels); within the box of one structure it takes milliseconds.
"""

from collections.abc import Collection, Sequence

import numpy as np
import slicer
import vtk

from ..core.mask_history import Mask
from ..core.volume import Grid
from .layer_placement import placed_layer
from .placement import affine_from_matrix
from .segmentation_layers import BINARY_LABELMAP, segments_by_image
from .vtk_voxels import voxels_from_image


def mask_of_segments(
    segmentation: slicer.vtkSegmentation,
    identifiers: Collection[str],
    grid: Grid,
    resample: bool = True,
) -> Mask:
    """Return where any of some segments is, a bool array on ``grid`` in Fortran order.

    Args:
        segmentation: Not changed.
        identifiers: IDs of the segments.
        grid: In the segmentation's own frame.
        resample: Whether segments on other voxels count where their nearest voxel is.

    Raises:
        GeometryError: Segments lie on other voxels and ``resample`` is False.
    """
    mask = np.zeros(grid.shape, bool, order="F")
    for image, sharing in segments_by_image(segmentation, BINARY_LABELMAP):
        wanted = [identifier for identifier in sharing if identifier in identifiers]
        if not wanted or image is None or image.GetNumberOfPoints() < 1:
            continue
        name = ", ".join(f"'{segmentation.GetSegment(i).GetName()}'" for i in wanted[:3])
        placed = placed_layer(voxels_from_image(image)[0], _grid(image), grid, name, resample)
        if placed.box.is_empty:
            continue
        values = [segmentation.GetSegment(i).GetLabelValue() for i in wanted]
        part = mask[placed.box.slices]
        if len(values) == 1:
            part |= placed.voxels == values[0]
        else:
            part |= np.isin(placed.voxels, values)
    return mask


def visible_segments(node: slicer.vtkMRMLSegmentationNode) -> list[str]:
    """Return the IDs of the segments that are shown, as Slicer's editor counts them."""
    display = node.GetDisplayNode()
    identifiers = all_segments(node.GetSegmentation())
    return [i for i in identifiers if display is not None and display.GetSegmentVisibility(i)]


def all_segments(segmentation: slicer.vtkSegmentation) -> list[str]:
    """Return the IDs of all segments in order."""
    count = segmentation.GetNumberOfSegments()
    return [segmentation.GetNthSegmentID(index) for index in range(count)]


def editable_area(
    node: slicer.vtkMRMLSegmentationNode,
    editor: slicer.vtkMRMLSegmentEditorNode,
    segment_id: str,
    grid: Grid,
) -> Mask | None:
    """Return where the Segment Editor's settings let one segment be changed, None for everywhere.

    Args:
        node: The segmentation that is edited.
        editor: Holds the editable area; the intensity range is left to Slicer.
        segment_id: The segment to be changed, which never stands in its own way.
        grid: In the segmentation's own frame.
    """
    modes = slicer.vtkMRMLSegmentationNode
    mode = editor.GetMaskMode()
    if mode == modes.EditAllowedEverywhere:
        return None
    shown: Sequence[str]
    if mode == modes.EditAllowedInsideSingleSegment:
        shown = [editor.GetMaskSegmentID() or ""]
    elif mode in (modes.EditAllowedInsideVisibleSegments, modes.EditAllowedOutsideVisibleSegments):
        shown = visible_segments(node)
    else:
        shown = all_segments(node.GetSegmentation())
    if mode in (modes.EditAllowedOutsideVisibleSegments, modes.EditAllowedOutsideAllSegments):
        others = [identifier for identifier in shown if identifier != segment_id]
        return ~mask_of_segments(node.GetSegmentation(), others, grid)
    return mask_of_segments(node.GetSegmentation(), shown, grid)


def _grid(image: slicer.vtkOrientedImageData) -> Grid:
    """Return where the voxels of an image lie; its matrix is that of voxel (0, 0, 0)."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = affine_from_matrix(matrix)
    affine[:3, 3] += affine[:3, :3] @ image.GetExtent()[::2]
    return Grid(image.GetDimensions(), affine)
