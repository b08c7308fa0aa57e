import math

import numpy as np
import pytest
import vtk

from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.segmentation_node import node_from_labelmap
from SegmentationAILib.scene.surface_areas import areas_cm2
from SegmentationAILib.scene.surfaces import CLOSED_SURFACE, create_surfaces

from phantoms import SPHERE_RADIUS_MM, grid_around, sphere_mask

GRID = grid_around((12.0, -7.0, 20.0), (60, 52, 34))


@pytest.fixture
def a_labelmap():
    """A sphere, a box against it in the same layer, and a small sphere in another layer."""
    layer = np.zeros(GRID.shape, np.uint16, order="F")
    layer[2:9, 3:20, 5:30] = 4
    layer[sphere_mask(GRID)] = 300
    other = np.zeros(GRID.shape, np.uint8, order="F")
    other[sphere_mask(GRID, radius_mm=9.0)] = 1
    labels = (
        Label(300, "Sphere", segment_id="a"),
        Label(4, "Box", segment_id="b"),
        Label(1, "Inner", layer=1, segment_id="c"),
        Label(9, "None", segment_id="d"),
    )
    return Labelmap((layer, other), labels, GRID.affine)


def test_the_areas_of_spheres_are_those_of_the_formula(a_labelmap):
    found = areas_cm2(a_labelmap)
    assert found["a"] == pytest.approx(4 * math.pi * SPHERE_RADIUS_MM**2 / 100, rel=0.03)
    assert found["c"] == pytest.approx(4 * math.pi * 81 / 100, rel=0.04)
    assert "d" not in found
    assert (
        areas_cm2(Labelmap((a_labelmap.layers[0] * 0,), a_labelmap.labels[:2], GRID.affine)) == {}
    )


def test_the_areas_are_those_of_the_surfaces_that_are_shown(a_labelmap):
    headless = headless_slicer()
    node = node_from_labelmap(a_labelmap, headless.scene, None, "Result")
    create_surfaces(node)
    for segment_id, area in areas_cm2(a_labelmap).items():
        shown = vtk.vtkMassProperties()
        segment = node.GetSegmentation().GetSegment(segment_id)
        shown.SetInputData(segment.GetRepresentation(CLOSED_SURFACE))
        assert area == pytest.approx(shown.GetSurfaceArea() / 100, rel=1e-3)
