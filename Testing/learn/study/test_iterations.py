"""Iterations in the index: what they learn from, what becomes current, what can be undone."""

import numpy as np
import pytest
from study_files import BASE_SHA256, made_study, shifted, study_folders, study_source, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.study.create import create_study
from SegmentationAILib.learn.study.iterations import (
    Outcome,
    begin,
    finish,
    inputs_of,
    iterations,
    predictions_of,
    roll_back,
    unfinished,
)
from SegmentationAILib.learn.study.person import (
    Work,
    accept,
    correct,
    corrected_voxels,
    fail,
    reopen,
    skip,
    touched_labelmap,
)
from SegmentationAILib.learn.study.records import Making
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.learn.study.versions import NewVersion, add_version, read_version

ANNA = Work("Anna", 60.0)
SETTINGS = '{"epochs": 2}'


@pytest.fixture
def the_study(tmp_path):
    return made_study(tmp_path, 3)


def predict(study, number, shift):
    """Predict all cases; what persons changed goes on beside the labels, but not of locked ones."""
    for name, version in inputs_of(study, number).items():
        labels = shifted(truth(int(name.split()[1])), shift)
        making = Making("predicted", network="net", weights_sha256="d" * 64, iteration=number)
        changed = None
        if study.case(name).state != "accepted":
            changed = corrected_voxels(study, version)
        beside = {} if changed is None else {"touched": touched_labelmap(changed, labels.grid)}
        new = NewVersion(labels, making, beside, is_current=False)
        add_version(study, name, new, version.number)


def outcome(*, is_kept=True, dice=0.9):
    return Outcome("d" * 64, dice, 0.1, None, "Goes on.", is_kept, 3.5)


def iterate(study, shift, *, is_kept=True):
    one = begin(study, SETTINGS, BASE_SHA256)
    predict(study, one.number, shift)
    finish(study, one.number, outcome(is_kept=is_kept))
    return one.number


def shift_of(study, name):
    """By how many voxels the current labels of a case are off, which tells who made them."""
    found = read_version(study, study.current_version(name)).layers[0]
    layer = truth(int(name.split()[1])).layers[0]
    return next(n for n in range(-9, 9) if np.array_equal(found, np.roll(layer, n, 0)))


def test_until_it_is_finished_the_predictions_of_an_iteration_are_nobodys_labels(the_study):
    one = begin(the_study, SETTINGS, BASE_SHA256)
    predict(the_study, one.number, 3)
    assert [shift_of(the_study, f"case {n}") for n in range(3)] == [1, 1, 1]
    finish(the_study, one.number, outcome())
    assert [shift_of(the_study, f"case {n}") for n in range(3)] == [3, 3, 3]
    assert {case.state for case in the_study.cases()} == {"predicted"}


def test_an_unfinished_iteration_is_gone_on_with_and_not_begun_twice(the_study):
    one = begin(the_study, SETTINGS, BASE_SHA256)
    again = open_study(the_study.folder)
    assert unfinished(again) == one
    assert begin(again, SETTINGS, BASE_SHA256) == one
    assert [i.number for i in iterations(again)] == [1]
    with pytest.raises(SegmentationAIError, match="unfinished and was begun with"):
        begin(again, '{"epochs": 3}', BASE_SHA256)
    with pytest.raises(SegmentationAIError, match="other weights"):
        begin(again, SETTINGS, "e" * 64)


def test_what_an_iteration_learns_from_is_fixed_when_it_begins(the_study):
    one = begin(the_study, SETTINGS, BASE_SHA256)
    accept(the_study, "case 1", truth(1), ANNA, 1)
    assert {v.number for v in inputs_of(the_study, one.number).values()} == {1}


def test_what_a_person_does_while_an_iteration_runs_stays_current(the_study):
    one = begin(the_study, SETTINGS, BASE_SHA256)
    accept(the_study, "case 0", shifted(truth(0), 5), ANNA, 1)
    correct(the_study, "case 1", shifted(truth(1), 6), ANNA, 1)
    predict(the_study, one.number, 3)
    finish(the_study, one.number, outcome())
    assert [shift_of(the_study, f"case {n}") for n in range(3)] == [5, 6, 3]
    assert len(predictions_of(the_study, one.number)) == 3


