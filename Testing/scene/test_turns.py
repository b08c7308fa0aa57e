"""The event loop is kept waiting by bounded work alone: nothing of this file asks for the time."""

import threading

import numpy as np
import pytest
import slicer

from SegmentationAILib.core.labelmap import Label, Labelmap, Provenance
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene import (
    image_copies,
    journaled_node,
    measure_follower,
    painted_layers,
    surface_renewal,
)
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.commit import commit
from SegmentationAILib.scene.image_copies import copied_in_turns, stamp_of
from SegmentationAILib.scene.journal_keeper import JournalKeeper
from SegmentationAILib.scene.journal_restore import restore_journal
from SegmentationAILib.scene.measure_follower import MeasureFollower
from SegmentationAILib.scene.placement import matrix_from_affine
from SegmentationAILib.scene.prepared_result import prepared_result
from SegmentationAILib.scene.segment_editors import SegmentEditors
from SegmentationAILib.scene.segment_protection import set_locked
from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap
from SegmentationAILib.scene.surface_renewal import renew_surfaces
from SegmentationAILib.scene.surfaces import CLOSED_SURFACE, surfaces_of_image
from SegmentationAILib.scene.ticker import PlainTicker
from SegmentationAILib.scene.turns import run_to_end
from SegmentationAILib.scene.volume_node import node_from_volume
from SegmentationAILib.scene.vtk_voxels import scalars_from_voxels, voxels_from_image

from phantoms import grid_around

GRID = grid_around((12.0, -7.0, 20.0), (40, 36, 30))
MANY = grid_around((0.0, 0.0, 0.0), (256, 256, 130))


def a_labelmap(seed=0, grid=GRID):
    rng = np.random.default_rng(seed)
    voxels = np.zeros(grid.shape, np.uint8, order="F")
    for value in range(1, 9):
        start = rng.integers(0, 18, 3)
        i, j, k = (slice(int(a), int(a) + 12) for a in start)
        voxels[i, j, k] = value
    labels = tuple(
        Label(v, f"structure {v}", provenance=Provenance("predicted", "net")) for v in range(1, 9)
    )
    return Labelmap((voxels,), labels, grid.affine)


@pytest.fixture
def a_scene():
    return headless_slicer().scene


@pytest.fixture
def a_ticker():
    return PlainTicker()


@pytest.fixture
def a_scan(a_scene):
    voxels = np.arange(np.prod(GRID.shape), dtype=np.int16).reshape(GRID.shape)
    return node_from_volume(Volume(voxels[None], GRID.affine), a_scene, "CT")


@pytest.fixture
def with_threads(monkeypatch):
    """No work is small enough to be done at once, and a few slices are copied in a step."""
    monkeypatch.setattr("SegmentationAILib.scene.turns.FEW_VOXELS", 0)
    monkeypatch.setattr(image_copies, "BYTES_PER_STEP", 40 * 36 * 3)


def touched(node, values=3):
    """Paint a corner of the first segment in place."""
    image = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    voxels_from_image(image)[0][:2, :2, -2:] = values
    image.Modified()


