"""No correction is lost: edits are journaled, and come back after the host was killed."""

import itertools
import mmap
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import slicer
from journaled_edits import GRID, NAMES, masks_after

from SegmentationAILib.core.errors import FileFormatError
from SegmentationAILib.core.journal import Journal, Record, abandoned_journals
from SegmentationAILib.core.labelmap import Label, Labelmap, Provenance
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.commit import commit, finished
from SegmentationAILib.scene.journal_keeper import JournalKeeper
from SegmentationAILib.scene.journal_restore import abandoned_work, restore_journal
from SegmentationAILib.scene.placement import matrix_from_affine
from SegmentationAILib.scene.prepared_result import prepared_result
from SegmentationAILib.scene.segment_editors import SegmentEditors
from SegmentationAILib.scene.segment_metadata import tags_of_segment
from SegmentationAILib.scene.segment_protection import set_locked, tag_of
from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap
from SegmentationAILib.scene.segmentation_watch import PREVIEW_ATTRIBUTE
from SegmentationAILib.scene.segments_in_box import all_segments, mask_of_segments
from SegmentationAILib.scene.ticker import PlainTicker
from SegmentationAILib.scene.volume_node import node_from_volume, volume_from_node
from SegmentationAILib.scene.vtk_voxels import scalars_from_voxels

from phantoms import grid_around

SMALL = grid_around((12.0, -7.0, 20.0), (17, 15, 13))
EDITOR = slicer.vtkSlicerSegmentEditorLogic


@pytest.fixture
def a_scene():
    return headless_slicer().scene


@pytest.fixture
def a_ticker():
    return PlainTicker()


@pytest.fixture
def a_keeper(a_scene, a_ticker, tmp_path):
    keeper = JournalKeeper(a_scene, tmp_path / "journals", a_ticker)
    yield keeper
    keeper.close()


def a_volume_node(scene, grid=SMALL):
    return node_from_volume(Volume(np.zeros((1, *grid.shape), np.int16), grid.affine), scene, "CT")


def a_labelmap(seed=0, origin="predicted", grid=SMALL):
    rng = np.random.default_rng(seed)
    voxels = np.asfortranarray(rng.integers(0, 4, grid.shape).astype(np.uint8))
    voxels[:, :2] = 0
    labels = tuple(
        Label(value, f"structure {value}", (value / 8, 0.5, 0.25), tags=(("Note", "a: b"),),
              provenance=Provenance(origin, "some-network", "ab" * 32))
        for value in (1, 2, 3)
    )  # fmt: skip
    return Labelmap((voxels,), labels, grid.affine)


def painted(scene, node, segment_id, mask, editors=None, erases=False):
    """Paint as a person does, with an undo state."""
    logic = (editors or SegmentEditors(scene)).editor_of(node)
    logic.SaveStateForUndo()
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*mask.shape)
    image.GetPointData().SetScalars(scalars_from_voxels(np.asfortranarray(mask).astype("u1")[None]))
    image.SetImageToWorldMatrix(matrix_from_affine(SMALL.affine))
    mode = EDITOR.ModificationModeRemove if erases else EDITOR.ModificationModeAdd
    logic.ModifySegmentByLabelmap(node, segment_id, image, mode, False, False)
    return logic


def a_box(i, j, k):
    mask = np.zeros(SMALL.shape, bool)
    mask[slice(*i), slice(*j), slice(*k)] = True
    return mask


def facts_of(node, grid=SMALL):
    """IDs, names, colors, tags and voxels of all segments."""
    segmentation = node.GetSegmentation()
    facts = []
    for identifier in all_segments(segmentation):
        segment = segmentation.GetSegment(identifier)
        mask = mask_of_segments(segmentation, [identifier], grid, resample=False)
        color = tuple(segment.GetColor())
        tags = sorted(tags_of_segment(segment).items())
        facts.append((identifier, segment.GetName(), color, tags, mask.tobytes()))
    return facts


def restored_elsewhere(keeper):
    """What another session brings back from the journal as it is on the disk now."""
    other = headless_slicer().scene
    (node,), _ = restore_journal(keeper.journal.path, other)
    return node


