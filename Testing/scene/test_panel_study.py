"""A person draws on a case while the study changes under it: no stroke is lost, none is invented.

The scene is a real one; the study is a real one behind the desk of the worker.
"""

import numpy as np
import pytest
import slicer
from desk_link import DeskLink
from study_files import LABELS, SHAPE, iterate, made_study, shifted, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.learn.study.iterations import (
    roll_back,
)
from SegmentationAILib.learn.study.person import Work, correct, corrected_voxels
from SegmentationAILib.learn.study.refused_edits import refused_of
from SegmentationAILib.learn.study.versions import read_version
from SegmentationAILib.scene.panel_study import PanelStudy
from SegmentationAILib.scene.placement import matrix_from_affine
from SegmentationAILib.scene.segment_editors import SegmentEditors
from SegmentationAILib.scene.segmentation_node import labelmap_from_node
from SegmentationAILib.scene.volume_node import grid_of_node
from SegmentationAILib.scene.vtk_voxels import scalars_from_voxels

# Three places in which no prediction of these tests has a structure.
ONE, TWO, THREE = np.s_[:3, 2:5, 1:4], np.s_[:2, :2, :1], np.s_[:3, 8:10, :2]
WEAK, PREDICTED = shifted(truth(0)).layers[0], shifted(truth(0), 3).layers[0]


def painted(layer, *places):
    """The layer with the second structure at places, as `Hand.paint` leaves it."""
    changed = layer.copy()
    for place in places:
        changed[place] = 2
    return changed


def mask_of(*places):
    return painted(np.zeros(SHAPE, np.uint8), *places) != 0


class Hand:
    """A person at the panel."""

    def __init__(self, study):
        self.study, self.link = study, DeskLink(study.folder)
        self.scene = slicer.vtkMRMLScene()
        self.panel = PanelStudy(self.scene, self.link)
        self.panel.set_reader("Anna")
        self.outcomes, self.refusals = [], []
        self.panel.watch_study(lambda: None, self.refusals.append)

    def open(self, case):
        self.panel.open_case(case, self.outcomes.append)

    def store(self):
        self.panel.store_case(self.outcomes.append)

    def paint(self, place):
        """Add voxels to the second structure, as a brush of Slicer's does."""
        volume, node = self.panel.case_nodes()
        mask = mask_of(place).astype(np.uint8)
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(*SHAPE)
        image.GetPointData().SetScalars(scalars_from_voxels(mask[None]))
        image.SetImageToWorldMatrix(matrix_from_affine(grid_of_node(volume, world=False).affine))
        segment = node.GetSegmentation().GetSegmentIdBySegmentName("Tail")
        add = slicer.vtkSlicerSegmentEditorLogic.ModificationModeAdd
        editors = SegmentEditors(self.scene)
        editor = editors.editor_of(node)
        editor.ModifySegmentByLabelmap(node, segment, image, add, False, False)
        editors.forget_all()

    def shown(self):
        volume, node = self.panel.case_nodes()
        return labelmap_from_node(node, volume).layers[0]

    @property
    def said(self):
        return self.outcomes[-1]

    def stored(self, case="case 0"):
        return read_version(self.study, self.study.current_version(case)).layers[0]

    def touched(self):
        return corrected_voxels(self.study, self.study.current_version("case 0"))


@pytest.fixture
def hands():
    """Makes hands; their scenes are emptied before Python lets go of them, in whatever order."""
    made = []

    def new(study):
        made.append(Hand(study))
        return made[-1]

    yield new
    for hand in made:
        hand.panel.close_study()
        hand.scene.Clear()


@pytest.fixture
def a_hand(tmp_path, hands):
    return hands(made_study(tmp_path, 3))


