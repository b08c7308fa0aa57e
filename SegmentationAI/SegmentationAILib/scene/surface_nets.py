"""Boundaries between labels as a mesh of quads: surface nets of all labels at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

from ..core.volume import Affine, Array
from .surface_smoothing import smoothed_points
from .vtk_voxels import scalars_from_voxels

# In voxel diagonals: far enough that no point is stopped on its way.
_CONSTRAINT_SCALE = 4.0


@dataclass(frozen=True, eq=False)
class LabelBoundaries:
    """Quads around labels; one between two labels is there twice, once for each.

    Attributes:
        points: ``(P, 3)`` in the world of the affine, mm.
        faces: ``(F, 4)`` int32 indices of points, counterclockwise seen from outside the owner;
            clockwise when the affine is left-handed.
        owners: ``(F,)`` label value that each face bounds.
    """

    points: NDArray[np.float32]
    faces: NDArray[np.int32]
    owners: NDArray[np.integer[Any]]


def boundaries_of_labels(
    voxels: Array, affine: Affine, values: Sequence[int], is_smoothed: bool
) -> LabelBoundaries:
    """Return the boundaries of the labels ``values`` of an integer array ``(I, J, K)``.

    Labels at the border of the array are closed there, half a voxel outside. The mesh is that of
    Frisken, "SurfaceNets for Multi-Label Segmentations with Preservation of Sharp Boundaries",
    JCGT 11(1), 2022, as VTK has it; the smoothing is that of `smoothed_points`. A sphere of 16 mm
    on oblique 0.9 x 1.3 x 2.5 mm voxels keeps 99 % of its volume, and its surface lies 0.08 voxel
    from the truth in the mean (0.25 with VTK's own smoothing).

    Args:
        voxels: Label values; not changed, and copied only when labels touch the border.
        affine: World from voxel indices, mm.
        values: Labels to bound; others count as background.
        is_smoothed: False leaves the faces of the voxels.
    """
    shift = 0
    if _touches_border(voxels):
        padded = np.zeros(tuple(n + 2 for n in voxels.shape), voxels.dtype, order="F")
        padded[1:-1, 1:-1, 1:-1] = voxels
        voxels, shift = padded, 1
    nets = _nets(_placed_image(voxels, affine, shift), values, is_smoothed)
    mesh = nets.GetOutput()
    if mesh.GetNumberOfPolys() == 0:
        nowhere = np.zeros((0, 3), np.float32)
        return LabelBoundaries(nowhere, np.zeros((0, 4), np.int32), np.zeros(0, voxels.dtype))
    if is_smoothed:
        points = smoothed_points(mesh, nets.GetSmoother().GetSmoothingStencils())
    else:
        points = vtk_to_numpy(mesh.GetPoints().GetData()).astype(np.float32)
    return LabelBoundaries(points, *_owned_faces(mesh, voxels.dtype))


def _owned_faces(
    mesh: vtk.vtkPolyData, label_type: np.dtype[Any]
) -> tuple[NDArray[np.int32], NDArray[np.integer[Any]]]:
    """Return the faces as their owners see them from outside, and the owners."""
    quads = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 4)
    sides = vtk_to_numpy(mesh.GetCellData().GetArray("BoundaryLabels"))
    # VTK's faces are seen from outside by the label on their first side; the second is mostly
    # background.
    first, second = sides.astype(label_type, copy=False).T
    inner = np.flatnonzero(second)
    # In 32 bits, half of VTK's memory, and written in place: pages that are touched for the first
    # time cost as much as what is done with them.
    faces = np.empty((len(quads) + len(inner), 4), np.int32)
    faces[: len(quads)] = quads
    faces[len(quads) :] = quads[inner, ::-1]
    return faces, np.concatenate([first, second[inner]])


def _placed_image(voxels: Array, affine: Affine, shift: int) -> vtk.vtkImageData:
    """Return voxels that were padded by ``shift`` where the affine places them.

    VTK then places the points itself: 0.03 s less per million than a product with the affine.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image = vtk.vtkImageData()
    image.SetDimensions(*voxels.shape)
    image.SetSpacing(*spacing)
    image.SetDirectionMatrix(*(affine[:3, :3] / spacing).ravel())
    image.SetOrigin(*(affine[:3, 3] - affine[:3, :3].sum(axis=1) * shift))
    image.GetPointData().SetScalars(scalars_from_voxels(voxels[None]))
    return image


def _nets(
    image: vtk.vtkImageData, values: Sequence[int], is_smoothed: bool
) -> vtk.vtkSurfaceNets3D:
    """Return VTK's surface nets, run; smoothed are the points once averaged with their neighbors.

    VTK tells which neighbors these are only when it has smoothed, so the first pass is its own.
    """
    nets = vtk.vtkSurfaceNets3D()
    nets.SetInputData(image)
    for index, value in enumerate(values):
        nets.SetValue(index, value)
    nets.SetBackgroundLabel(0)
    nets.SetOutputStyleToDefault()
    nets.SetOutputMeshTypeToQuads()
    nets.SetSmoothing(is_smoothed)
    nets.SetNumberOfIterations(1)
    nets.SetRelaxationFactor(1.0)
    nets.SetConstraintScale(_CONSTRAINT_SCALE)
    nets.Update()
    return nets


def _touches_border(voxels: Array) -> bool:
    """Return whether a voxel other than 0 lies in the outermost layer."""
    faces = (voxels[[0, -1]], voxels[:, [0, -1]], voxels[:, :, [0, -1]])
    return any(bool(face.any()) for face in faces)
