"""The surface of one segment, cut out of the mesh that all segments of a layer share."""

from typing import Any, Final

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import create_vtk_array, get_vtk_array_type, vtk_to_numpy

_TWO_TRIANGLES: Final = (0, 1, 2, 0, 2, 3)
_TWO_TRIANGLES_REVERSED: Final = (0, 2, 1, 0, 3, 2)


class SurfaceCutter:
    """Cuts faces out of a mesh, with the points that they use.

    Args:
        points: All points, ``(P, 3)``.
        is_mirrored: Whether faces are clockwise, and to be turned.
    """

    def __init__(self, points: NDArray[np.float32], is_mirrored: bool) -> None:
        self._points = points
        self._corners = _TWO_TRIANGLES_REVERSED if is_mirrored else _TWO_TRIANGLES
        # Scratch memory, all False between two calls.
        self._is_used = np.zeros(len(points), np.bool_)
        self._number_of = np.empty(len(points), np.int32)

    def surface_of(self, quads: NDArray[np.int32]) -> vtk.vtkPolyData:
        """Return quads ``(N, 4)`` as triangles, counterclockwise from outside, with point normals.

        Triangles, for `vtkMassProperties`, by which Slicer measures surfaces, knows nothing else.

        Args:
            quads: Indices of points; not changed.
        """
        if not len(quads):
            return vtk.vtkPolyData()
        # A byte per point stays in the processor's cache: half the time of numbering points by
        # their first use, and a quarter of sorting them.
        self._is_used[quads.ravel()] = True
        own = np.flatnonzero(self._is_used)
        self._is_used[own] = False
        self._number_of[own] = np.arange(len(own), dtype=np.int32)

        coordinates, xyz = _vtk_array((len(own), 3), np.float32)
        connectivity, corners = _vtk_array((len(quads) * 6,), np.int32)
        offsets, starts = _vtk_array((len(quads) * 2 + 1,), np.int32)
        # All indices are valid; only with "clip" does numpy write straight into the result.
        np.take(self._points, own, axis=0, out=xyz, mode="clip")
        numbers = self._number_of.take(quads)
        numbers.take(self._corners, axis=1, out=corners.reshape(-1, 6), mode="clip")
        starts[:] = np.arange(0, len(corners) + 1, 3)
        return _with_normals(coordinates, offsets, connectivity)


def _with_normals(
    coordinates: vtk.vtkDataArray, offsets: vtk.vtkDataArray, connectivity: vtk.vtkDataArray
) -> vtk.vtkPolyData:
    """Return triangles with point normals, as Slicer's own surfaces have them."""
    points = vtk.vtkPoints()
    points.SetData(coordinates)
    cells = vtk.vtkCellArray()
    cells.SetData(offsets, connectivity)
    surface = vtk.vtkPolyData()
    surface.SetPoints(points)
    surface.SetPolys(cells)
    normals = vtk.vtkTriangleMeshPointNormals()
    normals.SetInputData(surface)
    normals.Update()
    return normals.GetOutput()


def _vtk_array(shape: tuple[int, ...], dtype: Any) -> tuple[vtk.vtkDataArray, NDArray[Any]]:
    """Return an array that VTK owns and frees, and a view through which to fill it."""
    array = create_vtk_array(get_vtk_array_type(dtype))
    array.SetNumberOfComponents(shape[1] if len(shape) == 2 else 1)
    array.SetNumberOfTuples(shape[0])
    return array, vtk_to_numpy(array)
