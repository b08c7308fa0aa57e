"""The smoothing filter on a ring of points, whose averages are known by trigonometry."""

import numpy as np
import pytest
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.surface_smoothing import WEIGHTS, smoothed_points

COUNT = 200
RADIUS_MM = 40.0
CENTER = np.array([100.0, -60.0, 30.0])


@pytest.fixture(scope="module", autouse=True)
def a_slicer():
    return headless_slicer()


def smoothed_ring(waves):
    """Smooth radial waves on a circle; averaging multiplies a wave by the cosine of its step."""
    angles = 2 * np.pi * np.arange(COUNT) / COUNT
    radial = np.stack([np.cos(angles), np.sin(angles), np.zeros(COUNT)], axis=1)
    points = CENTER + (RADIUS_MM + np.cos(waves * angles))[:, None] * radial
    averaged = (np.roll(points, 1, axis=0) + np.roll(points, -1, axis=0)) / 2
    vtk_points = vtk.vtkPoints()
    vtk_points.SetData(numpy_to_vtk(averaged.astype(np.float32), deep=True))
    mesh = vtk.vtkPolyData()
    mesh.SetPoints(vtk_points)
    neighbors = vtk.vtkCellArray()
    for index in range(COUNT):
        neighbors.InsertNextCell(2, [(index - 1) % COUNT, (index + 1) % COUNT])
    offsets = smoothed_points(mesh, neighbors) - CENTER
    return np.linalg.norm(offsets, axis=1) - RADIUS_MM, np.cos(waves * angles)


def test_a_circle_keeps_its_radius():
    deviation, _ = smoothed_ring(waves=0)
    # The wave of 0 is 1 mm on top of the radius. Averaging alone would take 0.14 mm off.
    np.testing.assert_allclose(deviation, 1, atol=1e-3)


def test_a_long_wave_stays():
    deviation, wave = smoothed_ring(waves=4)
    np.testing.assert_allclose(deviation, wave, atol=0.02)


@pytest.mark.parametrize(("waves", "most_left"), [(50, 0.02), (80, 0.2), (100, 0.4)])
def test_short_waves_go(waves, most_left):
    # A hundred waves are a zigzag, which averaging once does not lower at all.
    deviation, _ = smoothed_ring(waves)
    assert np.abs(deviation).max() < most_left


def test_nothing_is_shifted_shrunk_or_turned_inside_out():
    powers = np.arange(1, len(WEIGHTS) + 1)
    assert np.sum(WEIGHTS) == pytest.approx(1, abs=1e-12)
    assert np.dot(powers, WEIGHTS) == pytest.approx(0, abs=1e-12)
    eigenvalues = np.linspace(0, 1, 1001)
    assert (np.array(WEIGHTS) @ eigenvalues ** powers[:, None]).min() > -1e-3
