"""A person works on a case while an iteration replaces its labels: nothing of theirs is lost."""

import numpy as np
import pytest
from study_files import LABELS, iterate, made_study, shifted, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.learn.study.iterations import roll_back
from SegmentationAILib.learn.study.late_correction import (
    Seen,
    accept_what_was_seen,
    changed_since_stored,
    correct_what_was_seen,
)
from SegmentationAILib.learn.study.person import Work, correct, corrected_voxels
from SegmentationAILib.learn.study.versions import read_version

ANNA = Work("Anna", 30.0)


@pytest.fixture
def the_edit():
    """The first weak labels of case 0 with a corner painted; and where."""
    labels = shifted(truth(0))
    layer = labels.layers[0].copy()
    painted = np.zeros(layer.shape, bool)
    painted[:3, 2:5, 1:4] = True
    layer[painted] = 2
    return Labelmap((layer,), labels.labels, labels.affine), painted


@pytest.mark.parametrize("iterations", [1, 2])
def test_what_was_painted_stays_and_the_rest_is_as_predicted_meanwhile(
    tmp_path, the_edit, iterations
):
    labels, painted = the_edit
    study = made_study(tmp_path, 2)
    for off in (2, 3)[:iterations]:
        iterate(study, off)
    version = correct_what_was_seen(study, "case 0", labels, ANNA, Seen(1))
    stored = read_version(study, version).layers[0]
    predicted = shifted(truth(0), 1 + iterations).layers[0]
    np.testing.assert_array_equal(stored, np.where(painted, 2, predicted))
    np.testing.assert_array_equal(corrected_voxels(study, version), painted)
    assert study.case("case 0").state == "corrected"
    assert study.case("case 0").seconds_spent == 30.0


def test_what_was_accepted_is_kept_whole_whatever_was_predicted_meanwhile(tmp_path, the_edit):
    labels, _ = the_edit
    study = made_study(tmp_path, 2)
    iterate(study, 2)
    version = accept_what_was_seen(study, "case 0", labels, ANNA, Seen(1))
    np.testing.assert_array_equal(read_version(study, version).layers[0], labels.layers[0])
    assert study.case("case 0").state == "accepted"


def test_without_a_prediction_in_between_it_is_an_ordinary_correction(tmp_path, the_edit):
    labels, painted = the_edit
    study = made_study(tmp_path, 2)
    version = correct_what_was_seen(study, "case 0", labels, ANNA, Seen(1))
    np.testing.assert_array_equal(read_version(study, version).layers[0], labels.layers[0])
    np.testing.assert_array_equal(corrected_voxels(study, version), painted)


@pytest.mark.parametrize("store", [correct_what_was_seen, accept_what_was_seen])
def test_what_another_person_made_meanwhile_is_never_replaced(tmp_path, the_edit, store):
    labels, _ = the_edit
    study = made_study(tmp_path, 2)
    correct(study, "case 0", shifted(truth(0), 3), Work("Ben"), 1)
    iterate(study, 2)
    before = study.versions("case 0")
    with pytest.raises(SegmentationAIError, match="changed by another window"):
        store(study, "case 0", labels, ANNA, Seen(1))
    assert study.versions("case 0") == before


def painted_on(labels, place, value=2):
    """Labels with a block painted, and the block as a mask."""
    layer = labels.layers[0].copy()
    mask = np.zeros(layer.shape, bool)
    mask[place] = True
    layer[mask] = value
    return Labelmap((layer,), labels.labels, labels.affine), mask


def test_a_second_store_of_the_same_screen_touches_the_two_strokes_and_nothing_else(
    tmp_path, the_edit
):
    """The screen shows the first labels still; the prediction differs from them in many voxels."""
    labels, first = the_edit
    study = made_study(tmp_path, 2)
    iterate(study, 3)
    stored = correct_what_was_seen(study, "case 0", labels, ANNA, Seen(1))
    again, second = painted_on(labels, np.s_[:2, :2, :2], 1)
    version = correct_what_was_seen(study, "case 0", again, ANNA, Seen(1, stored.number))
    predicted = shifted(truth(0), 3).layers[0]
    assert (predicted != shifted(truth(0)).layers[0]).sum() > 100
    expected = np.where(second, 1, np.where(first, 2, predicted))
    np.testing.assert_array_equal(read_version(study, version).layers[0], expected)
    np.testing.assert_array_equal(corrected_voxels(study, version), first | second)


