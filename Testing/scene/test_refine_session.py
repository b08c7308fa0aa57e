"""Corrections on a real scene with a real worker: what comes, what stays, what is undone."""

import os
import signal
import time

import numpy as np
import pytest
import slicer
import vtk
from threshold_network import threshold_network_folder

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.prompts import PointPrompt, ScribblePrompt
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.refine.session import RefineSession
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.logic import SegmentationLogic
from SegmentationAILib.scene.network_facts import all_networks
from SegmentationAILib.scene.panel_refine import PanelRefine
from SegmentationAILib.scene.placement import matrix_from_affine
from SegmentationAILib.scene.refine_facts import CorrectionAsked, prompt_in_words
from SegmentationAILib.scene.segment_protection import set_locked, tag_of
from SegmentationAILib.scene.segmentation_layers import BINARY_LABELMAP
from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap
from SegmentationAILib.scene.surfaces import CLOSED_SURFACE, create_surfaces
from SegmentationAILib.scene.ticker import PlainTicker
from SegmentationAILib.scene.volume_node import node_from_volume, volume_from_node
from SegmentationAILib.scene.vtk_voxels import voxels_from_image
from SegmentationAILib.scene.worker_setup import WorkerSetup
from SegmentationAILib.worker.client import Call, WorkerError

from phantoms import SPHERE_CENTER_RAS, oblique_affine, sphere_mask, sphere_volume

CENTER = tuple(float(n) for n in SPHERE_CENTER_RAS)


@pytest.fixture
def a_scene():
    return headless_slicer().scene


class Bench:
    """A scan with a segment to correct, a neighbor beside it, and the hands of a person."""

    def __init__(self, scene, worker, is_empty=False):
        self.scene, self.ticker = scene, PlainTicker()
        self.volume = sphere_volume()
        self.scan = node_from_volume(self.volume, scene, "Scan")
        layer = np.zeros(self.volume.grid.shape, np.uint8, order="F")
        layer[24:28, 21:25, 12:16] = 0 if is_empty else 1
        self.neighbor = np.zeros(layer.shape, bool)
        self.neighbor[30:36, 24:30, 14:20] = True
        layer[self.neighbor] = 2
        labels = (Label(1, "Ball", segment_id="ball"), Label(2, "Next", segment_id="next"))
        labelmap = Labelmap((layer,), labels, self.volume.affine)
        self.node = node_from_labelmap(labelmap, scene, self.scan, "Mine")
        self.start = self.mask("ball")
        self.logic = SegmentationLogic(scene, lambda: worker, self.ticker)
        setup = WorkerSetup(worker=worker)
        self.refine = PanelRefine(scene, self.logic, setup, self.ticker, lambda _: ())
        self.accepted = []

    @property
    def facts(self):
        return self.refine.correction()

    def begin(self, **values):
        asked = CorrectionAsked(self.scan, self.node, "ball", **values)
        self.said = []
        self.refine.correct(asked, lambda facts: self.said.append(facts.sentence))
        self.rest()

    def rest(self):
        deadline = time.monotonic() + 120

        def is_over():
            assert time.monotonic() < deadline, self.facts
            return not self.facts.is_busy

        self.ticker.run_until(is_over)

    def click(self, place=CENTER, positive=True):
        self.refine.prompt(PointPrompt(tuple(float(n) for n in place), positive))
        self.rest()

    def accept(self):
        self.refine.accept_correction(self.accepted.append)
        self.rest()
        return self.accepted[-1]

    def mask(self, segment_id):
        found = labelmap_from_node(self.node, self.scan)
        label = next(one for one in found.labels if one.segment_id == segment_id)
        return found.mask(label)

    def preview(self):
        return self.refine._correction.preview.mask

    def close(self):
        self.refine.discard_correction()
        self.logic.close()


@pytest.fixture
def a_bench(a_scene, a_worker):
    bench = Bench(a_scene, a_worker)
    yield bench
    bench.close()


