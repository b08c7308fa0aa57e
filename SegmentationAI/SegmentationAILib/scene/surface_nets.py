"""Boundaries between labels as a mesh of quads: surface nets of all labels at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

from ..core.volume import Array
from .vtk_voxels import scalars_from_voxels

# Fewer, stronger passes than VTK's 16 at 0.5: the same smoothness for half the time.
_RELAXATION = 0.9
# In units of the voxel's diagonal: far enough that no point is stopped on its way.
_CONSTRAINT_SCALE = 4.0


@dataclass(frozen=True, eq=False)
class LabelBoundaries:
    """Quads between two labels, each once.

    Attributes:
        points_ijk: ``(P, 3)`` continuous voxel indices.
        faces: ``(F, 4)`` int32 indices of points, counterclockwise seen from outside the first
            side (in a right-handed frame).
        sides: ``(F, 2)`` label values on the two sides; the background is 0.
    """

    points_ijk: NDArray[np.float32]
    faces: NDArray[np.int32]
    sides: NDArray[np.integer[Any]]


def boundaries_of_labels(
    voxels: Array, values: Sequence[int], spacing: NDArray[np.float64], smoothing_passes: int
) -> LabelBoundaries:
    """Return the boundaries of the labels ``values`` of an integer array ``(I, J, K)``.

    Labels at the border of the array are closed there, half a voxel outside. The mesh is that of
    Frisken, "SurfaceNets for Multi-Label Segmentations with Preservation of Sharp Boundaries",
    JCGT 11(1), 2022, as VTK has it. Its smoothing is Laplacian and shrinks; here the mesh after n
    and after 2n passes is extrapolated to none of that shrinking (twicing: Tukey, Exploratory Data
    Analysis, 1977): a sphere of 16 mm on 0.9 x 1.3 x 2.5 mm voxels keeps 99 % of its volume, and
    its surface lies 0.08 voxel from the truth in the mean (0.25 with VTK's own defaults).

    Args:
        voxels: Label values; not changed, and copied only when labels touch the border.
        values: Labels to bound; others count as background.
        spacing: Of the three axes, mm: smoothing is isotropic in space.
        smoothing_passes: n; 0 leaves the faces of the voxels.
    """
    shift = 0
    if _touches_border(voxels):
        padded = np.zeros(tuple(n + 2 for n in voxels.shape), voxels.dtype, order="F")
        padded[1:-1, 1:-1, 1:-1] = voxels
        voxels, shift = padded, 1
    image = vtk.vtkImageData()
    image.SetDimensions(*voxels.shape)
    image.SetSpacing(*spacing)
    image.GetPointData().SetScalars(scalars_from_voxels(voxels[None]))
    mesh = _nets(image, values, smoothing_passes)
    points = _points(mesh)
    if smoothing_passes:
        points = 2 * points - _points(_nets(image, values, 2 * smoothing_passes))
    quads = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 4).astype(np.int32)
    if not len(quads):
        return LabelBoundaries(points, quads, np.zeros((0, 2), np.uint8))
    sides = vtk_to_numpy(mesh.GetCellData().GetArray("BoundaryLabels"))
    points_ijk: NDArray[np.float32] = np.subtract(
        points / spacing.astype(np.float32), shift, dtype=np.float32
    )
    return LabelBoundaries(
        points_ijk,
        quads,
        sides.astype(voxels.dtype, copy=False),
    )


def _nets(image: vtk.vtkImageData, values: Sequence[int], passes: int) -> vtk.vtkPolyData:
    """Return VTK's surface nets; the order of points and quads does not depend on ``passes``."""
    nets = vtk.vtkSurfaceNets3D()
    nets.SetInputData(image)
    for index, value in enumerate(values):
        nets.SetValue(index, value)
    nets.SetBackgroundLabel(0)
    nets.SetOutputStyleToDefault()
    nets.SetOutputMeshTypeToQuads()
    nets.SetSmoothing(passes > 0)
    nets.SetNumberOfIterations(passes)
    nets.SetRelaxationFactor(_RELAXATION)
    nets.SetConstraintScale(_CONSTRAINT_SCALE)
    nets.Update()
    return nets.GetOutput()


def _points(mesh: vtk.vtkPolyData) -> NDArray[np.float32]:
    """Return the points of a mesh ``(P, 3)``."""
    if mesh.GetNumberOfPoints() == 0:
        return np.zeros((0, 3), np.float32)
    return np.asarray(vtk_to_numpy(mesh.GetPoints().GetData()), np.float32)


def _touches_border(voxels: Array) -> bool:
    """Return whether a voxel other than 0 lies in the outermost layer."""
    faces = (voxels[[0, -1]], voxels[:, [0, -1]], voxels[:, :, [0, -1]])
    return any(bool(face.any()) for face in faces)