def test_an_iteration_that_is_not_kept_leaves_all_labels_as_they_were(the_study):
    iterate(the_study, 2)
    iterate(the_study, 7, is_kept=False)
    assert [shift_of(the_study, f"case {n}") for n in range(3)] == [2, 2, 2]
    assert [i.is_rolled_back for i in iterations(the_study)] == [False, True]
    assert iterate(the_study, 4) == 3


def test_skipped_and_failed_cases_are_not_learned_from(the_study):
    skip(the_study, "case 2")
    one = begin(the_study, SETTINGS, BASE_SHA256)
    assert sorted(inputs_of(the_study, one.number)) == ["case 0", "case 1"]


def test_a_study_without_any_labels_to_learn_from_begins_nothing(the_study):
    for number in range(3):
        skip(the_study, f"case {number}")
    with pytest.raises(SegmentationAIError, match="No case"):
        begin(the_study, SETTINGS, BASE_SHA256)
    assert iterations(the_study) == []


@pytest.mark.parametrize(("target", "expected"), [(0, 1), (1, 2), (2, 3)])
def test_rolling_back_brings_the_labels_of_that_iteration_back(the_study, target, expected):
    for shift in (2, 3, 4):
        iterate(the_study, shift)
    roll_back(the_study, target)
    assert [shift_of(the_study, f"case {n}") for n in range(3)] == [expected] * 3
    assert [i.is_rolled_back for i in iterations(the_study)] == [n > target for n in (1, 2, 3)]
    assert [len(the_study.versions(f"case {n}")) for n in range(3)] == [4, 4, 4]
    # A new iteration has a number of its own, and going back never meets a rolled-back one.
    assert iterate(the_study, 6) == 4
    roll_back(the_study, target)
    assert [shift_of(the_study, f"case {n}") for n in range(3)] == [expected] * 3


def test_rolling_back_never_takes_a_persons_work_away(the_study):
    iterate(the_study, 2)
    number = the_study.case("case 0").current
    accept(the_study, "case 0", shifted(truth(0), 5), ANNA, number)
    correct(the_study, "case 1", shifted(truth(1), 6), ANNA, number)
    iterate(the_study, 3)
    roll_back(the_study, 0)
    assert [shift_of(the_study, f"case {n}") for n in range(3)] == [5, 6, 1]
    assert [the_study.case(f"case {n}").state for n in range(3)] == [
        "accepted", "corrected", "weak",
    ]  # fmt: skip


def test_rolling_back_never_puts_a_prediction_where_a_correction_kept_it_out(tmp_path):
    study = made_study(tmp_path, 3, hold_out=0.34)
    (held_out,) = (case.id for case in study.cases() if case.is_held_out)
    meanwhile, accepted = (case.id for case in study.cases() if not case.is_held_out)
    correct(study, held_out, shifted(truth(int(held_out[-1])), 5), ANNA, 1)
    one = begin(study, SETTINGS, BASE_SHA256)
    correct(study, meanwhile, shifted(truth(int(meanwhile[-1])), 6), ANNA, 1)
    accept(study, accepted, shifted(truth(int(accepted[-1])), 7), ANNA, 1)
    predict(study, one.number, 3)
    finish(study, one.number, outcome())
    reopen(study, accepted)
    assert [shift_of(study, name) for name in (held_out, meanwhile, accepted)] == [5, 6, 7]
    roll_back(study, 1)
    assert [shift_of(study, name) for name in (held_out, meanwhile, accepted)] == [5, 6, 7]
    iterate(study, 4)
    assert [shift_of(study, name) for name in (held_out, meanwhile, accepted)] == [5, 4, 4]
    roll_back(study, 1)
    assert [shift_of(study, name) for name in (held_out, meanwhile, accepted)] == [5, 6, 7]
    # A case that was reopened is not locked by going back.
    assert {case.state for case in study.cases()} == {"corrected"}