@pytest.fixture
def a_bench_without_start(a_scene, a_worker):
    bench = Bench(a_scene, a_worker, is_empty=True)
    yield bench
    bench.close()


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def test_a_click_is_shown_accepted_and_taken_back_by_one_undo(a_bench):
    before = a_bench.scene.GetNumberOfNodes()
    a_bench.begin()
    a_bench.click()
    here = RefineSession(a_bench.volume)
    here.set_mask(a_bench.start)
    here.add_point(CENTER)
    np.testing.assert_array_equal(a_bench.preview(), here.mask)
    np.testing.assert_array_equal(a_bench.mask("ball"), a_bench.start)
    assert a_bench.facts.prompts == (prompt_in_words(PointPrompt(CENTER)),)
    accepted = a_bench.accept()
    assert accepted.node is a_bench.node
    np.testing.assert_array_equal(a_bench.mask("ball"), here.mask)
    assert a_bench.mask("ball").sum() > 10 * a_bench.start.sum()
    assert not a_bench.facts.is_open
    a_bench.logic.undo()
    np.testing.assert_array_equal(a_bench.mask("ball"), a_bench.start)
    np.testing.assert_array_equal(a_bench.mask("next"), a_bench.neighbor)
    a_bench.logic.redo()
    np.testing.assert_array_equal(a_bench.mask("ball"), here.mask)
    # Nothing is left of marks and preview; the editor's hidden settings stay with the segmentation.
    assert a_bench.scene.GetNumberOfNodes() <= before + 1


def test_a_locked_neighbor_never_changes_and_an_open_one_gives_way(a_bench):
    set_locked(a_bench.node.GetSegmentation().GetSegment("next"), True)
    a_bench.begin()
    a_bench.click()
    assert not (a_bench.preview() & a_bench.neighbor).any()
    a_bench.accept()
    np.testing.assert_array_equal(a_bench.mask("next"), a_bench.neighbor)
    assert a_bench.mask("ball").sum() > 1000
    set_locked(a_bench.node.GetSegmentation().GetSegment("next"), False)
    a_bench.begin()
    inside = a_bench.volume.grid.ras_from_ijk(np.array([[33.0, 27.0, 17.0]]))[0]
    a_bench.click(inside)
    a_bench.accept()
    assert a_bench.mask("next").sum() < a_bench.neighbor.sum()


def test_a_neighbor_that_is_locked_while_the_preview_waits_keeps_its_voxels(a_bench):
    a_bench.begin()
    a_bench.click()
    assert (a_bench.preview() & a_bench.neighbor).any()
    set_locked(a_bench.node.GetSegmentation().GetSegment("next"), True)
    a_bench.accept()
    np.testing.assert_array_equal(a_bench.mask("next"), a_bench.neighbor)


def test_nothing_outside_of_what_was_shown_to_change_is_ever_written(a_bench):
    rng = np.random.default_rng(11)
    for _ in range(3):
        before = {name: a_bench.mask(name) for name in ("ball", "next")}
        a_bench.begin()
        for _ in range(2):
            place = rng.uniform(-14, 14, 3) + SPHERE_CENTER_RAS
            a_bench.click(place, bool(rng.random() < 0.6))
        shown = a_bench.preview()
        a_bench.accept()
        np.testing.assert_array_equal(a_bench.mask("ball"), shown)
        same = shown == before["ball"]
        np.testing.assert_array_equal(a_bench.mask("next")[same], before["next"][same])


def test_the_editable_area_of_the_segment_editor_holds(a_bench):
    settings = slicer.vtkMRMLSegmentEditorNode()
    a_bench.scene.AddNode(settings)
    settings.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)
    settings.SetMaskSegmentID("next")
    a_bench.begin(settings=settings)
    a_bench.refine.check_written(a_bench.node)
    a_bench.click()
    came = a_bench.preview() & ~a_bench.start
    assert came.any()
    with pytest.raises(SegmentationAIError, match="A correction of 'Ball' waits"):
        a_bench.refine.check_written(a_bench.node)
    assert not (came & ~a_bench.neighbor).any()
    a_bench.accept()
    np.testing.assert_array_equal(a_bench.mask("ball"), a_bench.start | came)
    a_bench.refine.check_written(a_bench.node)
    # The next result into this segmentation is asked for with other settings.
    editor = a_bench.logic.editors.editor_of(a_bench.node).GetSegmentEditorNode()
    assert editor.GetMaskMode() == slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere


