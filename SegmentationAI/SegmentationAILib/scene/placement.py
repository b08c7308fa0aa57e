"""Where nodes lie: 4 x 4 matrices, parent transforms, and the place in the subject hierarchy."""

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from ..core.errors import GeometryError


def affine_from_matrix(matrix: vtk.vtkMatrix4x4) -> NDArray[np.float64]:
    """Return a ``vtkMatrix4x4`` as a float64 array ``(4, 4)``."""
    return np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)], np.float64)


def matrix_from_affine(affine: NDArray[np.float64]) -> vtk.vtkMatrix4x4:
    """Return an array ``(4, 4)`` as a ``vtkMatrix4x4``."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(affine, np.float64).ravel().tolist())
    return matrix


def world_from_local(node: slicer.vtkMRMLTransformableNode) -> NDArray[np.float64]:
    """Return the affine ``(4, 4)``, RAS mm to RAS mm, of all parent transforms of ``node``.

    Raises:
        GeometryError: One of them is not linear: no affine can say where the voxels lie.
    """
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    matrix = vtk.vtkMatrix4x4()
    if not transform.IsTransformToWorldLinear() or not transform.GetMatrixTransformToWorld(matrix):
        raise GeometryError(
            f"'{node.GetName()}' lies under the non-linear transform '{transform.GetName()}'; "
            "harden the transform (which resamples) or take the node out of it, then try again."
        )
    return affine_from_matrix(matrix)


def place_in_hierarchy(
    node: slicer.vtkMRMLNode, scene: slicer.vtkMRMLScene, beside: slicer.vtkMRMLNode | None = None
) -> int:
    """Return the subject hierarchy item of ``node``, placed beside another node's item.

    The application makes items by itself (in a Qt plugin), a scene without it does not; both cases
    end with one item.

    Args:
        node: Any node of ``scene``.
        scene: Gets a subject hierarchy when it has none.
        beside: The node whose folder is shared; None, or a node without an item, means that the
            item stays where it is, or comes to the top when it is new.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    neighbor = 0 if beside is None else hierarchy.GetItemByDataNode(beside)
    parent = hierarchy.GetItemParent(neighbor) if neighbor else 0
    item = hierarchy.GetItemByDataNode(node)
    if not item:
        return int(hierarchy.CreateItem(parent or hierarchy.GetSceneItemID(), node))
    if parent:
        hierarchy.SetItemParent(item, parent)
    return int(item)