@pytest.mark.parametrize("following", ["case 0", "case 1"])
def test_strokes_are_stored_although_the_scan_was_removed(a_hand, following):
    """A person takes the scan out of the scene by mistake, and loads the case again."""
    a_hand.open("case 0")
    a_hand.paint(ONE)
    a_hand.scene.RemoveNode(a_hand.panel.case_nodes()[0])
    a_hand.open(following)
    np.testing.assert_array_equal(a_hand.stored(), painted(WEAK, ONE))
    assert a_hand.scene.GetFirstNodeByName(f"{following} labels") is a_hand.panel.case_nodes()[1]
    assert a_hand.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


def test_a_correction_that_waits_keeps_its_case_open(a_hand):
    """What is shown in Refine is not in the labels yet, and would go with them."""
    a_hand.open("case 0")
    opened, version = a_hand.panel.case_nodes(), a_hand.study.current_version("case 0")

    def waits(node):
        assert node is opened[1]
        raise SegmentationAIError("A correction of 'Tail' waits.")

    a_hand.panel._check_written = waits
    panel, said = a_hand.panel, a_hand.outcomes.append
    for act in (
        lambda: panel.open_case("case 1", said),
        lambda: panel.accept_case(said),
        lambda: panel.skip_case(said),
        lambda: panel.store_case(said),
        lambda: panel.open_study(a_hand.study.folder, lambda *_: None, said),
    ):
        with pytest.raises(SegmentationAIError, match="'Tail' waits"):
            act()
        assert panel.case_nodes() == opened
    assert a_hand.study.current_version("case 0") == version
    panel._check_written = lambda node: None
    a_hand.open("case 1")
    assert panel.open_case_id() == "case 1"


def ben_corrects(study):
    """Another window stores a block of the first structure."""
    layer = WEAK.copy()
    layer[THREE] = 1
    correct(study, "case 0", Labelmap((layer,), LABELS, truth(0).affine), Work("Ben"), 1)
    return layer


def test_a_second_store_after_an_iteration_touches_the_strokes_alone(a_hand):
    a_hand.open("case 0")
    iterate(a_hand.study)
    a_hand.paint(ONE)
    a_hand.store()
    np.testing.assert_array_equal(a_hand.stored(), painted(PREDICTED, ONE))
    a_hand.paint(TWO)
    a_hand.store()
    np.testing.assert_array_equal(a_hand.stored(), painted(PREDICTED, ONE, TWO))
    np.testing.assert_array_equal(a_hand.touched(), mask_of(ONE, TWO))


def test_what_was_predicted_meanwhile_is_shown_once_the_strokes_are_stored(a_hand):
    a_hand.open("case 0")
    iterate(a_hand.study)
    a_hand.paint(ONE)
    before = a_hand.panel.case_nodes()
    a_hand.store()
    np.testing.assert_array_equal(a_hand.shown(), painted(PREDICTED, ONE))
    assert a_hand.said.sentence.startswith("All changes are stored. The labels around them")
    assert before[1].GetScene() is None, "the node of the case before has left the scene"
    a_hand.store()
    assert a_hand.said.sentence == "All changes are stored."
    assert len(a_hand.study.versions("case 0")) == 3, "nothing was drawn, nothing is stored"


def test_edits_stored_for_something_else_leave_the_screen_and_the_next_ones_are_as_exact(a_hand):
    """Before the loop or an export the case stays as it is, with labels that are out of date."""
    a_hand.open("case 0")
    iterate(a_hand.study)
    a_hand.paint(ONE)
    a_hand.panel.store_edits(a_hand.outcomes.append)
    np.testing.assert_array_equal(a_hand.shown(), painted(WEAK, ONE))
    a_hand.paint(TWO)
    a_hand.open("case 1")
    np.testing.assert_array_equal(a_hand.stored(), painted(PREDICTED, ONE, TWO))
    np.testing.assert_array_equal(a_hand.touched(), mask_of(ONE, TWO))
    assert a_hand.panel.open_case_id() == "case 1"


