"""Surfaces as STL files in LPS millimeters, written and read back."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from ..core.errors import SegmentationAIError
from ..core.labelmap import Labelmap
from ..core.segment_tags import segment_ids
from .segmentation_node import node_from_labelmap
from .surfaces import CLOSED_SURFACE, create_surfaces

# Slicer reads this comment and turns the points to RAS.
_HEADER = "SPACE=LPS"
_SAME_MM = 1e-3


def write_checked_surfaces(labelmap: Labelmap, folder: Path, names: Sequence[str]) -> None:
    """Write one STL file per label that has voxels, and compare what is in them.

    Args:
        labelmap: Its labels in order; their surfaces are made anew.
        folder: Gets the files.
        names: Of the files, without an ending, one per label.

    Raises:
        SegmentationAIError: No label has voxels, or a file differs.
    """
    scene = slicer.vtkMRMLScene()
    node = node_from_labelmap(labelmap, scene, None, "Surfaces")
    create_surfaces(node)
    segmentation = node.GetSegmentation()
    written = 0
    for identifier, name in zip(segment_ids(labelmap.labels), names, strict=True):
        surface = segmentation.GetSegment(identifier).GetRepresentation(CLOSED_SURFACE)
        if surface is None or not surface.GetNumberOfCells():
            continue
        _write_checked(_in_lps(surface), folder / f"{name}.stl")
        written += 1
    if not written:
        raise SegmentationAIError("No segment has voxels; there is no surface to export.")


def _in_lps(surface: vtk.vtkPolyData) -> vtk.vtkPolyData:
    turn = vtk.vtkTransform()
    turn.Scale(-1, -1, 1)
    turned = vtk.vtkTransformPolyDataFilter()
    turned.SetInputData(surface)
    turned.SetTransform(turn)
    turned.Update()
    return turned.GetOutput()


def _write_checked(surface: vtk.vtkPolyData, path: Path) -> None:
    writer = vtk.vtkSTLWriter()
    writer.SetFileTypeToBinary()
    writer.SetHeader(_HEADER)
    writer.SetInputData(surface)
    writer.SetFileName(str(path))
    writer.Write()
    reader = vtk.vtkSTLReader()
    reader.SetFileName(str(path))
    reader.Update()
    read = reader.GetOutput()
    is_same = read.GetNumberOfCells() == surface.GetNumberOfCells() and np.allclose(
        _extremes(read), _extremes(surface), atol=_SAME_MM
    )
    if not is_same:
        raise SegmentationAIError(
            f"{path.name} was written, but reads back differently, so it was not kept; choose "
            "another folder."
        )


def _extremes(surface: vtk.vtkPolyData) -> np.ndarray:
    points = vtk_to_numpy(surface.GetPoints().GetData())
    return np.stack([points.min(axis=0), points.max(axis=0)])
