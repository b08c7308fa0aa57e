"""Volumes and nodes on oblique, anisotropic, left-handed grids; positions are known by formula."""

import gc
import weakref

import numpy as np
import pytest
import slicer
import vtk

from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.placement import matrix_from_affine
from SegmentationAILib.scene.volume_node import node_from_volume, volume_from_node

from phantoms import oblique_affine, rotation

RIGHT_HANDED = (-1, -1, 1)
LEFT_HANDED = (1, -1, 1)


@pytest.fixture(scope="module")
def a_scene():
    return headless_slicer().scene


def a_volume(flips=RIGHT_HANDED, channels=1, dtype=np.int16):
    shape = (channels, 7, 5, 4)
    voxels = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    return Volume(voxels, oblique_affine(flips=flips))


def a_transform(scene, matrix):
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    node.SetMatrixTransformToParent(matrix_from_affine(matrix))
    return node


def a_motion():
    motion = np.eye(4)
    motion[:3, :3] = rotation(10, 20, -30)
    motion[:3, 3] = (5, -6, 7)
    return motion


@pytest.mark.parametrize("flips", [RIGHT_HANDED, LEFT_HANDED])
def test_slicer_sees_each_voxel_at_its_place(a_scene, flips):
    volume = a_volume(flips)
    node = node_from_volume(volume, a_scene, "v")
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    for ijk in ((0, 0, 0), (6, 0, 0), (2, 3, 1), (6, 4, 3)):
        assert node.GetImageData().GetScalarComponentAsDouble(*ijk, 0) == volume.voxels[(0, *ijk)]
        expected = volume.grid.ras_from_ijk(np.array([ijk]))[0]
        assert matrix.MultiplyPoint((*ijk, 1))[:3] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("flips", [RIGHT_HANDED, LEFT_HANDED])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_a_round_trip_returns_the_same_voxels_and_affine(a_scene, flips, channels, dtype):
    volume = a_volume(flips, channels, dtype)
    back = volume_from_node(node_from_volume(volume, a_scene, "v"))
    assert back.voxels.dtype == dtype
    np.testing.assert_array_equal(back.voxels, volume.voxels)
    np.testing.assert_allclose(back.affine, volume.affine, atol=1e-12)


def test_dtypes_that_vtk_lacks_keep_their_values(a_scene):
    for dtype, expected in ((bool, np.uint8), (np.float16, np.float32), (">i2", np.int16)):
        volume = a_volume(dtype=dtype)
        back = volume_from_node(node_from_volume(volume, a_scene, "v"))
        assert back.voxels.dtype == expected
        np.testing.assert_array_equal(back.voxels, volume.voxels)


def test_channels_become_components_of_a_vector_volume(a_scene):
    volume = a_volume(channels=2)
    node = node_from_volume(volume, a_scene, "two")
    assert node.IsA("vtkMRMLVectorVolumeNode")
    assert node.GetImageData().GetScalarComponentAsDouble(1, 2, 3, 1) == volume.voxels[1, 1, 2, 3]


def test_parent_transforms_move_the_affine_as_hardening_would(a_scene):
    volume = a_volume()
    node = node_from_volume(volume, a_scene, "v")
    inner, outer = a_transform(a_scene, a_motion()), a_transform(a_scene, a_motion() @ a_motion())
    inner.SetAndObserveTransformNodeID(outer.GetID())
    node.SetAndObserveTransformNodeID(inner.GetID())
    moved = volume_from_node(node)
    expected = a_motion() @ a_motion() @ a_motion() @ volume.affine
    np.testing.assert_allclose(moved.affine, expected, atol=1e-9)
    np.testing.assert_allclose(volume_from_node(node, world=False).affine, volume.affine)
    node.HardenTransform()
    np.testing.assert_allclose(volume_from_node(node).affine, moved.affine, atol=1e-9)


def test_a_non_linear_parent_transform_is_refused_by_name(a_scene):
    node = node_from_volume(a_volume(), a_scene, "warped volume")
    warp = a_scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "the warp")

    coefficients = vtk.vtkImageData()
    coefficients.SetDimensions(4, 4, 4)
    coefficients.AllocateScalars(vtk.VTK_DOUBLE, 3)
    spline = slicer.vtkOrientedBSplineTransform()
    spline.SetCoefficientData(coefficients)
    warp.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(GeometryError, match="the warp"):
        volume_from_node(node)
    assert volume_from_node(node, world=False).grid.shape == (7, 5, 4)


def test_an_empty_node_is_refused(a_scene):
    node = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    with pytest.raises(GeometryError, match="'nothing' has no voxels"):
        volume_from_node(node)


def test_an_image_whose_extent_begins_elsewhere_is_at_its_place(a_scene):
    volume = a_volume()
    node = node_from_volume(volume, a_scene, "v")
    node.GetImageData().SetExtent(3, 9, -2, 2, 1, 4)
    back = volume_from_node(node)
    first = volume.grid.ras_from_ijk(np.array([[3, -2, 1]]))[0]
    np.testing.assert_allclose(back.affine[:3, 3], first)
    np.testing.assert_array_equal(back.voxels, volume.voxels)


def test_voxels_in_slicers_order_are_shared_both_ways(a_scene):
    voxels = np.zeros((6, 5, 4), np.int16, order="F")
    node = node_from_volume(Volume(voxels[None], np.eye(4)), a_scene, "shared")
    back = volume_from_node(node)
    assert np.shares_memory(back.voxels, voxels)
    assert not back.voxels.flags.writeable


def test_voxels_live_exactly_as_long_as_the_node(a_scene):
    voxels = np.full((6, 5, 4), 42, np.int16, order="F")
    memory = weakref.ref(voxels)
    identifier = node_from_volume(Volume(voxels[None], np.eye(4)), a_scene, "alone").GetID()
    del voxels
    gc.collect()
    assert memory() is not None
    node = a_scene.GetNodeByID(identifier)
    np.testing.assert_array_equal(volume_from_node(node).voxels, 42)
    # Slicer's display node holds on to the image that it shows.
    a_scene.RemoveNode(node.GetDisplayNode())
    a_scene.RemoveNode(node)
    del node
    gc.collect()
    assert memory() is None


def test_the_node_has_a_display_node_and_one_item_in_the_hierarchy(a_scene):
    node = node_from_volume(a_volume(), a_scene, "v")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    item = hierarchy.GetItemByDataNode(node)
    assert hierarchy.GetItemParent(item) == hierarchy.GetSceneItemID()
    assert node.GetDisplayNode() is not None
