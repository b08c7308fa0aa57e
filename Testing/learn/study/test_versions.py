"""Label versions: none is lost, none is overwritten, two windows do not meet in one."""

import threading

import numpy as np
import pytest
from study_files import made_study, scan, shifted, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.files import write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.learn.study.person import (
    Work,
    accept,
    correct,
    corrected_voxels,
    fail,
    reopen,
    skip,
    touched_voxels,
)
from SegmentationAILib.learn.study.records import Making
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.learn.study.versions import NewVersion, add_version, read_version

ANNA = Work("Anna", 90.0)


@pytest.fixture
def the_study(tmp_path):
    return made_study(tmp_path, 3)


def prediction(labels, iteration=1, **changes):
    making = Making("predicted", network="net", weights_sha256="c" * 64, iteration=iteration)
    return NewVersion(labels, making, **changes)


def test_every_version_can_be_read_after_later_ones(the_study):
    for number in range(5):
        add_version(the_study, "case 1", prediction(shifted(truth(1), number), number), number + 1)
    versions = open_study(the_study.folder).versions("case 1")
    assert [v.number for v in versions] == [1, 2, 3, 4, 5, 6]
    assert [v.parent for v in versions] == [None, 1, 2, 3, 4, 5]
    for number, version in enumerate(versions[1:]):
        found = read_version(the_study, version).layers[0]
        np.testing.assert_array_equal(found, np.roll(truth(1).layers[0], number, 0))


def test_a_version_says_who_made_it_when_and_how_long_it_took(the_study):
    write_labelmap(truth(0), the_study.folder.parent / "mine.nii.gz")
    accept(the_study, "case 0", the_study.folder.parent / "mine.nii.gz", ANNA, 1)
    version = open_study(the_study.folder).current_version("case 0")
    assert (version.making.origin, version.making.who, version.making.seconds) == (
        "accepted", "Anna", 90.0,
    )  # fmt: skip
    assert the_study.case("case 0").seconds_spent == 90.0
    assert version.made_at.endswith("+00:00")
    provenance = {row.provenance.origin for row in read_version(the_study, version).labels}
    assert provenance == {"accepted"}


def test_no_prediction_takes_the_place_of_accepted_labels(the_study):
    accept(the_study, "case 0", truth(0), ANNA, 1)
    with pytest.raises(SegmentationAIError, match="accepted; no prediction"):
        add_version(the_study, "case 0", prediction(shifted(truth(0))), 2)
    with pytest.raises(SegmentationAIError, match="reopen"):
        correct(the_study, "case 0", shifted(truth(0)), ANNA, 2)
    # One that does not become current is history, and history is kept.
    add_version(the_study, "case 0", prediction(shifted(truth(0)), is_current=False), 1)
    assert the_study.case("case 0").current == 2


def test_labels_from_a_window_that_saw_an_older_version_are_refused_and_nothing_changes(the_study):
    accept(the_study, "case 0", truth(0), ANNA, 1)
    files = sorted((the_study.folder / "labels").rglob("*.nrrd"))
    with pytest.raises(SegmentationAIError, match=r"had version 1 .* version 2 .*by Anna"):
        accept(the_study, "case 0", shifted(truth(0)), Work("Ben"), 1)
    assert sorted((the_study.folder / "labels").rglob("*.nrrd")) == files
    assert the_study.current_version("case 0").making.who == "Anna"


