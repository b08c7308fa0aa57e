"""Splits: by patient and by seed, and the same on every machine."""

from pathlib import Path

import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.dataset import CaseFiles, read_dataset
from SegmentationAILib.learn.split import Split, folds, hold_out_split, split_by_ids


def cases_of(patients):
    return tuple(
        CaseFiles(f"c{n}", (Path(f"v{n}.nii"),), Path(f"l{n}.nii"), patient)
        for n, patient in enumerate(patients)
    )


# Two to four files of each of 13 patients, in no order.
CASES = cases_of([f"p{(7 * n) % 13}" for n in range(40)])


def patients(cases):
    return {case.patient for case in cases}


@pytest.mark.parametrize("seed", range(5))
def test_no_patient_is_on_both_sides_and_no_case_is_lost(seed):
    split = hold_out_split(CASES, 0.3, seed)
    assert not patients(split.training) & patients(split.hold_out)
    assert set(split.training) | set(split.hold_out) == set(CASES)
    assert len(patients(split.hold_out)) == 4  # 0.3 of 13 is 3.9


def test_every_patient_is_held_out_in_exactly_one_fold():
    splits = folds(CASES, 5, 3)
    held_out = [patient for one in splits for patient in sorted(patients(one.hold_out))]
    assert sorted(held_out) == sorted(patients(CASES))
    assert {len(patients(one.hold_out)) for one in splits} == {2, 3}
    for one in splits:
        assert not patients(one.training) & patients(one.hold_out)


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_the_cases():
    ids = {case.id for case in hold_out_split(CASES, 0.3, 0).hold_out}
    assert ids == {case.id for case in hold_out_split(CASES[::-1], 0.3, 0).hold_out}
    assert ids != {case.id for case in hold_out_split(CASES, 0.3, 1).hold_out}


def test_the_split_of_the_documentation_is_the_same_on_every_machine():
    """Worked out with `printf 0:p3 | sha256sum`: no code of ours, no library that could change."""
    by_hash = ["p2", "p7", "p4", "p5", "p0", "p3", "p8", "p6", "p1", "p9"]
    split = hold_out_split(cases_of([f"p{n}" for n in range(10)]), 0.3, 0)
    assert patients(split.hold_out) == set(by_hash[:3])


def test_forty_of_the_hippocampi_are_held_out(the_data):
    split = hold_out_split(read_dataset(the_data / "hippocampus").cases, 0.2, 0)
    assert (len(split.training), len(split.hold_out)) == (160, 40)


def test_a_patient_who_is_added_changes_hardly_anything():
    before = patients(hold_out_split(cases_of([f"p{n}" for n in range(40)]), 0.25, 2).hold_out)
    after = patients(hold_out_split(cases_of([f"p{n}" for n in range(41)]), 0.25, 2).hold_out)
    assert len(before ^ after) <= 2


def test_a_fixed_hold_out_is_taken_as_it_is_named():
    split = split_by_ids(cases_of("abcd"), ["c1", "c3"])
    assert [case.id for case in split.hold_out] == ["c1", "c3"]
    assert hold_out_split(CASES, 0.0, 0) == Split(CASES, ())


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: split_by_ids(cases_of("aab"), ["c1"]), "patient.* a are both"),
        (lambda: split_by_ids(cases_of("ab"), ["c7"]), "names c7"),
        (lambda: split_by_ids(cases_of("ab"), ["c0", "c1"]), "none is left"),
        (lambda: hold_out_split(cases_of("aaa"), 0.2, 0), "of one patient"),
        (lambda: hold_out_split(cases_of("ab"), 1.0, 0), "0 to under 1"),
        (lambda: folds(cases_of("abc"), 4, 0), "2 to 3"),
        (lambda: folds(cases_of("abc"), 1, 0), "2 to 3"),
    ],
)
def test_impossible_splits_are_refused_in_a_sentence(make, told):
    with pytest.raises(SegmentationAIError, match=told):
        make()