def test_a_step_copies_no_more_than_its_share(a_scene):
    voxels = np.ones(MANY.shape, np.uint8, order="F")
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*MANY.shape)
    image.GetPointData().SetScalars(scalars_from_voxels(voxels[None]))
    image.SetImageToWorldMatrix(matrix_from_affine(MANY.affine))
    steps = copied_in_turns(image)
    count = 0
    before = None
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            copy = stop.value
            break
        count += 1
        done = np.count_nonzero(steps.gi_yieldfrom.gi_frame.f_locals["copied"][0, 0] == 1)
        if before is not None:
            assert (done - before) * 256 * 256 <= image_copies.BYTES_PER_STEP
        before = done
    assert count == -(-voxels.size // image_copies.BYTES_PER_STEP) - 1
    np.testing.assert_array_equal(copy.voxels, voxels)
    assert copy.stamp == stamp_of(image)


@pytest.mark.parametrize("edits", [1, 9])
def test_an_image_that_is_edited_while_it_is_copied_is_copied_anew(
    a_scene, a_scan, with_threads, edits
):
    node = node_from_labelmap(a_labelmap(), a_scene, a_scan, "Result")
    image = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    steps = copied_in_turns(image)
    # Somebody who edits all the time does not keep the copy from its end.
    for n in range(min(edits, image_copies.MOST_RESTARTS)):
        next(steps)
        touched(node, n + 1)
    if edits > image_copies.MOST_RESTARTS:
        with pytest.raises(StopIteration) as end:
            next(steps)
        copy = end.value.value
    else:
        copy = run_to_end(steps)
    np.testing.assert_array_equal(copy.voxels, voxels_from_image(image)[0])


@pytest.fixture
def the_threads(monkeypatch, with_threads):
    """Names of what looked at whole arrays, and whether the scene's thread did."""
    seen = []

    def watched(module, name):
        function = getattr(module, name)

        def call(*arguments, **named):
            seen.append((name, threading.current_thread() is threading.main_thread()))
            return function(*arguments, **named)

        monkeypatch.setattr(module, name, call)

    watched(journaled_node, "encoded")
    watched(journaled_node, "_difference")
    watched(painted_layers.PaintedLayers, "paint")
    watched(measure_follower, "measured")
    watched(measure_follower, "labelmap_of_segmentation")
    watched(image_copies, "boxes_of_values")
    return seen


def test_only_other_threads_look_at_whole_arrays(a_scene, a_scan, a_ticker, the_threads, tmp_path):
    keeper = JournalKeeper(a_scene, tmp_path, a_ticker)
    node = node_from_labelmap(a_labelmap(), a_scene, a_scan, "Result")
    a_ticker.run_until(lambda: keeper.journal.size_bytes > 1000)
    editors, tables = SegmentEditors(a_scene), []
    result = prepared_result(a_labelmap(1))
    run_to_end(keeper.result_written(node, commit(result, a_scan, editors, "replace", node)))
    follower = MeasureFollower(a_ticker)
    follower.follow(node, a_scan, tables.append)
    a_ticker.run_until(lambda: tables)
    follower.follow(None, None, tables.append)
    names = {name for name, _ in the_threads}
    assert names == {
        "encoded", "_difference", "paint", "measured", "labelmap_of_segmentation",
        "boxes_of_values",
    }  # fmt: skip
    assert not any(is_main for _, is_main in the_threads)
    keeper.close()


def test_what_the_steps_wrote_is_what_one_go_writes(a_scene, a_scan, a_ticker, tmp_path, request):
    by_turns = JournalKeeper(a_scene, tmp_path / "a", a_ticker)
    node = node_from_labelmap(a_labelmap(), a_scene, a_scan, "Result")
    request.getfixturevalue("with_threads")
    touched(node, 5)
    a_ticker.run_until(lambda: not by_turns._touched and by_turns._steps is None)
    other = headless_slicer().scene
    (back,), _ = restore_journal(by_turns.journal.path, other)
    scan = node_from_volume(Volume(np.zeros((1, *GRID.shape), "i2"), GRID.affine), other, "CT")
    ours, theirs = labelmap_from_node(node, a_scan), labelmap_from_node(back, scan)
    for one, two in zip(ours.labels, theirs.labels, strict=True):
        assert (one.name, one.segment_id) == (two.name, two.segment_id)
        np.testing.assert_array_equal(ours.mask(one), theirs.mask(two))
    by_turns.close()


def test_an_edit_while_a_result_is_painted_is_painted_over_not_lost(a_scene, a_scan, with_threads):
    node = node_from_labelmap(a_labelmap(), a_scene, a_scan, "Result")
    mine = np.zeros(GRID.shape, bool)
    mine[:2, :2, -2:] = True
    result = prepared_result(a_labelmap(1))
    assert not (result.labelmap.layers[0][mine]).any()
    steps = commit(result, a_scan, SegmentEditors(a_scene), "merge", node)
    for _ in range(3):
        next(steps)
    touched(node, 3)
    run_to_end(steps)
    found = labelmap_from_node(node, a_scan)
    (label,) = [label for label in found.labels if label.name == "structure 3"]
    assert found.mask(label)[mine].all()


def test_a_lock_set_while_a_result_is_painted_holds(a_scene, a_scan, with_threads):
    node = node_from_labelmap(a_labelmap(), a_scene, a_scan, "Result")
    before = labelmap_from_node(node, a_scan)
    steps = commit(prepared_result(a_labelmap(1)), a_scan, SegmentEditors(a_scene), "replace", node)
    for _ in range(3):
        next(steps)
    set_locked(node.GetSegmentation().GetNthSegment(4), True)
    run_to_end(steps)
    after = labelmap_from_node(node, a_scan)
    np.testing.assert_array_equal(after.mask(after.labels[4]), before.mask(before.labels[4]))


def test_surfaces_wait_for_an_edit_and_for_a_node_that_goes(
    a_scene, a_scan, a_ticker, with_threads, monkeypatch
):
    is_edited = threading.Event()

    def found_after_the_edit(*arguments):
        # On a busy machine the other thread may be done before this one has edited.
        assert is_edited.wait(60)
        return surfaces_of_image(*arguments)

    monkeypatch.setattr(surface_renewal, "surfaces_of_image", found_after_the_edit)
    node = node_from_labelmap(a_labelmap(), a_scene, a_scan, "Result")
    ends = []
    renew_surfaces(node, a_ticker, lambda: ends.append("edited"))
    a_ticker.turn()
    touched(node)
    is_edited.set()
    a_ticker.run_until(lambda: ends)
    assert node.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE)
    renew_surfaces(node, a_ticker, lambda: ends.append("gone"))
    a_ticker.turn()
    a_scene.RemoveNode(node)
    a_ticker.run_until(lambda: len(ends) == 2)
