"""A person works on a case while an iteration replaces its labels: nothing of theirs is lost."""

import numpy as np
import pytest
from study_files import BASE_SHA256, made_study, shifted, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.learn.study.iterations import Outcome, begin, finish, inputs_of
from SegmentationAILib.learn.study.late_correction import (
    accept_what_was_seen,
    correct_what_was_seen,
)
from SegmentationAILib.learn.study.person import Work, correct, corrected_voxels
from SegmentationAILib.learn.study.records import Making
from SegmentationAILib.learn.study.versions import NewVersion, add_version, read_version

ANNA = Work("Anna", 30.0)


def iterate(study, off):
    one = begin(study, "{}", BASE_SHA256)
    for name, version in inputs_of(study, one.number).items():
        making = Making("predicted", weights_sha256="d" * 64, iteration=one.number)
        labels = shifted(truth(int(name.split()[1])), off)
        add_version(study, name, NewVersion(labels, making, is_current=False), version.number)
    finish(study, one.number, Outcome("d" * 64, 0.9, 0.1, None, "Goes on.", True, 1.0))


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
    version = correct_what_was_seen(study, "case 0", labels, ANNA, seen=1)
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
    version = accept_what_was_seen(study, "case 0", labels, ANNA, seen=1)
    np.testing.assert_array_equal(read_version(study, version).layers[0], labels.layers[0])
    assert study.case("case 0").state == "accepted"


def test_without_a_prediction_in_between_it_is_an_ordinary_correction(tmp_path, the_edit):
    labels, painted = the_edit
    study = made_study(tmp_path, 2)
    version = correct_what_was_seen(study, "case 0", labels, ANNA, seen=1)
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
        store(study, "case 0", labels, ANNA, seen=1)
    assert study.versions("case 0") == before