def test_an_edited_segmentation_comes_back_with_every_field(a_scene, a_keeper, a_ticker):
    node = node_from_labelmap(a_labelmap(), a_scene, a_volume_node(a_scene), "Result")
    a_ticker.turn()
    painted(a_scene, node, "Segment_2", a_box((2, 9), (0, 6), (1, 4)))
    a_ticker.turn()
    painted(a_scene, node, "Segment_1", a_box((4, 12), (3, 9), (1, 11)), erases=True)
    segmentation = node.GetSegmentation()
    segmentation.GetSegment("Segment_3").SetName("Tumor — neu")
    segmentation.GetSegment("Segment_3").SetColor(0.1, 0.9, 0.3)
    set_locked(segmentation.GetSegment("Segment_1"), True)
    segmentation.AddEmptySegment("mine", "drawn by hand", (1, 0, 0))
    a_ticker.turn()
    painted(a_scene, node, "mine", a_box((0, 17), (14, 15), (12, 13)))
    segmentation.SetSegmentIndex("mine", 0)
    a_ticker.turn()
    assert facts_of(restored_elsewhere(a_keeper)) == facts_of(node)


def test_edits_of_one_turn_are_written_together_and_a_stroke_is_small(a_scene, a_keeper, a_ticker):
    grid = grid_around((0, 0, 0), (200, 180, 60))
    node = node_from_labelmap(
        a_labelmap(grid=grid), a_scene, a_volume_node(a_scene, grid), "Result"
    )
    a_ticker.turn()
    size = a_keeper.journal.size_bytes
    logic = SegmentEditors(a_scene).editor_of(node)
    for n in range(20):
        image = slicer.vtkOrientedImageData()
        image.SetExtent(50 + n, 55 + n, 60, 66, 30, 30)
        image.AllocateScalars(3, 1)
        image.GetPointData().GetScalars().Fill(1)
        image.SetImageToWorldMatrix(matrix_from_affine(grid.affine))
        mode = EDITOR.ModificationModeAdd
        logic.ModifySegmentByLabelmap(node, "Segment_2", image, mode, False, False)
    assert a_keeper.journal.size_bytes == size
    a_ticker.turn()
    assert 0 < a_keeper.journal.size_bytes - size < 3000
    assert facts_of(restored_elsewhere(a_keeper), grid) == facts_of(node, grid)


def test_removed_segments_and_segmentations_stay_removed(a_scene, a_keeper, a_ticker):
    node = node_from_labelmap(a_labelmap(), a_scene, None, "Result")
    other = node_from_labelmap(a_labelmap(1), a_scene, None, "Other")
    a_ticker.turn()
    node.GetSegmentation().RemoveSegment("Segment_2")
    a_scene.RemoveNode(other)
    a_ticker.turn()
    back = restored_elsewhere(a_keeper)
    assert back.GetName() == "Result"
    assert all_segments(back.GetSegmentation()) == ["Segment_1", "Segment_3"]


def test_what_a_file_holds_is_not_journaled_until_it_is_edited(a_scene, a_ticker, tmp_path):
    node = node_from_labelmap(a_labelmap(), a_scene, None, "Loaded")
    keeper = JournalKeeper(a_scene, tmp_path, a_ticker)
    a_ticker.turn()
    empty = keeper.journal.size_bytes
    assert abandoned_work(tmp_path) == []
    painted(a_scene, node, "Segment_2", a_box((2, 9), (0, 6), (1, 4)))
    a_ticker.turn()
    assert keeper.journal.size_bytes > empty
    assert facts_of(restored_elsewhere(keeper)) == facts_of(node)
    keeper.close()


def test_saving_the_scene_empties_the_journal_but_for_what_was_left_out(
    a_scene, a_keeper, a_ticker, tmp_path
):
    saved = node_from_labelmap(a_labelmap(), a_scene, None, "Saved")
    left_out = node_from_labelmap(a_labelmap(1), a_scene, None, "Left out")
    a_ticker.turn()
    storage = saved.CreateDefaultStorageNode()
    a_scene.AddNode(storage)
    saved.SetAndObserveStorageNodeID(storage.GetID())
    storage.SetFileName(str(tmp_path / "saved.seg.nrrd"))
    assert storage.WriteData(saved)
    a_scene.InvokeEvent(a_scene.EndSaveEvent)
    back = restored_elsewhere(a_keeper)
    assert back.GetName() == "Left out"
    assert facts_of(back) == facts_of(left_out)
    painted(a_scene, saved, "Segment_2", a_box((2, 9), (0, 6), (1, 4)))
    a_ticker.turn()
    nodes, _ = restore_journal(a_keeper.journal.path, headless_slicer().scene)
    found = {node.GetName(): facts_of(node) for node in nodes}
    assert found["Saved"] == facts_of(saved)


