"""Labelmaps and segmentation nodes: identity of segments, shared voxels, geometry, overlaps."""

import gc
import json
import weakref

import nibabel
import numpy as np
import pytest
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from SegmentationAILib.core.errors import GeometryError, SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap, Provenance
from SegmentationAILib.core.terminology import ANATOMICAL_STRUCTURE, Code, Terminology
from SegmentationAILib.core.volume import Grid, Volume
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.placement import matrix_from_affine
from SegmentationAILib.scene.segmentation_node import (
    labelmap_from_node,
    node_from_labelmap,
    scan_of,
)
from SegmentationAILib.scene.volume_node import node_from_volume

from phantoms import grid_around, rotation

LIVER = Terminology(ANATOMICAL_STRUCTURE, Code("SCT", "10200004", "Liver"))
LEFT_HANDED = (1, -1, 1)
CENTER = (12.0, -7.0, 20.0)


@pytest.fixture(scope="module")
def a_slicer():
    return headless_slicer()


@pytest.fixture
def a_scene(a_slicer):
    return a_slicer.scene


def a_grid(shape=(13, 11, 9), **how):
    return grid_around(CENTER, shape, **how)


def a_volume_node(scene, grid):
    return node_from_volume(Volume(np.zeros((1, *grid.shape), np.int16), grid.affine), scene, "CT")


def full_labels(values):
    """Labels whose every field differs from its default."""
    return tuple(
        Label(
            value=value,
            name=f"structure {value}",
            color=(value % 7 / 8, value % 5 / 8, 0.25),
            terminology=LIVER if value % 2 else None,
            segment_id=f"id-{value}",
            status="flagged",
            provenance=Provenance(
                "predicted", "some-network", "ab" * 32, 3, "2026-01-02T03:04:05Z"
            ),
            tags=(("DICOM.Note", "kept: as it is"),),
        )
        for value in values
    )


def random_labelmap(grid, values, seed=1):
    rng = np.random.default_rng(seed)
    dtype = np.uint16 if max(values, default=0) > 255 else np.uint8
    voxels = rng.choice(np.array([0, *values], dtype), grid.shape)
    return Labelmap((np.asfortranarray(voxels),), full_labels(values), grid.affine)


def saved_and_loaded(a_slicer, node, path):
    storage = node.CreateDefaultStorageNode()
    a_slicer.scene.AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    return a_slicer.segmentations.LoadSegmentationFromFile(str(path), True, "loaded")


def slicers_mask(node, identifier, grid):
    """Where Slicer itself finds a segment, ``(I, J, K)``."""
    image = slicer.vtkOrientedImageData()
    assert node.GetBinaryLabelmapRepresentation(identifier, image)
    reference = slicer.vtkOrientedImageData()
    reference.SetDimensions(*grid.shape)
    reference.SetImageToWorldMatrix(matrix_from_affine(grid.affine))
    out = slicer.vtkOrientedImageData()
    resample = slicer.vtkOrientedImageDataResample
    assert resample.ResampleOrientedImageToReferenceOrientedImage(image, reference, out)
    i, j, k = out.GetDimensions()
    return vtk_to_numpy(out.GetPointData().GetScalars()).reshape(k, j, i).transpose(2, 1, 0) != 0


@pytest.mark.parametrize("flips", [(-1, -1, 1), LEFT_HANDED])
@pytest.mark.parametrize("number", [0, 1, 29, 300])
def test_a_round_trip_returns_every_voxel_and_every_field(a_scene, number, flips):
    grid = a_grid(flips=flips)
    labelmap = random_labelmap(grid, range(1, number + 1))
    volume_node = a_volume_node(a_scene, grid)
    node = node_from_labelmap(labelmap, a_scene, volume_node, "S")
    assert node.GetSegmentation().GetNumberOfSegments() == number
    back = labelmap_from_node(node, volume_node)
    assert back.labels == labelmap.labels
    assert len(back.layers) == 1
    np.testing.assert_array_equal(back.layers[0], labelmap.layers[0])
    assert back.grid.matches(grid)
    assert back.notes == ()


