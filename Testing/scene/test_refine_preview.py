"""A correction in Slicer's own slice view: colors where voxels changed, and gone without a trace.

In a process of its own: OpenGL off the screen has to be chosen before anything is drawn, and a view
that is left with dangling voxels ends its process.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from SegmentationAILib.scene import gl_library

TESTING = Path(__file__).resolve().parents[1]
VIEW = """
import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy
from phantoms import sphere_volume
from SegmentationAILib.core.volume import Box
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.gl_library import choose_off_screen_window
from SegmentationAILib.scene.refine_marks import CorrectionMarks
from SegmentationAILib.scene.refine_preview import CORRECTED_COLOR, TAKEN_COLOR, CorrectionPreview
from SegmentationAILib.scene.volume_node import node_from_volume
choose_off_screen_window()
from trame_slicer.views import NoScheduleRendering, SliceView

headless, volume = headless_slicer(), sphere_volume()
scan = node_from_volume(volume, headless.scene, "Scan")
view = SliceView(headless.scene, headless.application_logic, "Red", NoScheduleRendering())
view.render_window().SetMultiSamples(0)
view.render_window().SetSize(200, 200)
view.update_size(200, 200)
view.set_background_volume_id(scan.GetID())
view.fit_view_to_content()
center = volume.grid.ras_from_ijk(np.array([[29.0, 25.0, 16.0]]))[0]
view.get_view_node().JumpSliceByOffsetting(*center)

def pixels(color):
    view.render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(view.render_window())
    grab.ReadFrontBufferOff()
    grab.ShouldRerenderOff()
    grab.Update()
    seen = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()) / 255.0
    apart = np.abs(seen / (seen.max(1, keepdims=True) + 1e-6) - np.array(color) / max(color))
    return int(((apart.max(1) < 0.12) & (seen.max(1) > 0.5)).sum())

start = np.zeros(volume.grid.shape, bool)
start[24:30, 20:30, 12:20] = True
print("nothing", pixels(CORRECTED_COLOR), pixels(TAKEN_COLOR))
preview = CorrectionPreview(scan, start, "Ball")
before = pixels(CORRECTED_COLOR)
box = Box((27, 18, 10), (44, 36, 22))
preview.show(box, np.indices(box.shape)[0] > 5)
print("corrected", pixels(CORRECTED_COLOR) - before, pixels(TAKEN_COLOR))
marks = CorrectionMarks(headless.scene)
marks.show_ring(tuple(center))
print("ring", pixels((0.2, 0.9, 1.0)))
marks.remove()
preview.remove()
print("gone", pixels(CORRECTED_COLOR), pixels(TAKEN_COLOR), pixels((0.2, 0.9, 1.0)))
import sys, os
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def seen():
    missing = gl_library.missing_view_libraries()
    if missing:
        pytest.skip(missing)
    paths = os.pathsep.join([str(TESTING.parent / "SegmentationAI"), str(TESTING)])
    done = subprocess.run(
        [sys.executable, "-c", VIEW], env=os.environ | {"PYTHONPATH": paths},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    rows = (line.split() for line in done.stdout.splitlines())
    return {name: [int(number) for number in numbers] for name, *numbers in rows}


def test_what_changed_and_what_leaves_has_a_color_of_its_own(seen):
    assert seen["nothing"] == [0, 0]
    more, taken = seen["corrected"]
    assert more > 50
    assert taken > 20


def test_the_ring_is_seen_and_everything_goes_again(seen):
    assert seen["ring"][0] > 20
    assert seen["gone"] == [0, 0, 0]