def test_closing_the_scene_leaves_nothing_to_restore(a_scene, a_keeper, a_ticker):
    node_from_labelmap(a_labelmap(), a_scene, None, "Result")
    a_ticker.turn()
    a_scene.Clear(False)
    a_ticker.turn()
    assert restore_journal(a_keeper.journal.path, headless_slicer().scene) == ([], ())


def test_a_preview_is_not_journaled(a_scene, a_keeper, a_ticker):
    a_ticker.turn()
    empty = a_keeper.journal.size_bytes
    node = slicer.vtkMRMLSegmentationNode()
    node.SetAttribute(PREVIEW_ATTRIBUTE, "1")
    a_scene.AddNode(node)
    node.GetSegmentation().AddEmptySegment("a", "a")
    a_ticker.turn()
    assert a_keeper.journal.size_bytes == empty


def test_a_correction_is_called_so_a_result_is_not_and_undo_says_predicted_again(
    a_scene, a_keeper, a_ticker
):
    volume_node = a_volume_node(a_scene)
    node = node_from_labelmap(a_labelmap(), a_scene, volume_node, "Result")
    editors = SegmentEditors(a_scene)
    a_ticker.turn()
    result = prepared_result(a_labelmap(5))
    steps = a_keeper.result_written(node, commit(result, volume_node, editors, "merge", node))
    next(steps)
    a_ticker.turn()
    finished(steps)
    a_ticker.turn()

    def origin(identifier):
        return tag_of(node.GetSegmentation().GetSegment(identifier), "SegmentationAI.Origin")

    assert [origin(f"Segment_{n}") for n in (1, 2, 3)] == ["predicted"] * 3
    logic = painted(a_scene, node, "Segment_2", a_box((0, 9), (0, 2), (1, 4)), editors)
    a_ticker.turn()
    assert [origin(f"Segment_{n}") for n in (1, 2, 3)] == ["predicted", "corrected", "predicted"]
    logic.Undo()
    a_ticker.turn()
    assert origin("Segment_2") == "predicted"
    assert logic.CanRedo()
    logic.Redo()
    a_ticker.turn()
    assert origin("Segment_2") == "corrected"
    assert facts_of(restored_elsewhere(a_keeper)) == facts_of(node)


def test_a_node_that_was_saved_gets_the_journals_state_and_its_scan(
    a_scene, a_keeper, a_ticker, tmp_path
):
    volume_node = a_volume_node(a_scene)
    node = node_from_labelmap(a_labelmap(), a_scene, volume_node, "Result")
    a_ticker.turn()
    painted(a_scene, node, "Segment_2", a_box((2, 9), (0, 6), (1, 4)))
    a_ticker.turn()
    later = headless_slicer().scene
    scan = a_volume_node(later)
    old = node_from_labelmap(a_labelmap(), later, scan, "Result")
    assert (old.GetID(), scan.GetID()) == (node.GetID(), volume_node.GetID())
    (back,), notes = restore_journal(a_keeper.journal.path, later)
    assert back is old
    assert notes == ()
    assert facts_of(back) == facts_of(node)
    assert back.GetNodeReference(back.GetReferenceImageGeometryReferenceRole()) is scan
    np.testing.assert_array_equal(
        labelmap_from_node(back, scan).layers[0], labelmap_from_node(node, volume_node).layers[0]
    )


def test_restoring_leaves_a_segmentation_alone_that_this_session_has_worked_on(
    a_scene, a_keeper, a_ticker, tmp_path
):
    """After a crash the same scan and network give the same node ID and name again."""
    node = node_from_labelmap(a_labelmap(), a_scene, a_volume_node(a_scene), "Result")
    painted(a_scene, node, "Segment_2", a_box((2, 9), (0, 6), (1, 4)))
    a_ticker.turn()
    later = headless_slicer().scene
    keeper = JournalKeeper(later, tmp_path / "later", PlainTicker())
    newer = node_from_labelmap(a_labelmap(1), later, a_volume_node(later), "Result")
    assert newer.GetID() == node.GetID()
    painted(later, newer, "Segment_1", a_box((0, 17), (0, 2), (0, 13)))
    before = facts_of(newer)
    (back,), notes = keeper.restore(a_keeper.journal.path)
    assert facts_of(back) == facts_of(node)
    assert back is not newer
    assert [fact[4] for fact in facts_of(newer)] == [fact[4] for fact in before]
    assert back.GetName() == "Result (restored)"
    assert "'Result (restored)'" in notes[0]
    keeper.close()


