"""Closed surfaces of all segments in one pass over the labelmap that they share.

Slicer converts segment by segment; here the boundaries of all labels of a layer are found together,
so that neighbors share theirs exactly, and are then dealt out to the segments.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

from ..core.volume import Array
from .placement import affine_from_matrix
from .segmentation_layers import BINARY_LABELMAP, segments_by_image
from .surface_nets import LabelBoundaries, boundaries_of_labels
from .vtk_voxels import voxels_from_image

CLOSED_SURFACE: Final = "Closed surface"


def create_surfaces(node: slicer.vtkMRMLSegmentationNode, smoothing_passes: int = 5) -> None:
    """Give every segment of ``node`` a closed surface, in the representation that Slicer shows.

    Triangles, in the segmentation's own frame (RAS mm before parent transforms), with outward
    orientation and point normals. Segments without voxels get an empty surface. Slicer replaces
    the surfaces by its own when it changes the segments.

    Args:
        node: Gets the surfaces; the voxels are not changed. Nothing happens without segments.
        smoothing_passes: Laplacian passes (each followed by as many to undo the shrinking); 0
            keeps the faces of the voxels.
    """
    segmentation = node.GetSegmentation()
    was_modifying = node.StartModify()
    try:
        for image, identifiers in segments_by_image(segmentation, BINARY_LABELMAP):
            segments = [segmentation.GetSegment(identifier) for identifier in identifiers]
            values = [segment.GetLabelValue() for segment in segments]
            surfaces = _surfaces_of_image(image, values, smoothing_passes)
            for segment, surface in zip(segments, surfaces, strict=True):
                segment.AddRepresentation(CLOSED_SURFACE, surface)
    finally:
        node.EndModify(was_modifying)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)


def _surfaces_of_image(
    image: slicer.vtkOrientedImageData | None, values: Sequence[int], smoothing_passes: int
) -> list[vtk.vtkPolyData]:
    """Return the surface of each label value, in the frame of the image's world."""
    if image is None or image.GetNumberOfPoints() < 1:
        return [vtk.vtkPolyData() for _ in values]
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = affine_from_matrix(matrix)
    affine[:3, 3] += affine[:3, :3] @ image.GetExtent()[::2]
    voxels: Array = voxels_from_image(image)[0]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    found = boundaries_of_labels(voxels, values, spacing, smoothing_passes)
    # Single precision, as Slicer stores surfaces: 1e-5 mm at 100 mm, and half the time.
    steps, first = affine[:3, :3].T.astype(np.float32), affine[:3, 3].astype(np.float32)
    points = found.points_ijk @ steps + first
    return _dealt_out(found, points, values, is_mirrored=np.linalg.det(affine[:3, :3]) < 0)


def _dealt_out(
    found: LabelBoundaries, points: NDArray[np.float32], values: Sequence[int], is_mirrored: bool
) -> list[vtk.vtkPolyData]:
    """Return one surface per value; a face between two segments goes to both.

    Args:
        found: Faces with the labels on their two sides.
        points: World coordinates of the points.
        values: Label value of each surface.
        is_mirrored: Whether the affine is left-handed, which turns every face inside out.
    """
    orders = [np.argsort(found.sides[:, side], kind="stable") for side in (0, 1)]
    sorted_sides = [found.sides[orders[side], side] for side in (0, 1)]
    number_of = np.empty(len(points), np.int32)
    surfaces = []
    for value in values:
        own = []
        for side in (0, 1):
            start, stop = np.searchsorted(sorted_sides[side], [value, value + 1])
            faces = found.faces[orders[side][start:stop]]
            # A face is seen from outside by the label on its first side.
            own.append(faces[:, ::-1] if (side == 1) != is_mirrored else faces)
        surfaces.append(_surface(np.concatenate(own), points, number_of))
    return surfaces


def _surface(
    quads: NDArray[np.int32], points: NDArray[np.float32], number_of: NDArray[np.int32]
) -> vtk.vtkPolyData:
    """Return quads ``(N, 4)`` as triangles on the points they use, with normals.

    Args:
        quads: Indices into ``points``.
        points: All points of the layer.
        number_of: Scratch memory of ``len(points)``.
    """
    if not len(quads):
        return vtk.vtkPolyData()
    flat = quads.ravel()
    # Of the corners at one point the one written last stands for it: numbering without sorting.
    corners = np.arange(flat.size, dtype=np.int32)
    number_of[flat] = corners
    stands_for = number_of[flat]
    is_first = stands_for == corners
    numbers = np.cumsum(is_first, dtype=np.int32)
    own_quads = (numbers[stands_for] - 1).reshape(-1, 4)
    triangles = own_quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)

    vtk_points = vtk.vtkPoints()
    vtk_points.SetData(_owned_by_vtk(points[flat[is_first]]))
    cells = vtk.vtkCellArray()
    offsets = np.arange(0, triangles.size + 1, 3, dtype=np.int32)
    cells.SetData(_owned_by_vtk(offsets), _owned_by_vtk(triangles.ravel()))
    surface = vtk.vtkPolyData()
    surface.SetPoints(vtk_points)
    surface.SetPolys(cells)
    normals = vtk.vtkTriangleMeshPointNormals()
    normals.SetInputData(surface)
    normals.Update()
    return normals.GetOutput()


def _owned_by_vtk(array: NDArray[Any]) -> vtk.vtkDataArray:
    """Return a copy that VTK frees by itself; small beside the voxels, so copying costs little."""
    return numpy_to_vtk(array, deep=True)
