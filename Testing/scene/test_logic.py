"""From a scan to segments: the queue, previews, and scenes that change while a network runs."""

import random
import time

import numpy as np
import pytest
import slicer
import vtk
from thread_worker import ThreadWorker
from threshold_network import threshold_network_folder

from SegmentationAILib.core.errors import Cancelled, GeometryError, SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap, Provenance
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.jobs import Asked
from SegmentationAILib.scene.journal_keeper import JournalKeeper
from SegmentationAILib.scene.journal_restore import restore_journal
from SegmentationAILib.scene.logic import SegmentationLogic, made_by
from SegmentationAILib.scene.panel_facts import Request
from SegmentationAILib.scene.panel_runs import PanelRuns
from SegmentationAILib.scene.placement import matrix_from_affine
from SegmentationAILib.scene.prepared_runs import PreparedRuns
from SegmentationAILib.scene.segment_editors import EDITOR_TAG
from SegmentationAILib.scene.segment_protection import tag_of
from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap
from SegmentationAILib.scene.surfaces import CLOSED_SURFACE, create_surfaces
from SegmentationAILib.scene.ticker import PlainTicker
from SegmentationAILib.scene.volume_node import node_from_volume
from SegmentationAILib.scene.vtk_voxels import voxels_from_image

from phantoms import SPHERE_CENTER_RAS, grid_around, sphere_mask

GRID = grid_around(SPHERE_CENTER_RAS, (30, 26, 17), spacing=(1.8, 2.6, 5.0))
TRUTH = sphere_mask(GRID)