@pytest.mark.parametrize("leave", [skip, lambda study, name: fail(study, name, "No file.")])
def test_skipped_and_failed_cases_go_back_as_well_and_stay_what_they_are(the_study, leave):
    iterate(the_study, 3)
    leave(the_study, "case 0")
    state = the_study.case("case 0").state
    roll_back(the_study, 0)
    assert (the_study.case("case 0").state, shift_of(the_study, "case 0")) == (state, 1)
    reopen(the_study, "case 0")
    one = begin(the_study, SETTINGS, BASE_SHA256)
    assert inputs_of(the_study, one.number)["case 0"].making.origin == "weak"


def test_a_case_that_had_no_first_labels_has_none_again_before_the_first_iteration(tmp_path):
    folders = study_folders(tmp_path, 2)
    (folders["weak"] / "case 1.nii.gz").unlink()
    study = create_study(tmp_path / "study", study_source(folders))
    one = begin(study, SETTINGS, BASE_SHA256)
    predict(study, one.number, 3)
    making = Making("predicted", weights_sha256="d" * 64, iteration=1)
    add_version(study, "case 1", NewVersion(truth(1), making, is_current=False), None)
    finish(study, one.number, outcome())
    assert study.case("case 1").state == "predicted"
    roll_back(study, 0)
    assert (study.case("case 1").state, study.case("case 1").current) == ("new", None)
    assert "case 1" not in inputs_of(study, begin(study, SETTINGS, BASE_SHA256).number)
    assert len(study.versions("case 1")) == 1


def test_rolling_back_gives_an_unfinished_iteration_up(the_study):
    iterate(the_study, 2)
    one = begin(the_study, SETTINGS, BASE_SHA256)
    predict(the_study, one.number, 3)
    roll_back(the_study, 1)
    assert unfinished(the_study) is None
    assert iterations(the_study)[1].verdict == "Given up."
    assert shift_of(the_study, "case 0") == 2
    assert begin(the_study, '{"epochs": 9}', BASE_SHA256).number == 3


@pytest.mark.parametrize("number", [-1, 2, 9])
def test_an_iteration_that_is_not_there_cannot_be_gone_back_to(the_study, number):
    iterate(the_study, 2)
    iterate(the_study, 3, is_kept=False)
    with pytest.raises(SegmentationAIError, match="there are: 0, 1"):
        roll_back(the_study, number)
    assert shift_of(the_study, "case 0") == 2


def test_reopened_labels_that_a_person_accepted_can_be_predicted_again(the_study):
    accept(the_study, "case 0", truth(0), ANNA, 1)
    reopen(the_study, "case 0")
    iterate(the_study, 3)
    assert shift_of(the_study, "case 0") == 3


def test_what_was_predicted_of_a_locked_case_does_not_take_changes_away_that_are_unlocked_since(
    the_study,
):
    accept(the_study, "case 0", shifted(truth(0), 5), ANNA, 1)
    one = begin(the_study, SETTINGS, BASE_SHA256)
    predict(the_study, one.number, 3)
    reopen(the_study, "case 0")
    finish(the_study, one.number, outcome())
    assert [shift_of(the_study, f"case {n}") for n in range(3)] == [5, 3, 3]
    assert the_study.case("case 0").state == "corrected"
    iterate(the_study, 4)
    assert shift_of(the_study, "case 0") == 4


def test_only_one_window_runs_the_loop(the_study):
    other = open_study(the_study.folder)
    with (
        the_study.running_alone(),
        pytest.raises(SegmentationAIError, match="being relabelled by another window"),
        other.running_alone(),
    ):
        pass


def test_other_settings_for_an_unfinished_iteration_are_refused_by_what_differs(tmp_path):
    study = made_study(tmp_path)
    begin(study, '{"gate": 0.8, "epochs": 15}', BASE_SHA256)
    told = r"Iteration 1 is unfinished and was begun with gate 0\.8; .* relabel rollback 0\."
    with pytest.raises(SegmentationAIError, match=told):
        begin(study, '{"gate": 0.5, "epochs": 15}', BASE_SHA256)
