"""What kind of scan a volume is, as far as its tags or its intensities say so honestly."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from .volume_node import grid_of_node
from .vtk_voxels import voxels_from_image

# Slicer's DICOM plugins keep the first in the subject hierarchy item of what they load, and the
# instances in the node itself.
_HIERARCHY_MODALITY = "DICOM.Modality"
INSTANCES = "DICOM.instanceUIDs"
_MODALITY = "0008,0060"
_BODY_PART = "0018,0015"
_MODALITY_WORDS = {"MR": "MR", "CT": "CT", "PT": "PET", "US": "Ultrasound", "NM": "Scintigraphy"}
# Air is -1000 HU and nothing lies far below it but padding: no other common scan looks like this.
_AIR_HU = (-1100, -900)
_LEAST_AIR = 0.02
_SAMPLES = 200_000


DicomValue = Callable[[str, str], str]
"""Value of a tag ("gggg,eeee") of an instance, as ``slicer.dicomDatabase.instanceValue``."""


def _not_known(instance_uid: str, tag: str) -> str:
    """Return nothing: there is no DICOM database outside the application."""
    return ""


@dataclass(frozen=True)
class ScanKind:
    """What is known.

    Attributes:
        modality: DICOM modality, empty when nothing says it.
        body_part: As the scanner wrote it, in lower case; empty when nothing says it.
        is_by_intensities: Whether the modality was read off the intensities.
        spacing: mm along i, j and k.
    """

    modality: str
    body_part: str
    is_by_intensities: bool
    spacing: tuple[float, float, float]


def kind_of_scan(node: slicer.vtkMRMLVolumeNode, dicom_value: DicomValue = _not_known) -> ScanKind:
    """Return what is known about a scan; nothing is guessed from its name.

    Args:
        node: The scan.
        dicom_value: Reads tags of the instances that it was loaded from.

    Raises:
        GeometryError: The node has no voxels, or lies on no proper grid.
    """
    spacing = grid_of_node(node).spacing
    instances = (node.GetAttribute(INSTANCES) or "").split()
    modality = _hierarchy_value(node, _HIERARCHY_MODALITY)
    body_part = ""
    if instances:
        modality = modality or dicom_value(instances[0], _MODALITY)
        body_part = dicom_value(instances[0], _BODY_PART).strip().lower()
    if modality:
        return ScanKind(modality.strip().upper(), body_part, False, spacing)
    is_ct = _has_air_in_hu(node)
    return ScanKind("CT" if is_ct else "", body_part, is_ct, spacing)


def scan_in_words(kind: ScanKind) -> str:
    """Return one line such as "CT by its intensities, 0.8 × 0.8 × 5.0 mm"."""
    parts = [_MODALITY_WORDS.get(kind.modality, kind.modality) or "Kind of scan not stated"]
    if kind.is_by_intensities:
        parts[0] += " by its intensities"
    if kind.body_part:
        parts.append(kind.body_part)
    parts.append(" × ".join(_millimeters(mm) for mm in kind.spacing) + " mm")
    return ", ".join(parts)


def _millimeters(mm: float) -> str:
    return f"{mm:.2f}".removesuffix("0")


def _hierarchy_value(node: slicer.vtkMRMLVolumeNode, name: str) -> str:
    """Return an attribute of the node's item in the subject hierarchy, empty without one."""
    scene = node.GetScene()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene) if scene else None
    if hierarchy is None:
        return ""
    item = hierarchy.GetItemByDataNode(node)
    return hierarchy.GetItemAttribute(item, name) if item else ""


def _has_air_in_hu(node: slicer.vtkMRMLVolumeNode) -> bool:
    """Return whether enough voxels have the intensity of air on the Hounsfield scale."""
    image = node.GetImageData()
    if image.GetScalarType() in (vtk.VTK_UNSIGNED_CHAR, vtk.VTK_UNSIGNED_SHORT):
        return False
    voxels = voxels_from_image(image)[0].ravel(order="K")
    samples = voxels[:: max(1, voxels.size // _SAMPLES)]
    air = np.count_nonzero((samples >= _AIR_HU[0]) & (samples <= _AIR_HU[1]))
    return bool(air >= _LEAST_AIR * samples.size)