def test_of_two_windows_that_accept_at_once_one_wins_and_one_is_told(the_study):
    outcomes = []

    def accept_mine(name):
        study = open_study(the_study.folder)
        try:
            accept(study, "case 2", truth(2), Work(name), 1)
            outcomes.append("stored")
        except SegmentationAIError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=accept_mine, args=(f"window {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("stored") == 1
    assert all("changed by another window" in o for o in outcomes if o != "stored")
    assert [v.number for v in the_study.versions("case 2")] == [1, 2]


def test_a_case_that_is_open_in_one_window_cannot_be_opened_in_another(the_study):
    other = open_study(the_study.folder)
    case = the_study.case("case 0")
    with the_study.holding(case):
        with (
            pytest.raises(SegmentationAIError, match="open in another window"),
            other.holding(case),
        ):
            pass
        with other.holding(other.case("case 1")):
            pass
    with other.holding(case):
        pass


def test_corrections_remember_which_voxels_a_person_touched(the_study):
    first, second = truth(1), shifted(truth(1), 1)
    mine = second.layers[0].copy()
    mine[3:5, 4:9, 2] = 2
    version = correct(the_study, "case 1", Labelmap((mine,), second.labels, second.affine), ANNA, 1)
    touched = touched_voxels(the_study, version)
    np.testing.assert_array_equal(touched, mine != second.layers[0])
    assert the_study.case("case 1").state == "corrected"
    # A second correction adds to what was touched and forgets nothing.
    again = mine.copy()
    again[10, 10, 5] = 1 if again[10, 10, 5] == 2 else 2
    version = correct(the_study, "case 1", Labelmap((again,), first.labels, first.affine), ANNA, 2)
    np.testing.assert_array_equal(touched_voxels(the_study, version), touched | (again != mine))
    assert touched_voxels(the_study, the_study.versions("case 1")[0]) is None


def test_all_voxels_of_accepted_labels_are_decided_by_a_person(the_study):
    version = accept(the_study, "case 0", truth(0), ANNA, 1)
    assert touched_voxels(the_study, version).all()


def test_what_was_corrected_is_known_of_accepted_labels_too(the_study):
    weak = shifted(truth(0))
    mine = weak.layers[0].copy()
    mine[:3, 2:5, 1:4] = 2
    corrected = Labelmap((mine,), weak.labels, weak.affine)
    correct(the_study, "case 0", corrected, ANNA, 1)
    last = mine.copy()
    last[10, 10, 5] = 1 if mine[10, 10, 5] == 2 else 2
    version = accept(the_study, "case 0", Labelmap((last,), weak.labels, weak.affine), ANNA, 2)
    changed = last != weak.layers[0]
    np.testing.assert_array_equal(corrected_voxels(the_study, version), changed)
    # Reopened, it is no longer confirmed as a whole: a next correction adds to those.
    reopen(the_study, "case 0")
    again = last.copy()
    again[12, 3, 8] = 1 if last[12, 3, 8] == 2 else 2
    version = correct(the_study, "case 0", Labelmap((again,), weak.labels, weak.affine), ANNA, 3)
    np.testing.assert_array_equal(corrected_voxels(the_study, version), again != weak.layers[0])
    # Labels that were accepted as they were proposed have nothing that was corrected.
    version = accept(the_study, "case 1", shifted(truth(1)), ANNA, 1)
    assert corrected_voxels(the_study, version) is None


def test_labels_can_be_accepted_in_place_of_a_damaged_file_and_are_all_a_persons(the_study):
    path = the_study.file(the_study.current_version("case 0"))
    path.write_bytes(path.read_bytes()[:-9] + b"somewhere")
    with pytest.raises(SegmentationAIError, match="changed by something else"):
        correct(the_study, "case 0", truth(0), ANNA, 1)
    version = accept(the_study, "case 0", truth(0), ANNA, 1)
    assert corrected_voxels(the_study, version).all()


def test_an_accepted_case_that_failed_once_comes_back_accepted_and_locked(the_study):
    accept(the_study, "case 0", truth(0), ANNA, 1)
    fail(the_study, "case 0", "The volume is not in its folder any more.")
    reopen(the_study, "case 0")
    case = the_study.case("case 0")
    assert (case.state, case.reason, case.current) == ("accepted", "", 2)
    prediction = NewVersion(shifted(truth(0)), Making("predicted", iteration=1))
    with pytest.raises(SegmentationAIError, match="no prediction replaces it"):
        add_version(the_study, "case 0", prediction, 2)


def test_labels_on_another_grid_are_refused_and_the_case_is_as_it_was(the_study, tmp_path):
    write_labelmap(truth(2), tmp_path / "other.seg.nrrd")
    with pytest.raises(SegmentationAIError, match="same grid"):
        accept(the_study, "case 0", tmp_path / "other.seg.nrrd", ANNA, 1)
    assert len(the_study.versions("case 0")) == 1


@pytest.mark.parametrize("label", [Label(3, "Neck"), Label(2, "Neck")])
def test_a_label_that_the_study_does_not_have_is_refused(the_study, label):
    labels = truth(0)
    layer = np.where(labels.layers[0] == 2, label.value, labels.layers[0])
    other = Labelmap((layer,), (labels.labels[0], label), labels.affine)
    with pytest.raises(SegmentationAIError, match="this study has: 1 Head, 2 Tail"):
        accept(the_study, "case 0", other, ANNA, 1)


def test_a_volume_that_changed_after_the_study_was_made_is_noticed(the_study):
    case = the_study.case("case 0")
    write_volume(scan(7), the_study.volume_path(case))
    with pytest.raises(SegmentationAIError, match="was changed after the study was made"):
        accept(the_study, "case 0", truth(0), ANNA, 1)


def test_skipping_and_reopening_keep_the_labels(the_study):
    skip(the_study, "case 0")
    assert the_study.case("case 0").state == "skipped"
    reopen(the_study, "case 0")
    assert the_study.case("case 0").state == "weak"
    accept(the_study, "case 0", truth(0), ANNA, 1)
    with pytest.raises(SegmentationAIError, match="reopen"):
        skip(the_study, "case 0")
    reopen(the_study, "case 0")
    assert the_study.case("case 0").state == "corrected"
    assert the_study.case("case 0").current == 2


@pytest.mark.parametrize("seconds", [-5.0, float("inf"), float("nan")])
def test_a_time_that_cannot_be_is_refused(seconds):
    with pytest.raises(SegmentationAIError, match="0 or more were expected"):
        Work("Anna", seconds)
