"""Volume nodes to `Volume` and back: the one door where KJI arrays become IJK.

Nodes are in RAS already; only files are in LPS, and Slicer's readers have converted them.
"""

import slicer
import vtk

from ..core.errors import GeometryError
from ..core.volume import Grid, Volume
from .placement import (
    affine_from_matrix,
    matrix_from_affine,
    place_in_hierarchy,
    world_from_local,
)
from .vtk_voxels import scalars_from_voxels, voxels_from_image


def volume_from_node(node: slicer.vtkMRMLVolumeNode, world: bool = True) -> Volume:
    """Return the voxels of a volume node with the affine to RAS mm.

    Args:
        node: Scalar, labelmap or vector volume; a vector volume's components become channels.
        world: Whether parent transforms are applied to the affine, as if they were hardened (the
            voxels are not resampled). Otherwise the affine is the node's own.

    Returns:
        A volume whose ``voxels`` are a read-only view of the node's memory: no copy is made, and
        an edit of the node in place shows through. Copy it for work that outlasts the call.

    Raises:
        GeometryError: The node has no voxels, a parent transform is not linear, or the axes are
            not independent.
    """
    image = _image(node)
    voxels = voxels_from_image(image).view()
    voxels.setflags(write=False)
    return Volume(voxels, grid_of_node(node, world).affine)


def grid_of_node(node: slicer.vtkMRMLVolumeNode, world: bool = True) -> Grid:
    """Return the grid of a volume node, without touching its voxels.

    Raises:
        GeometryError: As for `volume_from_node`.
    """
    image = _image(node)
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    affine = affine_from_matrix(matrix)
    if world:
        affine = world_from_local(node) @ affine
    # The matrix is that of voxel (0, 0, 0), which an extent need not begin with.
    first = image.GetExtent()[::2]
    affine[:3, 3] += affine[:3, :3] @ first
    return Grid(image.GetDimensions(), affine)


def node_from_volume(
    volume: Volume, scene: slicer.vtkMRMLScene, name: str
) -> slicer.vtkMRMLVolumeNode:
    """Return a new volume node in ``scene``, with display node and subject hierarchy item.

    Args:
        volume: One channel makes a scalar volume, several make a vector volume (one component per
            channel). Voxels in Fortran order are shared with the node, not copied: Slicer edits
            them in place then, and they live as long as the node needs them.
        scene: Gets the node; default color nodes should be in it.
        name: Name of the node.
    """
    image = vtk.vtkImageData()
    image.SetDimensions(*volume.grid.shape)
    image.GetPointData().SetScalars(scalars_from_voxels(volume.voxels))
    kind = "vtkMRMLScalarVolumeNode" if volume.channels == 1 else "vtkMRMLVectorVolumeNode"
    node = scene.AddNewNodeByClass(kind, name)
    node.SetIJKToRASMatrix(matrix_from_affine(volume.affine))
    node.SetAndObserveImageData(image)
    node.CreateDefaultDisplayNodes()
    place_in_hierarchy(node, scene)
    return node


def _image(node: slicer.vtkMRMLVolumeNode) -> vtk.vtkImageData:
    """Return the node's image, which has voxels.

    Raises:
        GeometryError: It has none.
    """
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None or image.GetNumberOfPoints() < 1:
        raise GeometryError(f"The volume '{node.GetName()}' has no voxels; load it, or pick one.")
    return image