def test_slicer_itself_finds_each_segment_where_its_value_is(a_scene):
    grid = a_grid()
    labelmap = random_labelmap(grid, (3, 7))
    node = node_from_labelmap(labelmap, a_scene, a_volume_node(a_scene, grid), "S")
    for label in labelmap.labels:
        found = slicers_mask(node, label.segment_id, grid)
        np.testing.assert_array_equal(found, labelmap.mask(label))


def test_all_segments_share_the_voxels_of_the_labelmap(a_scene):
    labelmap = random_labelmap(a_grid(), range(1, 30))
    node = node_from_labelmap(labelmap, a_scene, None, "S")
    segmentation = node.GetSegmentation()
    assert segmentation.GetNumberOfLayers() == 1
    images = {segmentation.GetNthSegment(n).GetRepresentation("Binary labelmap") for n in range(29)}
    assert len(images) == 1
    scalars = vtk_to_numpy(images.pop().GetPointData().GetScalars())
    assert np.shares_memory(scalars, labelmap.layers[0])


def test_voxels_outlive_every_python_object(a_scene):
    labelmap = random_labelmap(a_grid(), (3, 7))
    count = int((labelmap.layers[0] == 7).sum())
    memory = weakref.ref(labelmap.layers[0])
    identifier = node_from_labelmap(labelmap, a_scene, None, "S").GetID()
    del labelmap
    gc.collect()
    assert memory() is not None
    found = slicers_mask(a_scene.GetNodeByID(identifier), "id-7", a_grid())
    assert int(found.sum()) == count


@pytest.mark.parametrize("values", [(3, 7), (2, 300), (1, 70000)])
def test_saving_and_loading_in_slicer_keeps_values_ids_and_codes(a_slicer, tmp_path, values):
    grid = a_grid()
    voxels = np.zeros(grid.shape, np.uint32, order="F")
    voxels[2:5, 3:6, 1:4] = values[0]
    voxels[6:9, 3:6, 4:8] = values[1]
    labelmap = Labelmap((voxels,), full_labels(values), grid.affine)
    volume_node = a_volume_node(a_slicer.scene, grid)
    node = node_from_labelmap(labelmap, a_slicer.scene, volume_node, "S")
    loaded = saved_and_loaded(a_slicer, node, tmp_path / "s.seg.nrrd")
    for one in (loaded, node):
        back = labelmap_from_node(one, volume_node)
        assert [(x.value, x.segment_id) for x in back.labels] == [(v, f"id-{v}") for v in values]
        np.testing.assert_array_equal(back.layers[0], voxels)
        for found, given in zip(back.labels, labelmap.labels, strict=True):
            assert (found.name, found.terminology) == (given.name, given.terminology)
            assert (found.status, found.provenance) == (given.status, given.provenance)
            assert found.tags == given.tags
            assert found.color == pytest.approx(given.color, abs=1e-5)


def test_values_survive_when_slicer_renumbers_the_shared_labelmap(a_scene):
    grid = a_grid()
    labelmap = random_labelmap(grid, (3, 7))
    volume_node = a_volume_node(a_scene, grid)
    node = node_from_labelmap(labelmap, a_scene, volume_node, "S")
    segmentation = node.GetSegmentation()
    segmentation.SeparateSegmentLabelmap("id-7")
    assert segmentation.GetNumberOfLayers() == 2
    segmentation.CollapseBinaryLabelmaps(True)
    values = [segmentation.GetNthSegment(n).GetLabelValue() for n in range(2)]
    assert values != [3, 7], "Slicer no longer renumbers; this test shows nothing then"
    back = labelmap_from_node(node, volume_node)
    assert [label.value for label in back.labels] == [3, 7]
    np.testing.assert_array_equal(back.layers[0], labelmap.layers[0])


