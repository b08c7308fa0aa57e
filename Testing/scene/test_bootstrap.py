"""The headless scene has what Slicer's own code expects to find in one."""

import pytest
import slicer
import vtk

from SegmentationAILib.scene.bootstrap import headless_slicer


@pytest.fixture(scope="module")
def a_slicer():
    return headless_slicer()


def test_every_logic_is_found_by_its_name_and_sees_the_scene(a_slicer):
    for name in (
        "Volumes",
        "Terminologies",
        "Segmentations",
        "SubjectHierarchy",
        "Markups",
        "CropVolume",
    ):
        logic = a_slicer.application_logic.GetModuleLogic(name)
        assert logic is not None, name
        assert logic.GetMRMLScene() is a_slicer.scene, name


def test_axial_slices_show_the_patients_right_on_the_left(a_slicer):
    node = a_slicer.scene.AddNewNodeByClass("vtkMRMLSliceNode", "axial")
    node.SetOrientation("Axial")
    across = [node.GetSliceToRAS().GetElement(row, 0) for row in range(3)]
    assert across == [-1.0, 0.0, 0.0]


def test_a_new_volume_gets_the_grey_color_node(a_slicer):
    node = a_slicer.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "v")
    node.CreateDefaultDisplayNodes()
    assert node.GetDisplayNode().GetColorNode().GetName() == "Grey"


def test_terminologies_of_slicer_know_the_liver(a_slicer):
    names = vtk.vtkStringArray()
    a_slicer.terminologies.GetLoadedTerminologyNames(names)
    loaded = [names.GetValue(n) for n in range(names.GetNumberOfValues())]
    general = "Segmentation category and type - 3D Slicer General Anatomy list"
    assert general in loaded
    entry = slicer.vtkSlicerTerminologyEntry()
    liver = f"{general}~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~~^^~^^"
    assert a_slicer.terminologies.DeserializeTerminologyEntry(liver, entry)
    assert entry.GetTypeObject().GetCodeMeaning() == "Liver"


def test_two_scenes_do_not_share_nodes(a_slicer):
    other = headless_slicer()
    other.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "only here")
    assert other.scene.GetFirstNodeByName("only here") is not None
    assert a_slicer.scene.GetFirstNodeByName("only here") is None


def test_inside_the_application_there_is_no_second_scene(monkeypatch):
    monkeypatch.setattr(slicer, "app", object(), raising=False)
    with pytest.raises(RuntimeError, match="its own scene"):
        headless_slicer()
