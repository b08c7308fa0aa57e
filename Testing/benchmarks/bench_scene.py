"""P11: a labelmap of 29 structures to segments, and to segments with closed surfaces.

The labelmap is 256 x 256 x 128 smooth blobs, so that boundaries are far more frequent than those of
organs. Slicer's cases run with its defaults.
"""

import statistics
from typing import Any

import numpy as np
import SimpleITK
import slicer
import vtk
from measure import Measurement, measure
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.scene.bootstrap import HeadlessSlicer, headless_slicer
from SegmentationAILib.scene.segmentation_node import node_from_labelmap
from SegmentationAILib.scene.surfaces import create_surfaces

STRUCTURES = 29
SHAPE = (256, 256, 128)
OURS = "SegmentationAI, one shared labelmap"
PEER = "Slicer ImportLabelmapToSegmentationNode"
OURS_WITH_SURFACES = "SegmentationAI, shared labelmap, surface nets in one pass"
PEER_WITH_SURFACES = "Slicer import and CreateClosedSurfaceRepresentation"


def blobs() -> np.ndarray:
    """Return label values ``(I, J, K)`` in Fortran order, air at the border."""
    rng = np.random.default_rng(0)
    highest = np.full(SHAPE[::-1], 1.2, np.float32)
    labels = np.zeros(SHAPE[::-1], np.uint8)
    for value in range(1, STRUCTURES + 1):
        coarse = SimpleITK.GetImageFromArray(rng.normal(size=(6, 12, 12)).astype(np.float32))
        coarse.SetSpacing([n / 12 if axis < 2 else n / 6 for axis, n in enumerate(SHAPE)])
        fine = SimpleITK.Resample(coarse, SHAPE, SimpleITK.Transform(), SimpleITK.sitkLinear)
        field = SimpleITK.GetArrayFromImage(fine)
        wins = field > highest
        labels[wins] = value
        highest[wins] = field[wins]
    inside = np.zeros_like(labels)
    inside[1:-1, 1:-1, 1:-1] = labels[1:-1, 1:-1, 1:-1]
    return inside.transpose(2, 1, 0)


def run() -> list[Measurement]:
    """Return segments alone, and segments with surfaces."""
    headless = headless_slicer()
    voxels = blobs()
    values = [int(value) for value in np.unique(voxels) if value]
    labels = tuple(Label(value, f"structure {value}") for value in values)
    labelmap = Labelmap((voxels,), labels, np.diag([0.8, 0.8, 1.5, 1.0]))
    label_node = _label_volume(headless, labelmap)

    def ours() -> Any:
        return node_from_labelmap(labelmap, headless.scene, None, "ours")

    def slicers() -> Any:
        node = headless.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "slicer's")
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        if not logic.ImportLabelmapToSegmentationNode(label_node, node):
            raise RuntimeError("Slicer did not import the labelmap")
        return node

    def ours_with_surfaces() -> Any:
        node = ours()
        create_surfaces(node)
        return node

    def slicers_with_surfaces() -> Any:
        node = slicers()
        if not node.CreateClosedSurfaceRepresentation():
            raise RuntimeError("Slicer did not make surfaces")
        return node

    alone = measure(
        f"Segments: {len(values)} structures, 256 x 256 x 128",
        {OURS: ours, PEER: slicers},
        ours=OURS,
        peer=PEER,
        goal="P11: segments alone 10x the import; no extra copy of the labelmap (8 MiB)",
    )
    whole = measure(
        f"Segments and surfaces: {len(values)} structures, 256 x 256 x 128",
        {OURS_WITH_SURFACES: ours_with_surfaces, PEER_WITH_SURFACES: slicers_with_surfaces},
        ours=OURS_WITH_SURFACES,
        peer=PEER_WITH_SURFACES,
        goal="P11: segments and surfaces at least 7x Slicer's default",
    )
    _remark_on_agreement(alone, whole, voxels)
    return [alone, whole]


def _label_volume(headless: HeadlessSlicer, labelmap: Labelmap) -> Any:
    """Return the labelmap as the node that Slicer's import takes."""
    node = headless.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    image = vtk.vtkImageData()
    image.SetDimensions(*labelmap.grid.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(labelmap.layers[0].T.ravel(), deep=True))
    node.SetSpacing(*labelmap.spacing)
    node.SetAndObserveImageData(image)
    return node


def _remark_on_agreement(alone: Measurement, whole: Measurement, voxels: np.ndarray) -> None:
    """Say whether the segments are the same, share their voxels, and how surfaces compare."""
    ours, theirs = alone.cases[OURS].output, alone.cases[PEER].output
    if ours is not None and theirs is not None:
        numbers = [node.GetSegmentation().GetNumberOfSegments() for node in (ours, theirs)]
        image = ours.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
        shared = np.shares_memory(vtk_to_numpy(image.GetPointData().GetScalars()), voxels)
        alone.remarks.append(f"Segments: {numbers[0]} and {numbers[1]}; voxels shared: {shared}.")
    ours = whole.cases[OURS_WITH_SURFACES].output
    theirs = whole.cases[PEER_WITH_SURFACES].output
    if ours is not None and theirs is not None:
        volumes = [_volumes(node) for node in (ours, theirs)]
        whole.remarks.append(
            "Volume inside the surfaces over volume of the voxels, median of the structures: "
            f"ours {_median_ratio(volumes[0], voxels):.4f}, "
            f"Slicer {_median_ratio(volumes[1], voxels):.4f}."
        )
        seconds = [
            statistics.median(whole.cases[name].cpu_seconds)
            for name in (PEER_WITH_SURFACES, OURS_WITH_SURFACES)
        ]
        # VTK's own part was measured apart: 0.35 s of 0.60 s on one thread.
        whole.remarks.append(
            f"By CPU time, which other work on the machine sways less: "
            f"{seconds[0] / seconds[1]:.1f}x. "
            "The limit is about 13x: VTK's nets, averagings and normals alone."
        )


def _volumes(node: Any) -> list[float]:
    """Return the volume inside each surface, mm3."""
    found = []
    for index in range(node.GetSegmentation().GetNumberOfSegments()):
        mass = vtk.vtkMassProperties()
        mass.SetInputData(
            node.GetSegmentation().GetNthSegment(index).GetRepresentation("Closed surface")
        )
        found.append(mass.GetVolume())
    return found


def _median_ratio(volumes: list[float], voxels: np.ndarray) -> float:
    """Return the median over structures, both in the order of label values."""
    counts = np.bincount(voxels.ravel(order="K"))[1:]
    return float(np.median(np.array(volumes) / (counts[counts > 0] * 0.8 * 0.8 * 1.5)))


if __name__ == "__main__":
    for measurement in run():
        print(measurement.markdown())