def test_overlapping_segments_come_back_as_layers(a_slicer, tmp_path):
    grid = a_grid()
    first, second = np.zeros((2, *grid.shape), np.uint8)
    first[2:8, 2:8, 2:6] = 1
    second[5:11, 4:9, 3:8] = 1
    labels = (Label(1, "a", segment_id="A"), Label(1, "b", segment_id="B", layer=1))
    labelmap = Labelmap((first, second), labels, grid.affine)
    volume_node = a_volume_node(a_slicer.scene, grid)
    node = node_from_labelmap(labelmap, a_slicer.scene, volume_node, "S")
    assert node.GetSegmentation().GetNumberOfLayers() == 2
    for one in (node, saved_and_loaded(a_slicer, node, tmp_path / "o.seg.nrrd")):
        back = labelmap_from_node(one, volume_node)
        assert len(back.layers) == 2
        assert [label.value for label in back.labels] == [1, 1]
        np.testing.assert_array_equal(back.mask(back.labels[0]), first == 1)
        np.testing.assert_array_equal(back.mask(back.labels[1]), second == 1)


def test_layers_without_overlap_become_one(a_scene):
    grid = a_grid()
    first, second = np.zeros((2, *grid.shape), np.uint8)
    first[:4], second[6:] = 2, 5
    labelmap = Labelmap((first, second), (Label(2, "a"), Label(5, "b", layer=1)), grid.affine)
    volume_node = a_volume_node(a_scene, grid)
    back = labelmap_from_node(node_from_labelmap(labelmap, a_scene, volume_node, "S"), volume_node)
    np.testing.assert_array_equal(back.layers, [first + second])


def test_labels_without_voxels_are_segments_too(a_scene):
    grid = a_grid()
    labelmap = Labelmap((np.zeros(grid.shape, np.uint8),), full_labels((4, 300)), grid.affine)
    volume_node = a_volume_node(a_scene, grid)
    node = node_from_labelmap(labelmap, a_scene, volume_node, "S")
    back = labelmap_from_node(node, volume_node)
    assert [label.value for label in back.labels] == [4, 300]
    assert not back.layers[0].any()


def test_hidden_and_locked_nodes_give_the_same_labelmap(a_scene):
    grid = a_grid()
    labelmap = random_labelmap(grid, (1, 2, 3))
    volume_node = a_volume_node(a_scene, grid)
    node = node_from_labelmap(labelmap, a_scene, volume_node, "S")
    node.SetDisplayVisibility(False)
    node.GetDisplayNode().SetSegmentVisibility("id-2", False)
    node.SetSelectable(False)
    node.SetUndoEnabled(False)
    back = labelmap_from_node(node, volume_node)
    np.testing.assert_array_equal(back.layers[0], labelmap.layers[0])


def test_under_a_transform_segments_stay_on_their_volume(a_scene):
    grid = a_grid()
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = rotation(10, 20, -30), (5, -6, 7)
    volume_node = a_volume_node(a_scene, grid)
    transform = a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    transform.SetMatrixTransformToParent(matrix_from_affine(motion))
    volume_node.SetAndObserveTransformNodeID(transform.GetID())
    moved = Grid(grid.shape, motion @ grid.affine)
    labelmap = random_labelmap(moved, (3, 7))
    node = node_from_labelmap(labelmap, a_scene, volume_node, "S")
    np.testing.assert_array_equal(
        labelmap_from_node(node, volume_node).layers[0], labelmap.layers[0]
    )
    center = node.GetSegmentCenterRAS("id-3")
    expected = moved.ras_from_ijk(np.argwhere(labelmap.layers[0] == 3)).mean(0)
    assert np.linalg.norm(np.array(center) - expected) < max(grid.spacing) * 2
    # Moving the volume alone takes the segments off its voxels.
    volume_node.SetAndObserveTransformNodeID(None)
    with pytest.raises(GeometryError, match="do not coincide"):
        labelmap_from_node(node, volume_node)
    node.SetAndObserveTransformNodeID(None)
    np.testing.assert_array_equal(
        labelmap_from_node(node, volume_node).layers[0], labelmap.layers[0]
    )


