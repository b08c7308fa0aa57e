"""The time spent on a case: work counts, pauses do not."""

import pytest

from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.work_clock import IDLE_SECONDS, WorkClock


@pytest.fixture
def a_clock():
    """A clock whose time is set by hand, on a scene with a slice view and a segmentation."""
    headless = headless_slicer()
    scene = headless.scene
    now = [500.0]
    clock = WorkClock(scene, lambda: now[0])
    view = scene.AddNewNodeByClass("vtkMRMLSliceNode")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    clock.start(node)
    clock.view, clock.node, clock.hand = view, node, now
    yield clock
    clock.stop()
    del headless


def test_scrolling_and_drawing_count_from_one_to_the_next(a_clock):
    a_clock.hand[0] += 20.0
    a_clock.view.Modified()
    a_clock.hand[0] += 50.0
    a_clock.node.GetSegmentation().AddEmptySegment("a")
    assert a_clock.take() == pytest.approx(70.0)
    assert a_clock.take() == 0.0


def test_a_pause_is_not_counted_and_work_after_it_is(a_clock):
    a_clock.hand[0] += IDLE_SECONDS + 1
    a_clock.view.Modified()
    a_clock.hand[0] += 10.0
    assert a_clock.take() == pytest.approx(10.0)


def test_seconds_that_could_not_be_stored_count_with_the_next_ones(a_clock):
    a_clock.hand[0] += 30.0
    a_clock.give_back(a_clock.take())
    a_clock.hand[0] += 5.0
    assert a_clock.take() == pytest.approx(35.0)


def test_a_stopped_clock_hears_nothing(a_clock):
    a_clock.hand[0] += 30.0
    a_clock.stop()
    a_clock.hand[0] += 30.0
    a_clock.view.Modified()
    assert a_clock.take() == pytest.approx(30.0)
