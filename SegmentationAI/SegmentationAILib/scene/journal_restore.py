"""From the records of a journal to segmentations: voxels, names, colors and IDs as they were."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk

from ..core.errors import FileFormatError
from ..core.journal import Record, abandoned_journals, read_journal
from ..core.mask_history import NO_MASK, PlacedMask, decoded
from .journaled_node import DIFFERENCE, GONE, MASK, NODE, SEGMENT
from .placement import affine_from_matrix, matrix_from_affine, place_in_hierarchy
from .segmentation_layers import BINARY_LABELMAP
from .vtk_voxels import scalars_from_voxels


@dataclass
class _Segment:
    facts: dict[str, Any] = field(default_factory=dict)
    matrix: list[float] = field(default_factory=list)
    mask: PlacedMask = NO_MASK


@dataclass
class _Node:
    facts: dict[str, Any] = field(default_factory=dict)
    segments: dict[str, _Segment] = field(default_factory=dict)


@dataclass(frozen=True)
class AbandonedWork:
    """What a journal could bring back.

    Attributes:
        path: The journal.
        segmentations: Names of its segmentations, each with its number of segments.
        changed_at: When it was last written, seconds since 1970.
    """

    path: Path
    segmentations: tuple[tuple[str, int], ...]
    changed_at: float


def abandoned_work(folder: Path) -> list[AbandonedWork]:
    """Return what earlier sessions left unsaved, oldest first; empty journals are removed."""
    found = []
    for path in abandoned_journals(folder):
        try:
            nodes = _replayed(read_journal(path)[0])
        except FileFormatError:
            continue
        if not nodes:
            path.unlink(missing_ok=True)
            continue
        names = tuple((str(n.facts.get("name", "")), len(n.segments)) for n in nodes.values())
        found.append(AbandonedWork(path, names, path.stat().st_mtime))
    return found


def restore_journal(
    path: Path, scene: slicer.vtkMRMLScene, newer: Collection[str] = ()
) -> tuple[list[slicer.vtkMRMLSegmentationNode], tuple[str, ...]]:
    """Bring the segmentations of a journal into a scene.

    A segmentation of the same node ID and name, as after loading the saved scene, gets the state of
    the journal; otherwise a new one is added.

    Args:
        path: The journal.
        scene: Gets the segmentations.
        newer: IDs of nodes that hold work of this session: the journal's state comes beside them.

    Raises:
        FileFormatError: The file is not a journal, or not one that this version reads.
    """
    records, notes = read_journal(path)
    all_notes = list(notes)
    nodes = [
        _restored(node_id, node, scene, node_id in newer, all_notes)
        for node_id, node in _replayed(records).items()
    ]
    return nodes, tuple(all_notes)


def _replayed(records: list[Record]) -> dict[str, _Node]:
    """Return the last state of every segmentation."""
    nodes: dict[str, _Node] = {}
    for record in records:
        facts = dict(record.facts)
        try:
            node = nodes.setdefault(facts.pop("node"), _Node())
            if record.kind == NODE:
                node.facts = facts
                continue
            identifier = facts.pop("segment")
            segment = node.segments.setdefault(identifier, _Segment())
            if record.kind == SEGMENT:
                segment.facts = facts
            elif record.kind == MASK:
                segment.mask = decoded(facts["place"], record.payload)
                segment.matrix = facts["matrix"]
            elif record.kind == DIFFERENCE:
                segment.mask = segment.mask.changed_by(decoded(facts["place"], record.payload))
            elif record.kind == GONE:
                del node.segments[identifier]
            else:
                raise FileFormatError(
                    f"The journal has a record '{record.kind}', which this version does not know; "
                    "restore it with the version that wrote it."
                )
        except (KeyError, TypeError) as error:
            raise FileFormatError(f"A record of the journal lacks {error}.") from error
    return nodes


def _restored(
    node_id: str, state: _Node, scene: slicer.vtkMRMLScene, is_newer: bool, notes: list[str]
) -> slicer.vtkMRMLSegmentationNode:
    """Return the node with the state of the journal."""
    name = str(state.facts.get("name", "Restored"))
    node = scene.GetNodeByID(node_id)
    if node is None or node.GetName() != name or not node.IsA("vtkMRMLSegmentationNode"):
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    elif is_newer:
        # IDs and names of results are the same in every session that begins with the same scan.
        beside = scene.GenerateUniqueName(f"{name} (restored)")
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", beside)
        notes.append(f"'{name}' holds work of this session and was left; see '{beside}' beside it.")
    volume = _volume(state, scene, notes)
    transform = _transform(state, scene, (node, volume))
    world = np.array(state.facts["world"], np.float64).reshape(4, 4)
    # Without the transform node its effect is put into the voxels' own geometry.
    hardened = np.eye(4) if transform is not None else world
    old = node.GetSegmentation()
    segmentation = slicer.vtkSegmentation()
    segmentation.SetSourceRepresentationName(BINARY_LABELMAP)
    for identifier in state.facts["order"]:
        if identifier in state.segments:
            segment = _segment(state.segments[identifier], hardened)
            segmentation.AddSegment(segment, identifier)
        elif old is not None and old.GetSegment(identifier) is not None:
            segmentation.CopySegmentFromSegmentation(old, identifier)
        else:
            notes.append(
                f"'{identifier}' of '{name}' was not in the journal; open the saved scene."
            )
    segmentation.CollapseBinaryLabelmaps(False)
    node.SetAndObserveSegmentation(segmentation)
    node.SetAndObserveTransformNodeID(transform.GetID() if transform is not None else None)
    if volume is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    node.CreateDefaultDisplayNodes()
    place_in_hierarchy(node, scene, beside=volume)
    return node


def _volume(
    state: _Node, scene: slicer.vtkMRMLScene, notes: list[str]
) -> slicer.vtkMRMLVolumeNode | None:
    """Return the scan of a segmentation when it is in the scene."""
    if state.facts.get("volume") is None:
        return None
    node_id, name = state.facts["volume"]
    node = scene.GetNodeByID(node_id)
    if node is not None and node.GetName() == name:
        return node
    notes.append(f"The scan '{name}' is not in the scene; load it to see it under the segments.")
    return None


def _transform(
    state: _Node,
    scene: slicer.vtkMRMLScene,
    beside: tuple[slicer.vtkMRMLTransformableNode | None, ...],
) -> slicer.vtkMRMLTransformNode | None:
    """Return the parent transform of a segmentation when it is in the scene.

    Its ID can be that of another one in this session; it is the same where the saved segmentation
    or its scan lies under it, or where it leads to the same place.
    """
    node_id = state.facts["transform"]
    transform = scene.GetNodeByID(node_id) if node_id else None
    if transform is None or any(
        one is not None and one.GetTransformNodeID() == node_id for one in beside
    ):
        return transform
    matrix = vtk.vtkMatrix4x4()
    if not transform.IsTransformToWorldLinear():
        return None
    transform.GetMatrixTransformToWorld(matrix)
    is_same = np.allclose(affine_from_matrix(matrix).ravel(), state.facts["world"], atol=1e-6)
    return transform if is_same else None


def _segment(state: _Segment, hardened: Any) -> slicer.vtkSegment:
    """Return a segment with its own image; Slicer merges them afterwards."""
    segment = slicer.vtkSegment()
    segment.SetName(state.facts["name"])
    segment.SetColor(*state.facts["color"])
    segment.SetNameAutoGenerated(False)
    segment.SetColorAutoGenerated(False)
    for key, value in state.facts["tags"].items():
        segment.SetTag(key, value)
    image = slicer.vtkOrientedImageData()
    if state.mask.voxels.size:
        box = state.mask.box
        i, j, k = zip(box.start_ijk, (n - 1 for n in box.stop_ijk), strict=True)
        image.SetExtent(*i, *j, *k)
        voxels = np.asfortranarray(state.mask.voxels).view(np.uint8)
        image.GetPointData().SetScalars(scalars_from_voxels(voxels[None]))
    else:
        image.SetExtent(0, -1, 0, -1, 0, -1)
        image.AllocateScalars(3, 1)
    matrix = np.array(state.matrix, np.float64).reshape(4, 4)
    image.SetImageToWorldMatrix(matrix_from_affine(hardened @ matrix))
    segment.SetLabelValue(1)
    segment.AddRepresentation(BINARY_LABELMAP, image)
    return segment