@pytest.mark.parametrize("offset", [(0, 0, 0), (2, -3, 1)])
def test_cropped_flipped_and_permuted_layers_are_placed_voxel_for_voxel(a_scene, offset):
    grid = a_grid()
    volume_node = a_volume_node(a_scene, grid)
    # Layer index (a, b, c) is the grid's (8 - b, c, a), shifted.
    step = np.array([[0, -1, 0, 8], [0, 0, 1, 2], [1, 0, 0, 1], [0, 0, 0, 1]], float)
    step[:3, 3] += offset
    voxels = np.random.default_rng(3).integers(0, 3, (5, 6, 7)).astype(np.uint8)
    labelmap = Labelmap((voxels,), full_labels((1, 2)), grid.affine @ step)
    node = node_from_labelmap(labelmap, a_scene, None, "S")
    expected = np.zeros(grid.shape, np.uint8)
    lost = 0
    for index in np.ndindex(voxels.shape):
        place = (step @ [*index, 1]).astype(int)[:3]
        if (place >= 0).all() and (place < grid.shape).all():
            expected[tuple(place)] = voxels[index]
        else:
            lost += int(voxels[index] != 0)
    back = labelmap_from_node(node, volume_node)
    np.testing.assert_array_equal(back.layers[0], expected)
    assert bool(back.notes) == (lost > 0)
    if lost:
        assert back.notes[0].startswith(f"{lost} voxels of 'id-1', 'id-2' lie outside")


def test_another_geometry_is_refused_or_resampled_on_request(a_scene):
    coarse = a_grid((20, 18, 12), spacing=(1.5, 1.5, 3.0), degrees=(0, 0, 0))
    fine = a_grid((40, 36, 30), spacing=(0.7, 0.8, 1.1))
    indices = np.indices(coarse.shape).reshape(3, -1).T
    ball = np.linalg.norm(coarse.ras_from_ijk(indices) - CENTER, axis=1) < 9
    voxels = np.where(ball, 7, 0).reshape(coarse.shape).astype(np.uint8)
    node = node_from_labelmap(
        Labelmap((voxels,), full_labels((7,)), coarse.affine), a_scene, None, "S"
    )
    volume_node = a_volume_node(a_scene, fine)
    with pytest.raises(GeometryError, match=r"1\.5 x 1\.5 x 3 mm.*0\.7 x 0\.8 x 1\.1 mm"):
        labelmap_from_node(node, volume_node)
    back = labelmap_from_node(node, volume_node, resample=True)
    found = fine.ras_from_ijk(np.argwhere(back.layers[0] == 7))
    np.testing.assert_allclose(found.mean(0), CENTER, atol=0.3)
    volume_mm3 = len(found) * fine.voxel_volume_ml * 1000
    assert volume_mm3 == pytest.approx(ball.sum() * 1.5 * 1.5 * 3.0, rel=0.03)


def test_a_labelmap_on_another_grid_leaves_the_scene_as_it_was(a_scene):
    volume_node = a_volume_node(a_scene, a_grid())
    before = a_scene.GetNumberOfNodes()
    with pytest.raises(GeometryError, match="same grid"):
        node_from_labelmap(random_labelmap(a_grid((13, 11, 8)), (1,)), a_scene, volume_node, "S")
    unnamed = Labelmap((np.full((13, 11, 9), 5, np.uint8),), full_labels((1,)), a_grid().affine)
    with pytest.raises(SegmentationAIError, match="label value 5"):
        node_from_labelmap(unnamed, a_scene, volume_node, "S")
    assert a_scene.GetNumberOfNodes() == before


