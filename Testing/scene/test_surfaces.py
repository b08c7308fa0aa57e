"""Closed surfaces against spheres and boxes known by formula, on oblique anisotropic grids."""

import numpy as np
import pytest
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.placement import matrix_from_affine
from SegmentationAILib.scene.segmentation_node import node_from_labelmap
from SegmentationAILib.scene.surfaces import create_surfaces

from phantoms import SPHERE_CENTER_RAS, SPHERE_RADIUS_MM, grid_around, rotation, sphere_mask

HANDED = [(-1, -1, 1), (1, -1, 1)]


@pytest.fixture(scope="module")
def a_slicer():
    return headless_slicer()


def a_node(a_slicer, voxels, affine, values=(1,)):
    labels = tuple(Label(value, f"s{value}", segment_id=f"s{value}") for value in values)
    layers = voxels if isinstance(voxels, tuple) else (voxels,)
    return node_from_labelmap(Labelmap(layers, labels, affine), a_slicer.scene, None, "S")


def surface_of(node, identifier):
    return node.GetSegmentation().GetSegment(identifier).GetRepresentation("Closed surface")


def points_of(surface):
    return vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64)


def open_edges(surface):
    edges = vtk.vtkFeatureEdges()
    edges.SetInputData(surface)
    edges.FeatureEdgesOff()
    edges.ManifoldEdgesOff()
    edges.Update()
    return edges.GetOutput().GetNumberOfCells()


