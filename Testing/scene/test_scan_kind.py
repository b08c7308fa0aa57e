import numpy as np
import pytest
import slicer

from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.scan_kind import kind_of_scan, scan_in_words
from SegmentationAILib.scene.volume_node import node_from_volume


@pytest.fixture
def a_scene():
    return headless_slicer().scene


def a_node(scene, an_affine, background, dtype):
    voxels = np.full((1, 12, 10, 8), background, dtype)
    voxels[:, 3:8, 3:8, 2:6] = 40
    return node_from_volume(Volume(voxels, an_affine), scene, "CT T1 head")


def test_air_in_hounsfield_units_tells_a_ct_and_nothing_else_does(a_scene, an_affine):
    assert kind_of_scan(a_node(a_scene, an_affine, -1000, np.int16)).modality == "CT"
    for background, dtype in ((0, np.int16), (-2000, np.int16), (0, np.uint16), (-50, np.float32)):
        kind = kind_of_scan(a_node(a_scene, an_affine, background, dtype))
        assert (kind.modality, kind.body_part) == ("", ""), "a name is not a fact"


def test_the_line_says_how_the_kind_is_known(a_scene, an_affine):
    words = scan_in_words(kind_of_scan(a_node(a_scene, an_affine, -1000, np.int16)))
    spacing = np.linalg.norm(an_affine[:3, :3], axis=0)
    assert words.startswith("CT by its intensities, ")
    assert words.endswith(" mm")
    assert [float(mm) for mm in words[22:-3].split(" × ")] == pytest.approx(spacing, abs=0.05)
    words = scan_in_words(kind_of_scan(a_node(a_scene, an_affine, 0, np.int16)))
    assert words.startswith("Kind of scan not stated, ")


def test_dicom_says_modality_and_body_part(a_scene, an_affine):
    node = a_node(a_scene, an_affine, -1000, np.int16)
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    asked = []

    def dicom_value(instance_uid, tag):
        asked.append(instance_uid)
        return {"0008,0060": "MR", "0018,0015": "HEAD "}[tag]

    kind = kind_of_scan(node, dicom_value)
    assert (kind.modality, kind.body_part, kind.is_by_intensities) == ("MR", "head", False)
    assert set(asked) == {"1.2.3"}
    assert scan_in_words(kind).startswith("MR, head, ")


def test_the_subject_hierarchys_modality_is_taken_first(a_scene, an_affine):
    node = a_node(a_scene, an_affine, -1000, np.int16)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    item = hierarchy.GetItemByDataNode(node)
    hierarchy.SetItemAttribute(item, "DICOM.Modality", "PT")
    assert scan_in_words(kind_of_scan(node)).startswith("PET, ")
