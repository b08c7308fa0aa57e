"""Labels written by Slicer's own storage nodes, and read back by them to be compared."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import slicer
import vtk

from ..core.errors import SegmentationAIError
from ..core.labelmap import Label, LabelArray, Labelmap
from ..core.volume import Volume
from .placement import matrix_from_affine
from .segmentation_node import labelmap_from_node, node_from_labelmap
from .volume_node import grid_of_node, volume_from_node
from .vtk_voxels import scalars_from_voxels


def write_checked_segmentation(labelmap: Labelmap, path: Path) -> None:
    """Write a ``.seg.nrrd`` and compare what is in it.

    Raises:
        SegmentationAIError: It could not be written, or differs.
    """
    scene = slicer.vtkMRMLScene()
    volume_node = _label_volume(labelmap.layers[0], labelmap, scene)
    _write(
        slicer.vtkMRMLSegmentationStorageNode(),
        node_from_labelmap(labelmap, scene, volume_node, path.name.removesuffix(".seg.nrrd")),
        path,
    )
    read = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    _read(slicer.vtkMRMLSegmentationStorageNode(), read, path)
    found = labelmap_from_node(read, volume_node)
    by_key = {(label.name, label.value): label for label in found.labels}
    for label in labelmap.labels:
        same = by_key.get((label.name, label.value))
        if same is None or not np.array_equal(found.mask(same), labelmap.mask(label)):
            raise _differs(path, f"the segment '{label.name}'")


def write_checked_labels(
    voxels: LabelArray,
    labels: Sequence[Label],
    labelmap: Labelmap,
    folder: Path,
    name: str,
    ending: str,
) -> None:
    """Write label values as a volume with a table beside it, and compare what is in them.

    Args:
        voxels: Label values ``(I, J, K)``.
        labels: Those that are named in the table.
        labelmap: Gives the grid.
        folder: Gets the two files.
        name: Of the files, without an ending.
        ending: Such as ``.nii.gz``.

    Raises:
        SegmentationAIError: It could not be written, or differs.
    """
    scene, path = slicer.vtkMRMLScene(), folder / f"{name}{ending}"
    _write(slicer.vtkMRMLVolumeArchetypeStorageNode(), _label_volume(voxels, labelmap, scene), path)
    read = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    _read(slicer.vtkMRMLVolumeArchetypeStorageNode(), read, path)
    if not labelmap.grid.matches(grid_of_node(read)):
        raise _differs(path, "the geometry")
    if not np.array_equal(volume_from_node(read).voxels[0], voxels):
        raise _differs(path, "a label value")
    table = folder / f"{name}.labels.json"
    text = _table(labels, ending)
    table.write_text(text, encoding="utf-8")
    if table.read_text(encoding="utf-8") != text:
        raise _differs(table, "the table of names")


def _label_volume(
    voxels: LabelArray, labelmap: Labelmap, scene: slicer.vtkMRMLScene
) -> slicer.vtkMRMLLabelMapVolumeNode:
    volume = Volume(np.asfortranarray(voxels)[None], labelmap.affine)
    image = vtk.vtkImageData()
    image.SetDimensions(*volume.grid.shape)
    image.GetPointData().SetScalars(scalars_from_voxels(volume.voxels))
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    node.SetIJKToRASMatrix(matrix_from_affine(volume.affine))
    node.SetAndObserveImageData(image)
    return node


def _table(labels: Sequence[Label], ending: str) -> str:
    """Return the table of names in the form that the project's readers take.

    The form is that of ``core/formats/label_sidecar.py``, which a host cannot import; a test reads
    what is written here with it.
    """
    rows = []
    for label in labels:
        row = {
            "value": label.value,
            "name": label.name,
            "color": list(label.color),
            "segment_id": label.segment_id,
            "status": label.status,
            "terminology": None if label.terminology is None else asdict(label.terminology),
            "provenance": None if label.provenance is None else asdict(label.provenance),
            "tags": dict(label.tags),
        }
        rows.append({key: value for key, value in row.items() if value not in (None, "", {})})
    table = {"format": "SegmentationAI labels", "version": 1, "endings": [ending], "labels": rows}
    return json.dumps(table, indent=1, ensure_ascii=True) + "\n"


def _write(storage: slicer.vtkMRMLStorageNode, node: slicer.vtkMRMLNode, path: Path) -> None:
    storage.SetFileName(str(path))
    if not storage.WriteData(node):
        raise SegmentationAIError(
            f"{path.name} could not be written; free some space, or choose another folder."
        )


def _read(storage: slicer.vtkMRMLStorageNode, node: slicer.vtkMRMLNode, path: Path) -> None:
    storage.SetFileName(str(path))
    if not storage.ReadData(node):
        raise _differs(path, "everything")


def _differs(path: Path, what: str) -> SegmentationAIError:
    return SegmentationAIError(
        f"{path.name} was written, but {what} reads back differently, so it was not kept; "
        "choose another format or another folder."
    )