def test_the_segmentation_refers_to_its_volume_and_lies_beside_it(a_scene):
    grid = a_grid()
    volume_node = a_volume_node(a_scene, grid)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volume_node), study)
    node = node_from_labelmap(random_labelmap(grid, (1,)), a_scene, volume_node, "S")
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is volume_node
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study
    geometry = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    assert node.GetSegmentation().GetConversionParameter(geometry).endswith("0;12;0;10;0;8;")


def test_surfaces_without_voxels_become_voxels_and_a_note(a_scene):
    grid = a_grid((40, 36, 30), spacing=(0.7, 0.8, 1.1))
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(*CENTER)
    sphere.SetRadius(8.0)
    sphere.SetPhiResolution(40)
    sphere.SetThetaResolution(40)
    sphere.Update()
    node = a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surfaces")
    node.SetSourceRepresentationToClosedSurface()
    node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "ball", [1, 0, 0], "ball")
    back = labelmap_from_node(node, a_volume_node(a_scene, grid))
    assert "surfaces" in back.notes[0]
    volume_mm3 = (back.layers[0] != 0).sum() * grid.voxel_volume_ml * 1000
    assert volume_mm3 == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.03)
    assert not node.GetSegmentation().ContainsRepresentation("Binary labelmap")


def test_the_torso_with_all_its_structures_survives(a_slicer, the_data, tmp_path):
    folder = the_data / "ct-torso-3mm"
    image = nibabel.load(folder / "labels.nii.gz")
    names = json.loads((folder / "labels.json").read_text())
    voxels = np.asfortranarray(np.asarray(image.dataobj).astype(np.uint8))
    values = [int(value) for value in np.unique(voxels) if value]
    labels = tuple(Label(v, names[str(v)], segment_id=names[str(v)]) for v in values)
    labelmap = Labelmap((voxels,), labels, image.affine)
    volume_node = a_volume_node(a_slicer.scene, labelmap.grid)
    node = node_from_labelmap(labelmap, a_slicer.scene, volume_node, "torso")
    back = labelmap_from_node(
        saved_and_loaded(a_slicer, node, tmp_path / "torso.seg.nrrd"), volume_node
    )
    assert len(values) == 61  # 62 classes with the background
    assert [label.name for label in back.labels] == [names[str(value)] for value in values]
    np.testing.assert_array_equal(back.layers[0], voxels)


def test_partly_overlapping_segments_of_a_file_are_all_kept(a_slicer, the_data):
    folder = the_data / "overlapping-segments"
    node = a_slicer.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "overlapping")
    masks = []
    for number in (1, 2, 3):
        volume_node = a_slicer.volumes.AddArchetypeVolume(
            str(folder / f"partial_overlaps-{number}.nrrd"), f"labels{number}", 1
        )
        scalars = vtk_to_numpy(volume_node.GetImageData().GetPointData().GetScalars())
        i, j, k = volume_node.GetImageData().GetDimensions()
        masks.append(scalars.reshape(k, j, i).transpose(2, 1, 0) != 0)
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        assert logic.ImportLabelmapToSegmentationNode(volume_node, node)
    back = labelmap_from_node(node, volume_node)
    found = [back.mask(label) for label in back.labels]
    for mask in masks:
        pieces = np.any([one for one in found if (one & mask).sum() == one.sum()], axis=0)
        np.testing.assert_array_equal(pieces, mask)


def test_the_scan_of_a_segmentation_is_found_until_it_is_removed(a_scene):
    node = node_from_labelmap(
        random_labelmap(a_grid(), (1,)), a_scene, a_volume_node(a_scene, a_grid()), "Result"
    )
    assert scan_of(node).GetName() == "CT"
    a_scene.RemoveNode(scan_of(node))
    assert scan_of(node) is None
    loose = node_from_labelmap(random_labelmap(a_grid(), (1,)), a_scene, None, "Loose")
    assert scan_of(loose) is None
