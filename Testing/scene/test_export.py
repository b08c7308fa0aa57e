import math

import numpy as np
import pytest
import vtk

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.files import read_labelmap
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.export import FORMATS, export_segmentation
from SegmentationAILib.scene.segmentation_node import node_from_labelmap
from SegmentationAILib.scene.volume_node import node_from_volume

from phantoms import oblique_affine

SHAPE = (24, 20, 16)
LABELS = (Label(3, "Liver: left/right", (0.8, 0.2, 0.1)), Label(300, "Spleen", (0.1, 0.2, 0.7)))


@pytest.fixture
def a_segmentation():
    """Two boxes with values 3 and 300 on an oblique, anisotropic grid."""
    voxels = np.zeros(SHAPE, np.uint16, order="F")
    voxels[4:12, 3:9, 2:7] = 3
    voxels[14:20, 10:18, 8:13] = 300
    return placed(Labelmap((voxels,), LABELS, oblique_affine()))


def placed(labelmap):
    scene = headless_slicer().scene
    volume = Volume(np.zeros((1, *SHAPE), np.int16), labelmap.affine)
    volume_node = node_from_volume(volume, scene, "Scan")
    node = node_from_labelmap(labelmap, scene, volume_node, "Result")
    return node, volume_node, labelmap, scene


def overlapping():
    first, second = (np.zeros(SHAPE, np.uint8, order="F") for _ in range(2))
    first[4:12, 3:9, 2:7] = 1
    second[8:16, 3:9, 2:7] = 2
    labels = (Label(1, "Organ"), Label(2, "Tumor", layer=1))
    return placed(Labelmap((first, second), labels, oblique_affine()))


@pytest.mark.parametrize("key", ["seg.nrrd", "nii.gz", "nrrd"])
def test_values_names_and_places_are_read_by_another_reader(a_segmentation, tmp_path, key):
    node, volume_node, labelmap, _scene = a_segmentation
    files = export_segmentation(node, volume_node, key, tmp_path)
    found = read_labelmap(tmp_path / f"Result.{key}")
    assert [(label.value, label.name) for label in found.labels] == [
        (label.value, label.name) for label in labelmap.labels
    ]
    assert np.array_equal(found.layers[0], labelmap.layers[0])
    assert labelmap.grid.matches(found.grid)
    assert sorted(files) == sorted(tmp_path.iterdir())


def test_one_file_per_segment_has_that_segment_alone(a_segmentation, tmp_path):
    node, volume_node, labelmap, _scene = a_segmentation
    export_segmentation(node, volume_node, "nrrd-each", tmp_path)
    names = sorted(path.name for path in tmp_path.glob("*.nrrd"))
    assert names == ["Result Liver_ left_right.nrrd", "Result Spleen.nrrd"]
    found = read_labelmap(tmp_path / "Result Spleen.nrrd")
    assert [(label.value, label.name) for label in found.labels] == [(300, "Spleen")]
    assert np.array_equal(found.layers[0], np.where(labelmap.layers[0] == 300, 300, 0))


def test_a_surface_has_the_volume_of_its_voxels_in_lps(a_segmentation, tmp_path):
    node, volume_node, labelmap, _scene = a_segmentation
    export_segmentation(node, volume_node, "stl", tmp_path)
    reader = vtk.vtkSTLReader()
    reader.SetFileName(str(tmp_path / "Result Spleen.stl"))
    reader.Update()
    mass = vtk.vtkMassProperties()
    mass.SetInputConnection(reader.GetOutputPort())
    voxels = 6 * 8 * 5 * labelmap.grid.voxel_volume_ml * 1000
    assert math.isclose(mass.GetVolume(), voxels, rel_tol=0.15)
    center_ras = labelmap.grid.ras_from_ijk(np.array([[16.5, 13.5, 10.0]]))[0]
    bounds = np.array(reader.GetOutput().GetBounds()).reshape(3, 2).mean(axis=1)
    assert np.allclose(bounds * (-1, -1, 1), center_ras, atol=1.0)


def test_overlapping_segments_survive_where_the_format_holds_them(tmp_path):
    node, volume_node, labelmap, _scene = overlapping()
    export_segmentation(node, volume_node, "seg.nrrd", tmp_path)
    found = read_labelmap(tmp_path / "Result.seg.nrrd")
    for label in labelmap.labels:
        same = next(other for other in found.labels if other.name == label.name)
        assert np.array_equal(found.mask(same), labelmap.mask(label))


def test_overlapping_segments_are_refused_by_name_of_the_format_that_holds_them(tmp_path):
    node, volume_node, _labelmap, _scene = overlapping()
    with pytest.raises(SegmentationAIError, match=r"\.seg\.nrrd"):
        export_segmentation(node, volume_node, "nii.gz", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_reads_back_differently_is_not_kept(a_segmentation, tmp_path, monkeypatch):
    from SegmentationAILib.scene import export_volumes

    node, volume_node, _labelmap, _scene = a_segmentation
    (tmp_path / "Result.nrrd").write_text("mine")

    def changed(voxels, labelmap, scene):
        voxels = voxels.copy(order="F")
        voxels[0, 0, 0] = 3
        return real(voxels, labelmap, scene)

    real = export_volumes._label_volume
    monkeypatch.setattr(export_volumes, "_label_volume", changed)
    with pytest.raises(SegmentationAIError, match="reads back differently"):
        export_segmentation(node, volume_node, "nrrd", tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_the_scene_is_as_it_was(a_segmentation, tmp_path):
    node, volume_node, _labelmap, scene = a_segmentation
    before, count = node.GetMTime(), scene.GetNumberOfNodes()
    for one in FORMATS:
        export_segmentation(node, volume_node, one.key, tmp_path)
    assert (scene.GetNumberOfNodes(), node.GetMTime()) == (count, before)


def test_nothing_to_export_and_nowhere_to_write_are_said(a_segmentation, tmp_path):
    node, volume_node, _labelmap, scene = a_segmentation
    with pytest.raises(SegmentationAIError, match="choose another folder"):
        export_segmentation(node, volume_node, "nrrd", tmp_path / "absent")
    empty = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Empty")
    with pytest.raises(SegmentationAIError, match="no segments"):
        export_segmentation(empty, volume_node, "nrrd", tmp_path)
