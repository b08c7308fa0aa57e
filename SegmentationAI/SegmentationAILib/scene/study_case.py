"""A case of a study in the scene: its scan, its labels, and whether they were edited since."""

from typing import Any

import numpy as np
import slicer

from ..core.errors import SegmentationAIError
from ..core.labelmap import Labelmap
from ..core.volume import Volume
from ..worker.client import StudyAnswer, WorkerError
from .case_origin import origin_in_words, show_origin
from .node_removal import remove_displayable
from .placement import world_from_local
from .preview import remove_preview
from .scan_witness import is_in_scene
from .segmentation_layers import labelmap_of_segmentation
from .segmentation_node import node_from_labelmap
from .segmentation_state import voxels_stamp
from .translation import tr as _
from .volume_node import grid_of_node, node_from_volume


class StudyCase:
    """A case that is open.

    Args:
        answer: Of the worker to ``read``.
        scene: Gets the nodes.

    Raises:
        WorkerError: The answer brings no scan, or no labels on its grid.
    """

    def __init__(self, answer: StudyAnswer, scene: slicer.vtkMRMLScene) -> None:
        labels = answer.labelmaps.get("labels")
        if answer.volume is None or labels is None:
            raise WorkerError("The worker's answer of a case is not understood.")
        self.id = str(answer.facts["case"])
        # The labels that are shown, and what was stored of them since.
        self.version: int | None = answer.facts["version"]
        self.stored_version = self.version
        self.refused = tuple(answer.facts["refused"])
        self.sentence = f"{self.id}: {origin_in_words(answer.facts)}."
        self._scene = scene
        # In Fortran order the node takes the voxels as they are.
        volume = Volume(np.asfortranarray(answer.volume.voxels), answer.volume.affine)
        self.volume = node_from_volume(volume, scene, self.id)
        name = _("{case} labels").format(case=self.id)
        try:
            # The node edits its voxels in place: it gets a copy, and what was seen stays.
            self.node = node_from_labelmap(_copied(labels), scene, self.volume, name)
            self._origin = show_origin(
                labels, answer.labelmaps.get("touched"), answer.facts, self.volume, scene
            )
        except SegmentationAIError:
            remove_displayable(self.volume)
            raise
        self._grid = grid_of_node(self.volume)
        self._safe = labels.layers[0]
        self._stamp = voxels_stamp(self.node)

    @property
    def is_there(self) -> bool:
        """Whether its nodes are in the scene; a person may have removed them."""
        return is_in_scene(self.volume, self._scene) and is_in_scene(self.node, self._scene)

    @property
    def has_labels(self) -> bool:
        """Whether what a person has drawn is in the scene, also without its scan."""
        return is_in_scene(self.node, self._scene)

    def is_changed(self) -> bool:
        """Return whether a voxel is other than what the study had last."""
        if voxels_stamp(self.node) == self._stamp:
            return False
        now = self.labels()
        return len(now.layers) > 1 or not np.array_equal(now.layers[0], self._safe)

    def labels(self) -> Labelmap:
        """Return the labels as they are now, a copy; on the scan's last grid where it is gone.

        Raises:
            SegmentationAIError: Segments do not lie on the voxels of the scan.
        """
        if is_in_scene(self.volume, self._scene):
            self._grid = grid_of_node(self.volume)
        world = world_from_local(self.node)
        return labelmap_of_segmentation(self.node.GetSegmentation(), world, self._grid, False)

    @property
    def is_behind(self) -> bool:
        """Whether its labels have others around what was stored of them, which nobody has seen."""
        return bool(self.version != self.stored_version)

    def stored(self, labels: Labelmap, facts: Any) -> None:
        """Say that labels were stored, as the version that the worker's facts name."""
        self.stored_version = facts["version"]
        if not facts["is_merged"]:
            self.version = self.stored_version
        self.kept(labels)

    def kept(self, labels: Labelmap) -> None:
        """Say that labels are in the study's folder, as a version or as what was refused."""
        if len(labels.layers) == 1:
            self._safe = labels.layers[0]

    def show_origin(self, is_shown: bool) -> None:
        """Show or hide the outlines of how the labels came to be."""
        display = None if self._origin is None else self._origin.GetDisplayNode()
        if display is not None:
            display.SetVisibility(is_shown)

    def show_in_views(self) -> None:
        """Put the scan into all slice views."""
        kind = "vtkMRMLSliceCompositeNode"
        for index in range(self._scene.GetNumberOfNodesByClass(kind)):
            composite = self._scene.GetNthNodeByClass(index, kind)
            composite.SetBackgroundVolumeID(self.volume.GetID())

    def go_to_labels(self) -> None:
        """Move all slice views to the middle of its labels."""
        where = np.argwhere(self._safe)
        middle = where.mean(0) if len(where) else (np.array(self._safe.shape) - 1) / 2
        r, a, s = self._grid.ras_from_ijk(middle[None])[0]
        slicer.vtkMRMLSliceNode.JumpAllSlices(self._scene, float(r), float(a), float(s))

    def remove(self) -> None:
        """Take its nodes out of the scene; what is not stored is gone."""
        for node in (self._origin, self.node):
            if node is not None and is_in_scene(node, self._scene):
                remove_preview(node)
        if is_in_scene(self.volume, self._scene):
            remove_displayable(self.volume)


def _copied(labels: Labelmap) -> Labelmap:
    layers = tuple(np.array(layer, order="F") for layer in labels.layers)
    return Labelmap(layers, labels.labels, labels.affine)
