"""Undo and redo across accepted results: bytes equal to the start, and no correction lost."""

import numpy as np
import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap, Provenance
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.commit import commit, finished, new_segmentation
from SegmentationAILib.scene.prepared_result import prepared_result
from SegmentationAILib.scene.result_history import ResultHistory
from SegmentationAILib.scene.segment_editors import SegmentEditors
from SegmentationAILib.scene.segment_metadata import tags_of_segment
from SegmentationAILib.scene.segments_in_box import all_segments
from SegmentationAILib.scene.surfaces import create_surfaces
from SegmentationAILib.scene.ticker import PlainTicker
from SegmentationAILib.scene.volume_node import node_from_volume
from SegmentationAILib.scene.vtk_voxels import voxels_from_image

from phantoms import grid_around

GRID = grid_around((12.0, -7.0, 20.0), (24, 20, 16))


@pytest.fixture
def a_scene():
    return headless_slicer().scene


@pytest.fixture
def a_scan(a_scene):
    return node_from_volume(
        Volume(np.zeros((1, *GRID.shape), np.int16), GRID.affine), a_scene, "CT"
    )


class Accepting:
    """Commits random results and remembers them in a history."""

    def __init__(self, scene, scan, most_bytes=1 << 20):
        self.scene, self.scan, self.ticker = scene, scan, PlainTicker()
        self.without_surfaces = []
        self.history = ResultHistory(
            scene, self.ticker, most_bytes, on_change=self.without_surfaces.append
        )
        self.editors = SegmentEditors(scene)

    def accept(self, node, seed, rule="merge", highest=5):
        rng = np.random.default_rng(seed)
        values = rng.choice(np.arange(1, highest), 3, replace=False)
        voxels = np.asfortranarray(rng.choice([0, *values], GRID.shape).astype(np.uint16))
        labels = tuple(
            Label(int(v), f"s{v}", provenance=Provenance("predicted", "net", iteration=seed))
            for v in values
        )
        result = prepared_result(Labelmap((voxels,), labels, GRID.affine))
        done = finished(commit(result, self.scan, self.editors, rule, node))
        self.history.accepted(node, done.before)
        return done

    def turned(self):
        for _ in range(3):
            self.ticker.turn()


def state(node):
    """Everything that undo brings back, byte for byte."""
    segmentation, found = node.GetSegmentation(), []
    for identifier in all_segments(segmentation):
        segment = segmentation.GetSegment(identifier)
        image = segment.GetRepresentation("Binary labelmap")
        voxels = voxels_from_image(image)[0] if image.GetNumberOfPoints() else np.zeros(0, "u1")
        found.append(
            (identifier, segment.GetName(), segment.GetColor(), segment.GetLabelValue(),
             tags_of_segment(segment), image.GetExtent(), voxels.dtype.str, voxels.tobytes("F"))
        )  # fmt: skip
    return found


def test_all_results_are_undone_and_redone_byte_for_byte_whichever_node_they_went_to(
    a_scene, a_scan
):
    accepting = Accepting(a_scene, a_scan)
    nodes = [new_segmentation(a_scene, a_scan, name) for name in ("A", "B")]
    rng = np.random.default_rng(0)
    states = [[state(node) for node in nodes]]
    for seed in range(100):
        rule = ("merge", "replace")[seed % 2]
        accepting.accept(nodes[rng.integers(2)], seed, rule)
        accepting.turned()
        states.append([state(node) for node in nodes])
    assert not accepting.history.can_redo()
    for expected in reversed(states[:-1]):
        accepting.history.undo()
        accepting.turned()
        assert [state(node) for node in nodes] == expected
    assert states[0] == [[], []]
    assert not accepting.history.can_undo()
    for expected in states[1:]:
        accepting.history.redo()
        assert [state(node) for node in nodes] == expected
    with pytest.raises(SegmentationAIError, match="nothing to bring back"):
        accepting.history.redo()


def test_what_was_edited_after_a_result_goes_with_it_and_comes_back(a_scene, a_scan):
    accepting = Accepting(a_scene, a_scan)
    node = new_segmentation(a_scene, a_scan, "A")
    accepting.accept(node, 1)
    accepting.accept(node, 2)
    first = node.GetSegmentation().GetNthSegment(0)
    image = first.GetRepresentation("Binary labelmap")
    voxels_from_image(image)[0][:3] = first.GetLabelValue()
    image.Modified()
    node.GetSegmentation().AddEmptySegment("mine", "drawn")
    edited = state(node)
    accepting.history.undo()
    assert state(node) != edited
    accepting.history.redo()
    assert state(node) == edited


def test_an_edit_after_undo_ends_redo_but_not_undo(a_scene, a_scan):
    accepting = Accepting(a_scene, a_scan)
    node = new_segmentation(a_scene, a_scan, "A")
    accepting.accept(node, 1)
    accepting.accept(node, 2)
    accepting.history.undo()
    assert accepting.history.can_redo()
    node.GetSegmentation().AddEmptySegment("mine", "drawn")
    assert not accepting.history.can_redo()
    accepting.history.undo()
    assert state(node) == []


def test_results_of_a_node_that_is_gone_are_skipped(a_scene, a_scan):
    accepting = Accepting(a_scene, a_scan)
    kept, gone = (new_segmentation(a_scene, a_scan, name) for name in ("A", "B"))
    accepting.accept(kept, 1)
    accepting.accept(gone, 2)
    a_scene.RemoveNode(gone)
    assert accepting.history.undo() is kept
    assert not accepting.history.can_undo()


def test_memory_is_bounded_and_the_oldest_go_first(a_scene, a_scan):
    packed_result = 3000
    accepting = Accepting(a_scene, a_scan, most_bytes=8 * packed_result)
    node = new_segmentation(a_scene, a_scan, "A")
    for seed in range(40):
        accepting.accept(node, seed, "replace")
        accepting.turned()
    undone = 0
    while accepting.history.can_undo():
        accepting.history.undo()
        undone += 1
    assert 2 <= undone < 40


def test_a_segmentation_that_had_surfaces_is_said_to_lack_them(a_scene, a_scan):
    accepting = Accepting(a_scene, a_scan)
    node = new_segmentation(a_scene, a_scan, "A")
    accepting.accept(node, 1)
    create_surfaces(node)
    accepting.accept(node, 2)
    accepting.history.undo()
    assert accepting.without_surfaces == [node]