def test_clicks_mean_the_same_under_an_oblique_parent_transform(a_bench_without_start):
    bench = a_bench_without_start
    moved = oblique_affine((1, 1, 1), (40.0, -20.0, 7.0), (11, 23, -31), (1, 1, 1))
    transform = bench.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Moved")
    transform.SetMatrixTransformToParent(matrix_from_affine(moved))
    for node in (bench.scan, bench.node):
        node.SetAndObserveTransformNodeID(transform.GetID())
    bench.begin()
    bench.click((moved @ (*CENTER, 1.0))[:3])
    bench.accept()
    assert dice(bench.mask("ball"), sphere_mask(bench.volume.grid)) > 0.95


def test_discarding_leaves_the_scene_as_it_was(a_bench):
    before = {a_bench.scene.GetNthNode(n).GetID() for n in range(a_bench.scene.GetNumberOfNodes())}
    a_bench.begin()
    a_bench.click()
    a_bench.refine.next_doubt()
    a_bench.rest()
    a_bench.refine.discard_correction()
    after = {a_bench.scene.GetNthNode(n).GetID() for n in range(a_bench.scene.GetNumberOfNodes())}
    assert after == before
    np.testing.assert_array_equal(a_bench.mask("ball"), a_bench.start)


def remove_scan(bench):
    bench.scene.RemoveNode(bench.scan)


def remove_segmentation(bench):
    bench.scene.RemoveNode(bench.node)


def close_scene(bench):
    bench.scene.Clear()


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (remove_scan, "'Scan' was removed"),
        (remove_segmentation, "'Mine' was removed"),
        (close_scene, "was dropped"),
    ],
)
@pytest.mark.parametrize("is_busy", [False, True])
def test_what_goes_meanwhile_ends_the_correction_with_a_sentence(a_bench, deed, said, is_busy):
    a_bench.begin()
    a_bench.click()
    if is_busy:
        a_bench.refine.prompt(PointPrompt(CENTER))
    deed(a_bench)
    a_bench.rest()
    assert said in a_bench.said[-1]
    assert not a_bench.facts.is_open
    with pytest.raises(SegmentationAIError, match="begin to correct"):
        a_bench.refine.accept_correction(a_bench.accepted.append)


def test_a_scan_that_moved_or_a_segment_that_was_locked_meanwhile_is_not_written(a_bench):
    a_bench.begin()
    a_bench.click()
    set_locked(a_bench.node.GetSegmentation().GetSegment("ball"), True)
    assert "locked" in a_bench.accept().sentence
    np.testing.assert_array_equal(a_bench.mask("ball"), a_bench.start)
    with pytest.raises(SegmentationAIError, match="locked"):
        a_bench.begin()
    set_locked(a_bench.node.GetSegmentation().GetSegment("ball"), False)
    a_bench.begin()
    a_bench.click()
    matrix = vtk.vtkMatrix4x4()
    a_bench.scan.GetIJKToRASMatrix(matrix)
    matrix.SetElement(0, 3, matrix.GetElement(0, 3) + 5)
    a_bench.scan.SetIJKToRASMatrix(matrix)
    assert "moved" in a_bench.accept().sentence


def test_an_edit_made_meanwhile_elsewhere_in_the_segment_survives(a_bench):
    a_bench.begin()
    a_bench.click()
    segment = a_bench.node.GetSegmentation().GetSegment("ball")
    image = segment.GetRepresentation(BINARY_LABELMAP)
    voxels_from_image(image)[0][50:53, 45:48, 30:32] = segment.GetLabelValue()
    image.Modified()
    a_bench.accept()
    assert a_bench.mask("ball")[50:53, 45:48, 30:32].all()


def test_prompts_are_undone_redone_and_taken_out(a_bench):
    a_bench.begin()
    a_bench.click()
    first = a_bench.preview()
    a_bench.click(np.add(CENTER, (0, 0, 9)), positive=False)
    second = a_bench.preview()
    a_bench.refine.undo_prompt()
    a_bench.rest()
    np.testing.assert_array_equal(a_bench.preview(), first)
    assert a_bench.facts.can_redo
    a_bench.refine.redo_prompt()
    a_bench.rest()
    np.testing.assert_array_equal(a_bench.preview(), second)
    a_bench.refine.remove_prompt(1)
    a_bench.rest()
    np.testing.assert_array_equal(a_bench.preview(), first)
    assert len(a_bench.facts.prompts) == 1
    for _ in range(3):
        a_bench.refine.undo_prompt()
        a_bench.rest()
    np.testing.assert_array_equal(a_bench.preview(), a_bench.start)
    a_bench.refine.undo_prompt()
    a_bench.rest()
    assert "nothing to undo" in a_bench.said[-1]