def test_without_its_transform_the_voxels_lie_where_they_lay(a_scene, a_keeper, a_ticker):
    transform = a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    move = np.diag([1.0, 1, 1, 1])
    move[:3, 3] = 5, -3, 2
    transform.SetMatrixTransformToParent(matrix_from_affine(move))
    node = node_from_labelmap(a_labelmap(), a_scene, None, "Result")
    node.SetAndObserveTransformNodeID(transform.GetID())
    node.GetSegmentation().GetNthSegment(0).SetName("renamed")
    a_ticker.turn()
    other = headless_slicer().scene
    (back,), _ = restore_journal(a_keeper.journal.path, other)
    moved = Volume(np.zeros((1, *SMALL.shape), np.int16), move @ SMALL.affine)
    found = labelmap_from_node(back, node_from_volume(moved, other, "moved"))
    np.testing.assert_array_equal(found.layers[0], a_labelmap().layers[0])


def test_a_transform_of_the_same_id_that_is_another_one_moves_nothing(a_scene, a_keeper, a_ticker):
    """IDs begin anew in every session; a saved scene's own transform is told by where it leads."""
    transform, move = a_transform(a_scene, (5, -3, 2))
    node = node_from_labelmap(a_labelmap(), a_scene, None, "Result")
    node.SetAndObserveTransformNodeID(transform.GetID())
    node.GetSegmentation().GetNthSegment(0).SetName("renamed")
    a_ticker.turn()
    moved = Volume(np.zeros((1, *SMALL.shape), np.int16), move @ SMALL.affine)
    for translation, is_taken in (((5, -3, 2), True), ((0, 40, 0), False)):
        later = headless_slicer().scene
        other, _ = a_transform(later, translation)
        assert other.GetID() == transform.GetID()
        (back,), _ = restore_journal(a_keeper.journal.path, later)
        assert (back.GetParentTransformNode() is other) == is_taken
        found = labelmap_from_node(back, node_from_volume(moved, later, "moved"))
        np.testing.assert_array_equal(found.layers[0], a_labelmap().layers[0])


def test_restored_segments_follow_their_scan_under_the_transform_of_the_saved_scene(
    a_scene, a_keeper, a_ticker
):
    transform, _ = a_transform(a_scene, (5, -3, 2))
    scan = a_volume_node(a_scene)
    scan.SetAndObserveTransformNodeID(transform.GetID())
    world = Labelmap(a_labelmap().layers, a_labelmap().labels, volume_from_node(scan).affine)
    node_from_labelmap(world, a_scene, scan, "Result")
    a_ticker.turn()
    later = headless_slicer().scene
    as_saved, _ = a_transform(later, (1, 1, 0))
    scan = a_volume_node(later)
    scan.SetAndObserveTransformNodeID(as_saved.GetID())
    (back,), _ = restore_journal(a_keeper.journal.path, later)
    np.testing.assert_array_equal(labelmap_from_node(back, scan).layers[0], a_labelmap().layers[0])


def a_transform(scene, translation):
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    move = np.eye(4)
    move[:3, 3] = translation
    node.SetMatrixTransformToParent(matrix_from_affine(move))
    return node, move


def test_a_journal_that_has_grown_is_rewritten_and_means_the_same(a_scene, a_ticker, tmp_path):
    keeper = JournalKeeper(a_scene, tmp_path, a_ticker, largest_bytes=6000)
    node = node_from_labelmap(a_labelmap(), a_scene, None, "Result")
    sizes = []
    for n in range(30):
        painted(a_scene, node, "Segment_2", a_labelmap(n).layers[0] == 2, erases=n % 2 == 0)
        a_ticker.turn()
        sizes.append(keeper.journal.size_bytes)
    assert max(sizes) < 6000 + 1500
    assert any(b < a for a, b in itertools.pairwise(sizes))
    assert facts_of(restored_elsewhere(keeper)) == facts_of(node)
    keeper.close()