def signed_volume(surface):
    """Positive when triangles are counterclockwise seen from outside (divergence theorem)."""
    points = points_of(surface)
    points -= points.mean(0)
    corners = vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    a, b, c = (points[corners[:, n]] for n in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def distance_in_voxels(surface, grid):
    """Distances of points from the sphere, in steps of the grid along its normal."""
    offsets = points_of(surface) - SPHERE_CENTER_RAS
    distance = np.linalg.norm(offsets, axis=1)
    normals = offsets / distance[:, None]
    steps = np.linalg.norm(np.linalg.solve(grid.affine[:3, :3], normals.T), axis=0)
    return (distance - SPHERE_RADIUS_MM) * steps


@pytest.mark.parametrize("flips", HANDED)
@pytest.mark.parametrize("through_file", [False, True])
def test_the_surface_of_a_sphere_is_within_a_tenth_of_a_voxel(
    a_slicer, tmp_path, flips, through_file
):
    grid = grid_around(SPHERE_CENTER_RAS, flips=flips)
    node = a_node(a_slicer, sphere_mask(grid).astype(np.uint8), grid.affine)
    if through_file:
        storage = node.CreateDefaultStorageNode()
        a_slicer.scene.AddNode(storage)
        storage.SetFileName(str(tmp_path / "sphere.seg.nrrd"))
        assert storage.WriteData(node)
        node = a_slicer.segmentations.LoadSegmentationFromFile(storage.GetFileName(), True, "S")
    create_surfaces(node)
    surface = surface_of(node, "s1")
    distance = distance_in_voxels(surface, grid)
    assert np.abs(distance).mean() < 0.1
    assert abs(distance.mean()) < 0.02, "smoothing has shrunk the sphere"
    assert np.abs(distance).max() < 0.5
    truth = 4 / 3 * np.pi * SPHERE_RADIUS_MM**3
    assert signed_volume(surface) == pytest.approx(truth, rel=0.015)
    assert open_edges(surface) == 0


@pytest.mark.parametrize("flips", HANDED)
def test_normals_point_outwards(a_slicer, flips):
    grid = grid_around(SPHERE_CENTER_RAS, flips=flips)
    node = a_node(a_slicer, sphere_mask(grid).astype(np.uint8), grid.affine)
    create_surfaces(node)
    surface = surface_of(node, "s1")
    outward = points_of(surface) - SPHERE_CENTER_RAS
    outward /= np.linalg.norm(outward, axis=1)[:, None]
    normals = vtk_to_numpy(surface.GetPointData().GetNormals())
    assert (outward * normals).sum(1).min() > 0.8


@pytest.mark.parametrize("flips", HANDED)
def test_without_smoothing_a_box_has_exactly_the_volume_of_its_voxels(a_slicer, flips):
    grid = grid_around((3, 4, 5), (9, 8, 7), flips=flips)
    voxels = np.zeros(grid.shape, np.uint8)
    voxels[2:6, 1:5, 3:6] = 1
    node = a_node(a_slicer, voxels, grid.affine)
    create_surfaces(node, is_smoothed=False)
    surface = surface_of(node, "s1")
    expected = 4 * 4 * 3 * grid.voxel_volume_ml * 1000
    assert signed_volume(surface) == pytest.approx(expected, rel=1e-4)
    # Surface nets have no points at corners of the box but one per cell around it.
    ijk = grid.ijk_from_ras(points_of(surface))
    np.testing.assert_allclose(ijk.min(0), (1.5, 0.5, 2.5), atol=1e-4)
    np.testing.assert_allclose(ijk.max(0), (5.5, 4.5, 5.5), atol=1e-4)


def test_segments_at_the_border_of_the_volume_are_closed(a_slicer):
    grid = grid_around((3, 4, 5), (9, 8, 7))
    node = a_node(a_slicer, np.ones(grid.shape, np.uint8), grid.affine)
    create_surfaces(node, is_smoothed=False)
    surface = surface_of(node, "s1")
    assert open_edges(surface) == 0
    assert signed_volume(surface) == pytest.approx(
        9 * 8 * 7 * grid.voxel_volume_ml * 1000, rel=1e-4
    )


def test_neighbors_meet_without_gap_or_overlap(a_slicer):
    grid = grid_around((3, 4, 5), (16, 14, 12))
    voxels = np.zeros(grid.shape, np.uint16)
    voxels[3:8, 3:11, 3:9] = 3
    voxels[8:13, 3:11, 3:9] = 700
    node = a_node(a_slicer, voxels, grid.affine, (3, 700))
    create_surfaces(node)
    both = [points_of(surface_of(node, name)) for name in ("s3", "s700")]
    shared = {tuple(p) for p in both[0]} & {tuple(p) for p in both[1]}
    # The common wall is 8 x 6 faces, hence 9 x 7 points.
    assert len(shared) == 9 * 7
    assert all(open_edges(surface_of(node, name)) == 0 for name in ("s3", "s700"))


def test_every_segment_gets_a_surface_and_slicer_knows_it(a_slicer):
    grid = grid_around((3, 4, 5), (9, 8, 7))
    first, second = np.zeros((2, *grid.shape), np.uint8)
    first[2:5, 2:5, 2:5] = 1
    second[3:7, 3:7, 3:6] = 1
    labels = (
        Label(1, "a", segment_id="a"),
        Label(1, "b", segment_id="b", layer=1),
        Label(9, "absent", segment_id="absent"),
    )
    labelmap = Labelmap((first, second), labels, grid.affine)
    node = node_from_labelmap(labelmap, a_slicer.scene, None, "S")
    create_surfaces(node)
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")
    assert surface_of(node, "a").GetNumberOfPolys() > 0
    assert surface_of(node, "b").GetNumberOfPolys() > 0
    assert surface_of(node, "absent").GetNumberOfPolys() == 0
    assert node.GetDisplayNode().GetDisplayRepresentationName3D() == "Closed surface"


def test_a_node_without_segments_stays_as_it_is(a_slicer):
    node = a_node(a_slicer, np.zeros((3, 3, 3), np.uint8), np.eye(4), ())
    create_surfaces(node)
    assert node.GetSegmentation().GetNumberOfSegments() == 0


def test_under_a_parent_transform_the_surface_moves_with_its_segment(a_slicer):
    grid = grid_around(SPHERE_CENTER_RAS)
    node = a_node(a_slicer, sphere_mask(grid).astype(np.uint8), grid.affine)
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = rotation(10, 20, -30), (5, -6, 7)
    transform = a_slicer.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    transform.SetMatrixTransformToParent(matrix_from_affine(motion))
    node.SetAndObserveTransformNodeID(transform.GetID())
    create_surfaces(node)
    node.HardenTransform()
    center = np.array(surface_of(node, "s1").GetBounds()).reshape(3, 2).mean(1)
    expected = (motion @ [*SPHERE_CENTER_RAS, 1])[:3]
    np.testing.assert_allclose(center, expected, atol=0.25)