def test_prompts_wait_for_apply_and_a_stroke_is_one_step(a_bench):
    a_bench.begin(run_mode="on apply")
    a_bench.click()
    assert (a_bench.facts.waiting, a_bench.facts.has_change) == (1, False)
    a_bench.refine.apply_prompts()
    a_bench.rest()
    assert a_bench.facts.has_change
    a_bench.refine.set_refine_rules("add and remove", "live")
    line = [tuple(np.add(CENTER, (x, 0, 0))) for x in np.linspace(-5, 5, 9)]
    for count in range(2, 10):
        a_bench.refine.prompt(ScribblePrompt(tuple(line[:count])), is_finished=count == 9)
    a_bench.rest()
    assert len(a_bench.facts.prompts) == 2
    a_bench.refine.undo_prompt()
    a_bench.rest()
    assert len(a_bench.facts.prompts) == 1


def test_the_surfaces_follow_and_what_is_shown_in_3d_stays_so(a_bench):
    create_surfaces(a_bench.node)
    display = a_bench.node.GetDisplayNode()
    display.SetSegmentVisibility3D("next", False)
    display.SetSegmentOpacity3D("ball", 0.4)
    a_bench.begin()
    a_bench.click()
    a_bench.accept()
    segmentation = a_bench.node.GetSegmentation()
    a_bench.ticker.run_until(lambda: segmentation.ContainsRepresentation(CLOSED_SURFACE))
    surface = segmentation.GetSegment("ball").GetRepresentation(CLOSED_SURFACE)
    lengths = np.diff(np.reshape(surface.GetBounds(), (3, 2))).ravel()
    assert (lengths > 20).all()
    assert not display.GetSegmentVisibility3D("next")
    assert display.GetSegmentOpacity3D("ball") == 0.4


def test_remove_only_never_adds(a_bench):
    a_bench.begin(mode="remove only")
    a_bench.click()
    assert not a_bench.facts.has_change
    assert "Nothing had changed" in a_bench.accept().sentence


def test_a_worker_that_is_killed_costs_the_undo_steps_alone(a_bench, a_worker):
    a_bench.begin()
    a_bench.click()
    shown = a_bench.preview()
    os.kill(a_worker.pid, signal.SIGKILL)
    time.sleep(0.3)
    a_bench.click(np.add(CENTER, (0, 0, 9)), positive=False)
    assert any("worker was lost" in sentence for sentence in a_bench.said)
    now = a_bench.preview()
    assert dice(now, shown) > 0.5
    assert len(a_bench.facts.prompts) == 1
    a_bench.refine.undo_prompt()
    a_bench.rest()
    np.testing.assert_array_equal(a_bench.preview(), shown)
    a_bench.accept()
    np.testing.assert_array_equal(a_bench.mask("ball"), shown)


@pytest.mark.parametrize("is_accepted", [True, False])
def test_what_is_shown_outlasts_a_worker_that_cannot_be_had_again(
    a_bench, a_worker, monkeypatch, is_accepted
):
    a_bench.begin()
    a_bench.click()
    shown = a_bench.preview()

    def lost(asked):
        call = Call()
        call.finish(error=WorkerError("The worker ended: out of memory."))
        return call

    with monkeypatch.context() as without:
        without.setattr(a_worker, "refine", lost)
        for _ in range(2):
            a_bench.click(np.add(CENTER, (0, 0, 9)), positive=False)
            np.testing.assert_array_equal(a_bench.preview(), shown)
            assert "out of memory. What is shown can still be accepted" in a_bench.facts.sentence
            assert (a_bench.facts.is_open, a_bench.facts.prompts) == (True, ())
    if not is_accepted:
        a_bench.click(np.add(CENTER, (0, 0, 9)), positive=False)
        assert len(a_bench.facts.prompts) == 1
        assert dice(a_bench.preview(), shown) > 0.5
        a_bench.refine.undo_prompt()
        a_bench.rest()
    a_bench.accept()
    np.testing.assert_array_equal(a_bench.mask("ball"), shown)