def test_a_full_disk_is_told_and_the_next_write_makes_up_for_it(a_scene, a_ticker, tmp_path):
    said = []
    keeper = JournalKeeper(a_scene, tmp_path, a_ticker, on_trouble=said.append)
    node = node_from_labelmap(a_labelmap(), a_scene, None, "Result")
    a_ticker.turn()
    append = keeper.journal.append
    keeper.journal.append = lambda records: (_ for _ in ()).throw(OSError(28, "No space left"))
    painted(a_scene, node, "Segment_2", a_box((2, 9), (0, 6), (1, 4)))
    a_ticker.turn()
    assert "No space left" in said[0]
    assert "save the scene" in said[0]
    keeper.journal.append = append
    node.GetSegmentation().GetSegment("Segment_1").SetName("again")
    a_ticker.turn()
    assert facts_of(restored_elsewhere(keeper)) == facts_of(node)
    keeper.close()


def test_a_journal_stays_when_the_disk_refuses_what_it_brought_back(
    a_scene, a_keeper, a_ticker, tmp_path, monkeypatch
):
    node_from_labelmap(a_labelmap(), a_scene, None, "Result")
    a_ticker.turn()
    later = headless_slicer().scene
    other = JournalKeeper(later, tmp_path / "others", PlainTicker(), lambda sentence: None)
    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "fsync", refuse)
        other.restore(a_keeper.journal.path)
    assert a_keeper.journal.path.exists()
    other.restore(a_keeper.journal.path)
    assert not a_keeper.journal.path.exists()
    other.close()


def refuse(handle):
    raise OSError(28, "No space left on device")


def test_an_unknown_record_is_refused_by_its_name(a_scene, tmp_path):
    journal = Journal(tmp_path)
    journal.append([Record("future", {"node": "n", "segment": "s"})])
    with pytest.raises(FileFormatError, match="'future'"):
        restore_journal(journal.path, a_scene)
    journal.close()


def kill_and_restore(folder, seed, rng):
    """Kill an editing process; return whether that was inside a write."""
    folder.mkdir()
    phase_file = folder / "phase"
    phase_file.write_bytes(b"\0")
    script = Path(__file__).resolve().parents[1] / "journaled_edits.py"
    arguments = [sys.executable, str(script), str(folder / "journals"), str(phase_file), str(seed)]
    paths = os.pathsep.join(path for path in sys.path if path)
    child = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    lines = [child.stdout.readline()]
    with phase_file.open("rb") as file:
        phase = mmap.mmap(file.fileno(), 1, access=mmap.ACCESS_READ)
        time.sleep(rng.uniform(0.05, 0.6))
        deadline = time.monotonic() + 10
        while phase[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.0002)
        os.kill(child.pid, signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        child.wait()
        inside = phase[0] == 1
    lines += child.stdout.read().splitlines()
    child.stdout.close()
    returned = max(int(line) for line in lines if line.strip())
    (path,) = abandoned_journals(folder / "journals")
    (node,), _ = restore_journal(path, headless_slicer().scene)
    found = {
        name: mask_of_segments(node.GetSegmentation(), [f"id of {name}"], GRID) for name in NAMES
    }
    matches = [
        all((found[name] == mask).all() for name, mask in masks_after(seed, edits).items())
        for edits in (returned, returned + 1)
    ]
    assert any(matches), f"seed {seed}: lost an edit before number {returned}, inside: {inside}"
    return inside


def test_a_killed_host_loses_no_edit_whose_journal_write_had_returned(tmp_path):
    rng = random.Random(11)
    inside = [kill_and_restore(tmp_path / str(seed), seed, rng) for seed in range(5)]
    assert sum(inside) >= 3, f"{sum(inside)} of 5 kills fell inside a write"


@pytest.mark.slow
def test_fifty_kills_lose_no_edit(tmp_path):
    rng = random.Random(12)
    inside = [kill_and_restore(tmp_path / str(seed), seed, rng) for seed in range(100, 150)]
    assert sum(inside) >= 25, f"{sum(inside)} of 50 kills fell inside a write"
