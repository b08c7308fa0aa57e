"""What a run knows of its scan when it starts, so that its result is never put in a wrong place."""

from dataclasses import dataclass

import slicer

from ..core.errors import SegmentationAIError
from ..core.volume import Grid
from .volume_node import grid_of_node


@dataclass(frozen=True, eq=False)
class ScanWitness:
    """A volume node as it was at one moment; build it with `witness_of`.

    Attributes:
        node: The very node: an ID can be given to another one after it was removed.
        grid: Its grid, parent transforms applied.
        stamp: Modification times of its voxels.
    """

    node: slicer.vtkMRMLVolumeNode
    grid: Grid
    stamp: tuple[object, ...]

    def check(self, scene: slicer.vtkMRMLScene) -> None:
        """Raise unless the scan is where it was, with the voxels that it had; names may change.

        Raises:
            SegmentationAIError: It is not; the sentence says what has changed.
        """
        name = self.node.GetName()
        if not is_in_scene(self.node, scene):
            raise SegmentationAIError(
                f"'{name}' was removed while the network ran, so its result was dropped."
            )
        if self.node.GetImageData() is None or _stamp(self.node) != self.stamp:
            raise SegmentationAIError(
                f"The voxels of '{name}' were changed while the network ran, so its result was "
                "dropped: run it again."
            )
        if not grid_of_node(self.node).matches(self.grid):
            raise SegmentationAIError(
                f"'{name}' was moved while the network ran, so its result was dropped: it would "
                "lie in the wrong place. Run it again."
            )


def witness_of(node: slicer.vtkMRMLVolumeNode) -> ScanWitness:
    """Return what has to stay as it is while a network works on a scan.

    Raises:
        GeometryError: The node has no voxels, or no affine can say where they lie.
    """
    return ScanWitness(node, grid_of_node(node), _stamp(node))


def is_in_scene(node: slicer.vtkMRMLNode, scene: slicer.vtkMRMLScene) -> bool:
    """Return whether this very node is in the scene."""
    return node.GetScene() is scene and scene.GetNodeByID(node.GetID() or "") is node


def _stamp(node: slicer.vtkMRMLVolumeNode) -> tuple[object, ...]:
    image = node.GetImageData()
    scalars = image.GetPointData().GetScalars()
    return (image, scalars, image.GetMTime(), scalars.GetMTime() if scalars is not None else 0)