def test_the_next_doubtful_place_moves_the_views_there(a_bench):
    view = a_bench.scene.AddNewNodeByClass("vtkMRMLSliceNode")
    a_bench.begin()
    a_bench.refine.next_doubt()
    a_bench.rest()
    assert "Doubts are known after" in a_bench.said[-1]
    a_bench.click()
    a_bench.refine.next_doubt()
    a_bench.rest()
    proposed = a_bench.facts.proposed
    assert proposed is not None
    matrix = view.GetSliceToRAS()
    normal, place = ([matrix.GetElement(row, column) for row in range(3)] for column in (2, 3))
    assert abs(np.dot(np.subtract(place, proposed.position_ras), normal)) < 1e-6
    assert 0 < a_bench.facts.score <= 1
    ring = a_bench.scene.GetFirstNodeByName("Correction: Doubt 2")
    points = [ring.GetNthControlPointPosition(n) for n in range(ring.GetNumberOfControlPoints())]
    np.testing.assert_allclose(np.mean(points, axis=0), proposed.position_ras, atol=1e-6)
    a_bench.refine.agree()
    a_bench.rest()
    assert len(a_bench.facts.prompts) == 2
    assert ring.GetNumberOfControlPoints() == 0


def test_a_click_outside_of_the_scan_says_so_and_changes_nothing(a_bench):
    a_bench.begin()
    a_bench.click()
    shown = a_bench.preview()
    a_bench.click((5000.0, 0.0, 0.0))
    assert "outside" in a_bench.said[-1]
    np.testing.assert_array_equal(a_bench.preview(), shown)


def test_a_corrected_segment_that_a_network_made_is_a_persons_from_then_on(a_bench, tmp_path):
    from SegmentationAILib.core.segment_tags import ORIGIN_TAG
    from SegmentationAILib.scene.journal_keeper import JournalKeeper

    segment = a_bench.node.GetSegmentation().GetSegment("ball")
    segment.SetTag(ORIGIN_TAG, "predicted")
    keeper = JournalKeeper(a_bench.scene, tmp_path / "journal", a_bench.ticker)
    a_bench.begin()
    a_bench.click()
    a_bench.accept()
    keeper.flush()
    assert tag_of(segment, ORIGIN_TAG) == "corrected"
    keeper.close()


@pytest.fixture
def a_bright_network(a_worker_home):
    """Installed where the worker looks for networks; it finds the ball."""
    folder = a_worker_home / "networks" / "bright"
    if not folder.is_dir():
        threshold_network_folder(folder)
    return folder


def test_an_adapted_network_is_kept_while_the_correction_waits(a_bench, a_bright_network):
    bench, kept = a_bench, []
    bench.begin(engine="adapt", network="bright")
    assert bench.facts.adapts
    bench.refine.keep_network("mine", kept.append)
    bench.rest()
    assert "has not been adapted yet" in bench.said[-1]
    bench.click()
    shown = bench.preview()
    bench.refine.keep_network("bright", kept.append)
    bench.rest()
    assert bench.said[-1] == "There is a network bright already; choose another ID."
    assert kept == []
    bench.refine.keep_network(" mine ", kept.append)
    bench.rest()
    assert kept == ["The adapted network is kept as 'mine' and listed among the installed ones."]
    home = a_bright_network.parents[1]
    found = next(one for one in all_networks(home) if one.id == "mine")
    assert (found.state, found.can_be_adapted) == ("installed", True)
    assert "by 1 prompt about Sphere" in found.limits[0]
    np.testing.assert_array_equal(bench.preview(), shown)
    bench.accept()
    np.testing.assert_array_equal(bench.mask("ball"), shown)
    assert not bench.facts.adapts


def test_nothing_is_kept_without_a_correction_that_adapts(a_bench):
    with pytest.raises(SegmentationAIError, match="begin to correct it first"):
        a_bench.refine.keep_network("mine", a_bench.accepted.append)
    a_bench.begin()
    a_bench.click()
    with pytest.raises(SegmentationAIError, match="Only 'Adapt to this scan'"):
        a_bench.refine.keep_network("mine", a_bench.accepted.append)
    assert a_bench.facts.is_open


def test_the_scan_goes_over_as_it_is_and_stays_so(a_bench):
    before = np.array(volume_from_node(a_bench.scan).voxels)
    a_bench.begin()
    a_bench.click()
    np.testing.assert_array_equal(volume_from_node(a_bench.scan).voxels, before)
    assert isinstance(a_bench.volume, Volume)
