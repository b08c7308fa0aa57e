"""The embedded editor undoes what is accepted, and DICOM is written while the panel goes on."""

import numpy as np
import pytest
import slicer

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.scene.panel_facts import Outcome
from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap
from SegmentationAILib.scene.volume_node import node_from_volume
from SegmentationAILib.scene.vtk_voxels import voxels_from_image

from phantoms import sphere_volume


@pytest.fixture
def a_target(a_module):
    """A drawn box in a segmentation that gets the next result, open in *Correct*."""
    volume, scene = sphere_volume(), a_module.running.scene
    scan = node_from_volume(volume, scene, "Scan")
    mask = np.zeros(volume.grid.shape, np.uint8, order="F")
    mask[5:15, 4:12, 3:9] = 1
    mine = Labelmap((mask.copy(order="F"),), (Label(1, "Mine"),), volume.affine)
    node = node_from_labelmap(mine, scene, scan, "Mine")
    state = a_module.widget.logic.state()
    state.volume, state.result, state.into = scan, node, node
    a_module.panel.open("Correct")
    return node, scan, mask


def painted_over(node, scan):
    """Take one voxel away by exchanging the layer, as results do; return what is left."""
    segment = node.GetSegmentation().GetNthSegment(0)
    image = slicer.vtkOrientedImageData()
    image.DeepCopy(segment.GetRepresentation("Binary labelmap"))
    array = voxels_from_image(image)[0]
    array[tuple(np.argwhere(array)[0])] = 0
    segment.AddRepresentation("Binary labelmap", image)
    found = labelmap_from_node(node, scan)
    return found.mask(found.labels[0])


def test_the_editor_takes_back_what_was_accepted_into_its_segmentation(a_module, a_target):
    node, scan, mask = a_target
    a_module.logic.save_state()
    assert painted_over(node, scan).sum() == mask.sum() - 1
    editor = a_module.find("segmentEditor")
    editor.undo()
    found = labelmap_from_node(node, scan)
    np.testing.assert_array_equal(found.mask(found.labels[0]), mask == 1)
    editor.redo()
    found = labelmap_from_node(node, scan)
    assert found.mask(found.labels[0]).sum() == mask.sum() - 1


def test_a_result_for_another_segmentation_leaves_the_editors_states_alone(a_module, a_target):
    node, scan, mask = a_target
    a_module.widget.logic.state().into = None
    a_module.logic.save_state()
    painted_over(node, scan)
    a_module.find("segmentEditor").undo()
    found = labelmap_from_node(node, scan)
    assert found.mask(found.labels[0]).sum() == mask.sum() - 1


def with_dicom(logic, answer):
    """Let the stand-in offer DICOM; ``answer`` is given the two functions that are told."""
    known = logic.formats()
    logic.formats = lambda: (*known, ("dicom-seg", "DICOM segmentation", "Joins the study."))
    logic.export_dicom = lambda node, volume, folder, told, ended: answer(told, ended)


def test_dicom_is_written_in_the_background_and_said(opened, a_slicer, tmp_path):
    from panel_stand_in import StandInLogic

    given, logic = [], StandInLogic()
    with_dicom(logic, lambda *functions: given.append(functions))
    module = opened(logic)
    scan = node_from_volume(sphere_volume(), a_slicer.scene, "Scan")
    state = module.widget.logic.state()
    state.volume, state.result = scan, a_slicer.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    module.panel.open("Export")
    box = module.find("formatSelector")
    box.setCurrentIndex(box.findText("DICOM segmentation"))
    module.find("folderLine").currentPath = str(tmp_path)
    module.click("exportButton")
    ((told, ended),) = given
    assert not module.find("exportButton").enabled
    told(0.2, "Writing the DICOM segmentation and reading it back", None)
    assert module.find("sentenceLabel").text.endswith("reading it back: 20%")
    ended(Outcome("Wrote and read back Mine.dcm in here."))
    assert module.find("sentenceLabel").text == "Wrote and read back Mine.dcm in here."
    assert module.find("exportButton").enabled


def test_a_scan_that_is_not_from_dicom_leaves_the_button_as_it_was(opened, a_slicer, tmp_path):
    from panel_stand_in import StandInLogic

    def refuse(told, ended):
        raise SegmentationAIError("'Scan' was not loaded from DICOM.")

    logic = StandInLogic()
    with_dicom(logic, refuse)
    module = opened(logic)
    scan = node_from_volume(sphere_volume(), a_slicer.scene, "Scan")
    state = module.widget.logic.state()
    state.volume, state.result = scan, a_slicer.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    module.panel.open("Export")
    box = module.find("formatSelector")
    box.setCurrentIndex(box.findText("DICOM segmentation"))
    module.find("folderLine").currentPath = str(tmp_path)
    module.click("exportButton")
    assert module.find("sentenceLabel").text == "'Scan' was not loaded from DICOM."
    assert module.find("exportButton").enabled