@pytest.mark.parametrize("slow", ["correct", "read"])
def test_strokes_survive_that_come_while_others_are_stored_or_shown(a_hand, slow):
    a_hand.open("case 0")
    iterate(a_hand.study)
    a_hand.paint(ONE)
    a_hand.link.slow = {slow}
    a_hand.store()
    a_hand.paint(TWO)
    a_hand.link.answer()
    np.testing.assert_array_equal(a_hand.stored(), painted(PREDICTED, ONE, TWO))
    np.testing.assert_array_equal(a_hand.touched(), mask_of(ONE, TWO))
    np.testing.assert_array_equal(a_hand.shown(), painted(PREDICTED, ONE, TWO))


def test_strokes_that_come_while_the_next_case_is_read_are_stored_before_it_is_shown(a_hand):
    a_hand.open("case 0")
    a_hand.link.slow = {"read"}
    a_hand.open("case 1")
    a_hand.paint(ONE)
    a_hand.link.answer()
    assert a_hand.panel.open_case_id() == "case 1"
    np.testing.assert_array_equal(a_hand.stored(), painted(WEAK, ONE))


def test_strokes_that_come_while_the_time_is_stored_are_stored_too(a_hand):
    now = [0.0]
    a_hand.panel._clock._now = lambda: now[0]
    a_hand.open("case 0")
    now[0] = 20.0
    a_hand.link.slow = {"spend"}
    a_hand.open("case 1")
    a_hand.paint(ONE)
    a_hand.link.answer()
    np.testing.assert_array_equal(a_hand.stored(), painted(WEAK, ONE))
    assert a_hand.study.case("case 0").seconds_spent == 20.0


def test_the_case_stays_when_strokes_that_came_while_the_next_was_read_are_refused(a_hand):
    a_hand.open("case 0")
    a_hand.link.slow = {"read"}
    a_hand.open("case 1")
    a_hand.paint(ONE)
    ben_corrects(a_hand.study)
    a_hand.link.answer()
    assert a_hand.panel.open_case_id() == "case 0"
    assert "changed by another window" in a_hand.said.sentence
    np.testing.assert_array_equal(a_hand.shown(), painted(WEAK, ONE))


def test_strokes_on_labels_that_were_rolled_back_are_stored_on_what_is_current(a_hand):
    iterate(a_hand.study)
    a_hand.open("case 0")
    roll_back(a_hand.study, 0)
    a_hand.paint(ONE)
    a_hand.store()
    assert a_hand.said.is_success
    np.testing.assert_array_equal(a_hand.stored(), painted(WEAK, ONE))
    np.testing.assert_array_equal(a_hand.touched(), mask_of(ONE))
    np.testing.assert_array_equal(a_hand.shown(), painted(WEAK, ONE))


@pytest.fixture
def a_refused_hand(a_hand):
    """Anna has painted a case that Ben has corrected meanwhile, and every way out was refused."""
    a_hand.open("case 0")
    ben_corrects(a_hand.study)
    a_hand.paint(ONE)
    a_hand.store()
    assert "changed by another window" in a_hand.said.sentence
    a_hand.open("case 1")
    a_hand.panel.accept_case(a_hand.outcomes.append)
    assert [one.is_success for one in a_hand.outcomes] == [True, False, False, False]
    assert a_hand.panel.open_case_id() == "case 0"
    assert a_hand.panel.refused_edits() == ""
    return a_hand


def test_opening_a_refused_case_again_shows_it_as_it_is_and_asks_about_the_strokes(a_refused_hand):
    hand = a_refused_hand
    hand.open("case 0")
    bens = WEAK.copy()
    bens[THREE] = 1
    np.testing.assert_array_equal(hand.shown(), bens)
    asked = hand.panel.refused_edits()
    assert asked.startswith("What Anna has changed here could not be stored: The case case 0 was")
    hand.open("case 1")
    assert (hand.panel.open_case_id(), hand.panel.refused_edits()) == ("case 1", "")