def test_a_stroke_that_is_taken_back_after_it_was_stored_is_taken_back(tmp_path, the_edit):
    labels, painted = the_edit
    study = made_study(tmp_path, 2)
    iterate(study, 3)
    stored = correct_what_was_seen(study, "case 0", labels, ANNA, Seen(1))
    first = shifted(truth(0))
    version = correct_what_was_seen(study, "case 0", first, ANNA, Seen(1, stored.number))
    predicted = shifted(truth(0), 3).layers[0]
    expected = np.where(painted, first.layers[0], predicted)
    np.testing.assert_array_equal(read_version(study, version).layers[0], expected)


def test_accepting_an_earlier_screen_counts_as_touched_what_was_painted(tmp_path, the_edit):
    labels, painted = the_edit
    study = made_study(tmp_path, 2)
    iterate(study, 3)
    version = accept_what_was_seen(study, "case 0", labels, ANNA, Seen(1))
    np.testing.assert_array_equal(corrected_voxels(study, version), painted)


def test_strokes_on_a_prediction_that_was_rolled_back_are_put_onto_what_is_current(tmp_path):
    study = made_study(tmp_path, 2)
    iterate(study, 3)
    roll_back(study, 0)
    labels, painted = painted_on(shifted(truth(0), 3), np.s_[:3, 2:5, 1:4])
    version = correct_what_was_seen(study, "case 0", labels, ANNA, Seen(2))
    first = shifted(truth(0)).layers[0]
    np.testing.assert_array_equal(
        read_version(study, version).layers[0], np.where(painted, 2, first)
    )
    np.testing.assert_array_equal(corrected_voxels(study, version), painted)


def test_labels_that_hold_what_was_stored_meanwhile_lose_nothing_and_are_stored(tmp_path, the_edit):
    """A file that was stored, drawn on and stored again: made from version 1 both times."""
    labels, first = the_edit
    study = made_study(tmp_path, 2)
    correct_what_was_seen(study, "case 0", labels, ANNA, Seen(1))
    again, second = painted_on(labels, np.s_[:2, :2, :2], 1)
    version = correct_what_was_seen(study, "case 0", again, ANNA, Seen(1))
    np.testing.assert_array_equal(read_version(study, version).layers[0], again.layers[0])
    np.testing.assert_array_equal(corrected_voxels(study, version), first | second)


def test_a_structure_that_the_study_does_not_know_is_refused_after_a_prediction_too(tmp_path):
    study = made_study(tmp_path, 2)
    iterate(study, 3)
    other = shifted(truth(0)).with_names([LABELS[0], type(LABELS[0])(2, "Tooth")])
    for store in (correct_what_was_seen, accept_what_was_seen):
        with pytest.raises(SegmentationAIError, match="this study has: 1 Head, 2 Tail"):
            store(study, "case 0", other, ANNA, Seen(1))
    assert len(study.versions("case 0")) == 2


def test_a_version_that_is_not_there_is_refused_by_its_number(tmp_path, the_edit):
    study = made_study(tmp_path, 2)
    with pytest.raises(SegmentationAIError, match="has no version 7; it has: 1"):
        correct_what_was_seen(study, "case 0", the_edit[0], ANNA, Seen(7))


def test_what_is_in_no_version_yet_is_what_was_changed_since_it_was_stored(tmp_path, the_edit):
    labels, first = the_edit
    study = made_study(tmp_path, 2)
    np.testing.assert_array_equal(changed_since_stored(study, "case 0", labels, Seen(1)), first)
    iterate(study, 3)
    stored = correct_what_was_seen(study, "case 0", labels, ANNA, Seen(1))
    again, second = painted_on(labels, np.s_[:2, :2, :2], 1)
    seen = Seen(1, stored.number)
    np.testing.assert_array_equal(changed_since_stored(study, "case 0", again, seen), second)