@pytest.fixture(scope="module")
def a_segmenter(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    threshold_network_folder(home / "networks" / "threshold")
    return open_segmenter("threshold", "cpu", "fp32", NetworkStore(home))


@pytest.fixture
def a_worker(a_segmenter):
    worker = ThreadWorker(a_segmenter)
    yield worker
    worker.gate.set()
    for call in worker.calls:
        call.thread.join(10)


@pytest.fixture
def a_scene():
    return headless_slicer().scene


@pytest.fixture
def a_ticker():
    return PlainTicker()


@pytest.fixture
def a_scan(a_scene):
    return scan(a_scene, "CT")


@pytest.fixture
def a_logic(a_scene, a_worker, a_ticker):
    logic = SegmentationLogic(a_scene, lambda: a_worker, a_ticker)
    yield logic
    logic.close()


def scan(scene, name):
    voxels = np.where(TRUTH, 300, -50).astype(np.int16)
    return node_from_volume(Volume(voxels[None], GRID.affine), scene, name)


class Seen:
    """What a run told."""

    def __init__(self):
        self.ends = []
        self.progress = []

    def on_progress(self, *what):
        self.progress.append(what)

    def on_end(self, run, preview):
        self.ends.append((run, preview))


def started(logic, node, **how):
    seen = Seen()
    how.setdefault("network_id", "threshold")
    run = logic.start(Asked(node, **how), seen.on_progress, seen.on_end)
    return run, seen


def turned_until(ticker, is_done, seconds=20):
    deadline = time.monotonic() + seconds
    ticker.run_until(lambda: is_done() or time.monotonic() > deadline, 0.002)
    assert is_done()


def accepted(logic, ticker, preview, **how):
    ends = []
    logic.accept(preview, lambda done, error: ends.append((done, error)), **how)
    turned_until(ticker, lambda: ends)
    return ends[0]


def segmentations(scene):
    count = scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    return [scene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode") for n in range(count)]


def sphere_of(node, volume_node):
    found = labelmap_from_node(node, volume_node)
    (label,) = [label for label in found.labels if label.name == "Sphere"]
    return found.mask(label)


def all_nodes(scene):
    nodes = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]
    return sorted(node.GetID() for node in nodes if not node.IsA("vtkMRMLSubjectHierarchyNode"))


def test_one_call_from_the_console_finds_the_sphere(a_scene, a_logic, a_scan):
    node = a_logic.segment(a_scan, "threshold")
    overlap = (sphere_of(node, a_scan) & TRUTH).sum() * 2 / (TRUTH.sum() * 2)
    assert overlap > 0.9
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is a_scan
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    items = [hierarchy.GetItemByDataNode(n) for n in (node, a_scan)]
    assert all(items)
    assert hierarchy.GetItemParent(items[0]) == hierarchy.GetItemParent(items[1])
    segment = node.GetSegmentation().GetSegment("Segment_7")
    assert tag_of(segment, "SegmentationAI.Origin") == "predicted"
    (sentence,) = made_by(node)
    assert sentence.startswith("2 segments by 'threshold', weights ")
    with pytest.raises(SegmentationAIError, match="no network 'other'"):
        a_logic.segment(a_scan, "other")


def test_a_preview_shows_the_result_and_discarding_leaves_the_scene_as_it_was(
    a_scene, a_logic, a_ticker, a_scan
):
    before = all_nodes(a_scene)
    run, seen = started(a_logic, a_scan)
    turned_until(a_ticker, lambda: seen.ends)
    assert run.state == "done"
    assert [fraction for fraction, *_ in seen.progress] == sorted(f for f, *_ in seen.progress)
    preview = seen.ends[0][1]
    assert not preview.node.GetSaveWithScene()
    assert sphere_of(preview.node, a_scan).sum() > 0.9 * TRUTH.sum()
    names = [preview.node.GetSegmentation().GetNthSegment(n).GetName() for n in range(2)]
    assert names == ["Sphere", "Never"]
    a_logic.discard(preview)
    assert all_nodes(a_scene) == before


def test_accepting_commits_and_one_undo_takes_it_back(a_scene, a_logic, a_ticker, a_scan):
    _, seen = started(a_logic, a_scan)
    turned_until(a_ticker, lambda: seen.ends)
    shown = sphere_of(seen.ends[0][1].node, a_scan)
    done, error = accepted(a_logic, a_ticker, seen.ends[0][1])
    assert error is None
    assert segmentations(a_scene) == [done.node]
    np.testing.assert_array_equal(sphere_of(done.node, a_scan), shown)
    a_logic.editors.editor_of(done.node).Undo()
    assert done.node.GetSegmentation().GetNumberOfSegments() == 0


def test_a_second_run_merges_into_the_first_and_leaves_a_correction(
    a_scene, a_logic, a_ticker, a_scan
):
    node = a_logic.segment(a_scan, "threshold")
    node.GetSegmentation().GetSegment("Segment_7").SetTag("SegmentationAI.Origin", "corrected")
    old = sphere_of(node, a_scan)
    _, seen = started(a_logic, a_scan, rule="merge", target=node)
    turned_until(a_ticker, lambda: seen.ends)
    done, error = accepted(a_logic, a_ticker, seen.ends[0][1])
    assert error is None
    assert done.node is node
    np.testing.assert_array_equal(sphere_of(node, a_scan), old)
    assert node.GetSegmentation().GetSegmentIdBySegmentName("Sphere (2)")


def test_a_preview_that_went_with_its_scene_waits_no_more(a_scene, a_logic, a_ticker, a_scan):
    prepared = PreparedRuns(a_logic, a_ticker, lambda _: [])
    runs, ends = PanelRuns(a_scene, a_logic, prepared, a_ticker), []
    runs.start(Request(a_scan, "threshold"), lambda *_: None, ends.append)
    assert not runs.has_preview()
    turned_until(a_ticker, lambda: ends)
    assert runs.has_preview()
    a_scene.Clear(False)
    assert not runs.has_preview()


def test_a_result_that_its_target_cannot_take_stays_as_a_preview(
    a_scene, a_logic, a_ticker, a_scan
):
    """What took minutes is not thrown away for a target that was chosen wrongly."""
    coarse = grid_around(SPHERE_CENTER_RAS, (12, 10, 9), spacing=(4.0, 5.0, 7.0))
    made = Provenance("predicted", "threshold", "ab" * 32)
    labels = (Label(1, "Sphere", provenance=made),)
    mask = np.asfortranarray(sphere_mask(coarse)).astype("u1")
    other = node_from_labelmap(Labelmap((mask,), labels, coarse.affine), a_scene, None, "Other")
    _, seen = started(a_logic, a_scan, rule="merge", target=other)
    turned_until(a_ticker, lambda: seen.ends)
    preview = seen.ends[0][1]
    with pytest.raises(GeometryError, match="do not coincide"):
        a_logic.accept(preview, lambda *_: None)
    assert preview.node.GetScene() is a_scene
    done, _ = accepted(a_logic, a_ticker, preview, rule="new")
    np.testing.assert_array_equal(sphere_of(done.node, a_scan), TRUTH)


def test_the_masking_of_the_panels_segment_editor_holds_for_an_accepted_result(
    a_scene, a_logic, a_ticker, a_scan
):
    """The module's own Segment Editor keeps its settings in a node of the tag `EDITOR_TAG`."""
    half = TRUTH & (np.indices(TRUTH.shape)[0] < GRID.shape[0] // 2)
    labels = (Label(1, "Half", segment_id="half"),)
    labelmap = Labelmap((np.asfortranarray(half).astype("u1"),), labels, GRID.affine)
    target = node_from_labelmap(labelmap, a_scene, a_scan, "Target")
    person = slicer.vtkMRMLSegmentEditorNode()
    person.SetSingletonTag(EDITOR_TAG)
    person = a_scene.AddNode(person)
    person.SetAndObserveSegmentationNode(target)
    person.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)
    person.SetMaskSegmentID("half")
    person.SetOverwriteMode(person.OverwriteNone)
    for limits, expected in ((True, half), (False, TRUTH)):
        if not limits:
            person.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
        _, seen = started(a_logic, a_scan, rule="merge", target=target)
        turned_until(a_ticker, lambda seen=seen: seen.ends)
        accepted(a_logic, a_ticker, seen.ends[0][1])
        np.testing.assert_array_equal(sphere_of(target, a_scan), expected)
        found = labelmap_from_node(target, a_scan)
        np.testing.assert_array_equal(found.mask(found.labels[0]), half)


def test_surfaces_come_back_in_the_background_also_when_edited_meanwhile(
    a_scene, a_logic, a_ticker, a_scan
):
    node = a_logic.segment(a_scan, "threshold")
    segmentation = node.GetSegmentation()
    segmentation.AddEmptySegment("mine", "mine")
    create_surfaces(node)
    _, seen = started(a_logic, a_scan, rule="replace", target=node)
    turned_until(a_ticker, lambda: seen.ends)
    accepted(a_logic, a_ticker, seen.ends[0][1])
    segmentation.RemoveSegment("mine")
    turned_until(a_ticker, lambda: segmentation.ContainsRepresentation(CLOSED_SURFACE))
    surface = segmentation.GetSegment("Segment_7").GetRepresentation(CLOSED_SURFACE)
    measured = vtk.vtkMassProperties()
    measured.SetInputData(surface)
    expected = sphere_of(node, a_scan).sum() * GRID.voxel_volume_ml * 1000
    assert measured.GetVolume() == pytest.approx(expected, rel=0.05)


def test_two_runs_on_one_scan_queue(a_logic, a_ticker, a_worker, a_scan):
    a_worker.gate.clear()
    first, seen_first = started(a_logic, a_scan)
    second, seen_second = started(a_logic, a_scan)
    turned_until(a_ticker, lambda: first.state == "running")
    for _ in range(20):
        a_ticker.turn()
    assert (first.state, second.state, len(a_worker.calls)) == ("running", "queued", 1)
    a_worker.gate.set()
    turned_until(a_ticker, lambda: seen_second.ends)
    assert [len(seen_first.ends), len(seen_second.ends), len(a_worker.calls)] == [1, 1, 2]


def test_canceling_gives_control_back_at_once_and_the_next_run_works(
    a_scene, a_logic, a_ticker, a_worker, a_scan
):
    before = all_nodes(a_scene)
    a_worker.gate.clear()
    run, seen = started(a_logic, a_scan)
    waiting, _ = started(a_logic, a_scan)
    turned_until(a_ticker, lambda: run.state == "running")
    clock = time.monotonic()
    a_logic.cancel(waiting)
    a_logic.cancel(run)
    assert time.monotonic() - clock < 0.5
    assert run.state == waiting.state == "canceled"
    assert isinstance(seen.ends[0][0].error, Cancelled)
    assert all_nodes(a_scene) == before
    a_worker.gate.set()
    _, seen = started(a_logic, a_scan)
    turned_until(a_ticker, lambda: seen.ends)
    assert seen.ends[0][0].state == "done"


def move(scene, node):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    shift = np.eye(4)
    shift[0, 3] = 10
    transform.SetMatrixTransformToParent(matrix_from_affine(shift))
    node.SetAndObserveTransformNodeID(transform.GetID())


def regrid(scene, node):
    node.SetSpacing(1, 1, 1)


def recolor_voxels(scene, node):
    node.GetImageData().GetPointData().GetScalars().Fill(0)
    node.GetImageData().GetPointData().GetScalars().Modified()


def remove_and_replace(scene, node):
    scene.RemoveNode(node)
    assert scan(scene, "CT").GetName() == "CT"


CHANGES = {
    "removed": (lambda scene, node: scene.RemoveNode(node), "was removed"),
    "removed, another of its name": (remove_and_replace, "was removed"),
    "moved": (move, "was moved"),
    "another geometry": (regrid, "was moved"),
    "other voxels": (recolor_voxels, "voxels of 'CT' were changed"),
    "scene closed": (lambda scene, node: scene.Clear(False), "scene was closed"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_scene_that_changes_during_a_run_gets_a_sentence_and_no_result(
    a_scene, a_logic, a_ticker, a_worker, a_scan, change
):
    act, words = CHANGES[change]
    a_worker.gate.clear()
    run, seen = started(a_logic, a_scan)
    turned_until(a_ticker, lambda: run.state == "running")
    act(a_scene, a_scan)
    a_worker.gate.set()
    turned_until(a_ticker, lambda: seen.ends)
    assert (run.state, seen.ends[0][1]) == ("failed", None)
    assert words in run.sentence
    assert segmentations(a_scene) == []


def test_a_renamed_scan_keeps_its_result(a_scene, a_logic, a_ticker, a_worker, a_scan):
    a_worker.gate.clear()
    run, seen = started(a_logic, a_scan)
    turned_until(a_ticker, lambda: run.state == "running")
    a_scan.SetName("Head")
    a_scene.InvokeEvent(a_scene.StartSaveEvent)
    a_scene.InvokeEvent(a_scene.EndSaveEvent)
    a_worker.gate.set()
    turned_until(a_ticker, lambda: seen.ends)
    done, error = accepted(a_logic, a_ticker, seen.ends[0][1])
    assert error is None
    assert done.node.GetName() == "Head threshold"


def test_a_scan_moved_while_its_preview_waits_cannot_be_accepted_into_the_wrong_place(
    a_scene, a_logic, a_ticker, a_scan
):
    _, seen = started(a_logic, a_scan)
    turned_until(a_ticker, lambda: seen.ends)
    preview = seen.ends[0][1]
    move(a_scene, a_scan)
    with pytest.raises(SegmentationAIError, match="was moved"):
        a_logic.accept(preview, lambda *_: None)
    assert segmentations(a_scene) == [preview.node]


def test_a_target_removed_during_the_run_gets_a_sentence(
    a_scene, a_logic, a_ticker, a_worker, a_scan
):
    node = a_logic.segment(a_scan, "threshold")
    a_worker.gate.clear()
    run, seen = started(a_logic, a_scan, rule="merge", target=node)
    turned_until(a_ticker, lambda: run.state == "running")
    a_scene.RemoveNode(node)
    a_worker.gate.set()
    turned_until(a_ticker, lambda: seen.ends)
    assert "was removed" in run.sentence
    assert segmentations(a_scene) == []


def test_a_scene_saved_or_closed_while_a_result_is_written_has_all_of_it_or_nothing(
    a_scene, a_logic, a_ticker, a_scan
):
    node = a_logic.segment(a_scan, "threshold")
    mask = sphere_of(node, a_scan)
    for event in (a_scene.StartSaveEvent, a_scene.StartCloseEvent):
        _, seen = started(a_logic, a_scan, rule="merge", target=node)
        turned_until(a_ticker, lambda seen=seen: seen.ends)
        ends = []
        a_logic.accept(seen.ends[0][1], lambda done, error, ends=ends: ends.append(error))
        a_scene.InvokeEvent(event)
        assert len(ends) == 1
        assert (ends[0] is None) == (event == a_scene.StartSaveEvent)
        np.testing.assert_array_equal(sphere_of(node, a_scan), mask)


@pytest.mark.parametrize("cases", [5, pytest.param(30, marks=pytest.mark.slow)])
def test_interleavings_never_write_into_a_wrong_place(a_scene, a_logic, a_ticker, a_worker, cases):
    """Runs on scans that are removed, moved, renamed or left alone at random moments."""
    rng = random.Random(cases)
    for case in range(cases):
        node = scan(a_scene, f"CT {case}")
        a_worker.gate.clear()
        seen = [started(a_logic, node)[1] for _ in range(2)]
        turns = rng.randrange(8)
        for _ in range(turns):
            a_ticker.turn()
            time.sleep(0.002)
        act = rng.choice(["remove", "move", "rename", "close", "nothing"])
        if act == "remove":
            a_scene.RemoveNode(node)
        elif act == "move":
            move(a_scene, node)
        elif act == "rename":
            node.SetName("renamed")
        elif act == "close":
            a_scene.Clear(False)
        a_worker.gate.set()
        turned_until(a_ticker, lambda seen=seen: all(one.ends for one in seen))
        for one in seen:
            run, preview = one.ends[0]
            assert (preview is None) == (run.state != "done")
            if preview is not None:
                assert act not in ("remove", "close")
                done = a_logic.accept_now(preview)
                found = sphere_of(done.node, node)
                assert (found & TRUTH).sum() > 0.9 * TRUTH.sum()
            else:
                assert act != "nothing"
                assert run.sentence.endswith((".", "again."))
        a_scene.Clear(False)


def test_an_accepted_result_is_in_the_journal_and_still_predicted(
    a_scene, a_worker, a_ticker, a_scan, tmp_path
):
    keeper = JournalKeeper(a_scene, tmp_path, a_ticker)
    logic = SegmentationLogic(a_scene, lambda: a_worker, a_ticker, keeper)
    node = logic.segment(a_scan, "threshold")
    _, seen = started(logic, a_scan, rule="replace", target=node)
    turned_until(a_ticker, lambda: seen.ends)
    accepted(logic, a_ticker, seen.ends[0][1])
    a_ticker.turn()
    other = headless_slicer().scene
    (back,), _ = restore_journal(keeper.journal.path, other)
    assert tag_of(back.GetSegmentation().GetSegment("Segment_7"), "SegmentationAI.Origin") == (
        "predicted"
    )
    np.testing.assert_array_equal(sphere_of(back, scan(other, "CT")), sphere_of(node, a_scan))
    logic.close()
    keeper.close()


def test_undo_and_redo_go_across_results_and_are_no_corrections(
    a_scene, a_worker, a_ticker, a_scan, tmp_path
):
    keeper = JournalKeeper(a_scene, tmp_path, a_ticker)
    logic = SegmentationLogic(a_scene, lambda: a_worker, a_ticker, keeper)
    assert not logic.can_undo()
    node = logic.segment(a_scan, "threshold")
    segment = node.GetSegmentation().GetSegment("Segment_7")
    sphere = sphere_of(node, a_scan)
    image = segment.GetRepresentation("Binary labelmap")
    voxels_from_image(image)[0][:, :, 0] = segment.GetLabelValue()
    image.Modified()
    a_ticker.turn()
    assert tag_of(segment, "SegmentationAI.Origin") == "corrected"
    edited = sphere_of(node, a_scan)
    _, seen = started(logic, a_scan, rule="replace", target=node)
    turned_until(a_ticker, lambda: seen.ends)
    accepted(logic, a_ticker, seen.ends[0][1])
    assert tag_of(segment, "SegmentationAI.Origin") == "predicted"
    assert logic.undo() is node
    a_ticker.turn()
    np.testing.assert_array_equal(sphere_of(node, a_scan), edited)
    assert tag_of(segment, "SegmentationAI.Origin") == "corrected"
    logic.redo()
    a_ticker.turn()
    np.testing.assert_array_equal(sphere_of(node, a_scan), sphere)
    assert tag_of(segment, "SegmentationAI.Origin") == "predicted"
    logic.undo()
    logic.undo()
    assert node.GetSegmentation().GetNumberOfSegments() == 0
    assert not logic.can_undo()
    assert logic.can_redo()
    logic.close()
    keeper.close()