def test_refused_strokes_are_put_onto_the_labels_as_they_are_now(a_refused_hand):
    hand = a_refused_hand
    bens = WEAK.copy()
    bens[THREE] = 1
    hand.open("case 0")
    hand.paint(TWO)
    hand.panel.take_up_edits(hand.outcomes.append)
    assert hand.said.is_success
    np.testing.assert_array_equal(hand.stored(), painted(bens, ONE, TWO))
    np.testing.assert_array_equal(hand.touched(), mask_of(ONE, TWO, THREE))
    np.testing.assert_array_equal(hand.shown(), painted(bens, ONE, TWO))
    assert hand.panel.refused_edits() == ""
    hand.open("case 1")
    assert hand.panel.open_case_id() == "case 1"


def test_refused_strokes_can_be_left_out(a_refused_hand):
    hand = a_refused_hand
    hand.open("case 0")
    hand.panel.put_off_edits(hand.outcomes.append)
    assert hand.panel.refused_edits() == ""
    bens = WEAK.copy()
    bens[THREE] = 1
    np.testing.assert_array_equal(hand.stored(), bens)
    np.testing.assert_array_equal(hand.shown(), bens)


def close_scene(hand):
    hand.scene.Clear()


def end_module(hand):
    hand.panel.close_study()


@pytest.mark.parametrize("end", [close_scene, end_module])
def test_refused_strokes_of_a_scene_that_is_closed_wait_for_the_case_to_be_opened(
    a_hand, hands, end
):
    a_hand.open("case 0")
    ben_corrects(a_hand.study)
    a_hand.paint(ONE)
    end(a_hand)
    assert len(refused_of(a_hand.study, "case 0")) == 1
    if end is close_scene:
        (told,) = a_hand.refusals
        assert "changed by another window" in told.sentence
        assert "open the case to put it onto the labels as they are now" in told.sentence
    later = hands(a_hand.study)
    later.open("case 0")
    assert later.panel.refused_edits()
    later.panel.take_up_edits(later.outcomes.append)
    bens = WEAK.copy()
    bens[THREE] = 1
    np.testing.assert_array_equal(later.stored(), painted(bens, ONE))


def test_overlapping_segments_of_a_scene_that_is_closed_are_kept_and_told(a_hand):
    """No one layer holds them, so that no version can; their file can."""
    a_hand.open("case 0")
    volume, node = a_hand.panel.case_nodes()
    head = np.argwhere(WEAK == 1)[0]
    image = slicer.vtkOrientedImageData()
    mask = np.zeros(SHAPE, np.uint8)
    mask[tuple(head)] = 1
    image.SetDimensions(*SHAPE)
    image.GetPointData().SetScalars(scalars_from_voxels(mask[None]))
    image.SetImageToWorldMatrix(matrix_from_affine(grid_of_node(volume, world=False).affine))
    segment = slicer.vtkSegment()
    segment.SetName("Over")
    segment.AddRepresentation("Binary labelmap", image)
    node.GetSegmentation().AddSegment(segment, "over")
    a_hand.scene.Clear()
    (told,) = a_hand.refusals
    assert "overlap" in told.sentence
    assert len(refused_of(a_hand.study, "case 0")) == 1


def test_strokes_that_no_worker_took_when_the_scene_was_closed_are_stored_later(a_hand):
    a_hand.open("case 0")
    a_hand.paint(ONE)
    a_hand.link.trouble = "The worker has ended."
    a_hand.scene.Clear()
    assert "could not be stored: The worker has ended." in a_hand.refusals[0].sentence
    a_hand.link.trouble = ""
    a_hand.open("case 1")
    np.testing.assert_array_equal(a_hand.stored(), painted(WEAK, ONE))
    a_hand.open("case 0")
    np.testing.assert_array_equal(a_hand.shown(), painted(WEAK, ONE))
    assert len(a_hand.study.versions("case 0")) == 2


def test_the_answer_to_a_closed_scene_may_come_when_the_study_is_closed_too(a_hand):
    a_hand.open("case 0")
    a_hand.paint(ONE)
    a_hand.link.slow = {"correct"}
    a_hand.scene.Clear()
    a_hand.link.forget()
    a_hand.link.answer()
    np.testing.assert_array_equal(a_hand.stored(), painted(WEAK, ONE))
    assert a_hand.refusals == []
