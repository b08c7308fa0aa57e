"""The versions of a case: which are shown, on which slice, and that they lie where they are."""

import numpy as np
import pytest
from study_files import iterate, made_study, scan, shifted, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.learn.study.case_history import (
    MOST_VERSIONS,
    case_history,
    slice_of_largest_change,
)
from SegmentationAILib.learn.study.person import Work, accept, correct

WHO = Work("Anna", 1.0)
PLACE = 2


@pytest.fixture
def the_study(tmp_path):
    return made_study(tmp_path, 2)


def painted(labels, rows=slice(None)):
    """The labels with most of one slice painted: no other change is as large on any slice."""
    layer = labels.layers[0].copy()
    layer[1:, rows, PLACE] = 2
    return Labelmap((layer,), labels.labels, labels.affine)


def dice(first, second):
    a, b = first.layers[0], second.layers[0]
    return np.mean(
        [2 * ((a == v) & (b == v)).sum() / ((a == v).sum() + (b == v).sum()) for v in (1, 2)]
    )


def test_first_labels_iterations_and_the_last_correction_are_shown_oldest_first(the_study):
    iterate(the_study, 0)
    iterate(the_study, 2)
    before = shifted(truth(0), 2)
    correct(the_study, "case 0", painted(before, slice(0, 3)), WHO, 3)
    correct(the_study, "case 0", painted(before), WHO, 4)
    accept(the_study, "case 0", painted(before), WHO, 5)
    found = case_history(the_study, "case 0")
    told = [(x.version.making.origin, x.version.making.iteration) for x in found.versions]
    assert told == [("weak", 0), ("predicted", 1), ("predicted", 2), ("corrected", 0),
                    ("accepted", 0)]  # fmt: skip
    assert [x.version.number for x in found.versions] == [1, 2, 3, 5, 6]
    expected = [None, dice(shifted(truth(0)), truth(0)), dice(truth(0), before),
                dice(before, painted(before)), 1.0]  # fmt: skip
    assert [x.dice for x in found.versions] == pytest.approx(expected)


def test_the_slice_of_the_largest_change_is_shown_where_it_lies(the_study):
    iterate(the_study, 0)
    after = painted(truth(1))
    correct(the_study, "case 1", after, WHO, 2)
    found = case_history(the_study, "case 1")
    # The phantoms' last axis is the one nearest to the patient's.
    assert (found.axis, found.place) == (2, PLACE)
    assert found.volume.grid.shape[2] == 1
    whole = scan(1)
    corners = np.array([[0.0, 0, 0], np.array(found.volume.grid.shape) - 1.0])
    ijk = whole.grid.ijk_from_ras(found.volume.grid.ras_from_ijk(corners))
    np.testing.assert_allclose(ijk, ijk.round(), atol=1e-3)
    low, high = ijk.round().astype(int)
    box = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
    np.testing.assert_array_equal(found.volume.voxels, whole.voxels[(slice(None), *box)])
    last = found.versions[-1]
    np.testing.assert_array_equal(last.labels.layers[0], after.layers[0][box])
    changed = (after.layers[0] != truth(1).layers[0])[box]
    np.testing.assert_array_equal(last.touched, changed)
    assert found.versions[0].touched is None


def test_the_labels_are_shown_with_a_little_room_around(the_study):
    found = case_history(the_study, "case 0")
    labels = shifted(truth(0)).layers[0]
    # One version alone: the slice with most labels.
    assert found.place == np.count_nonzero(labels, axis=(0, 1)).argmax()
    cut = labels[..., found.place]
    for axis in (0, 1):
        where = np.flatnonzero(cut.any(axis=1 - axis))
        room = max(6, round(0.35 * (where[-1] + 1 - where[0])))
        low, high = max(0, where[0] - room), min(cut.shape[axis], where[-1] + 1 + room)
        assert found.volume.grid.shape[axis] == high - low
    assert found.versions[0].labels.grid.matches(found.volume.grid)
    assert np.count_nonzero(found.versions[0].labels.layers[0]) == np.count_nonzero(cut)


def test_of_many_iterations_the_first_labels_and_the_newest_are_shown(the_study):
    for number in range(MOST_VERSIONS + 2):
        iterate(the_study, number % 3)
    found = case_history(the_study, "case 0")
    iterations = [one.version.making.iteration for one in found.versions]
    assert iterations == [0, *range(4, MOST_VERSIONS + 3)]


def test_a_case_without_labels_says_so(tmp_path):
    study = made_study(tmp_path, 2)
    with pytest.raises(SegmentationAIError, match="no case case 9"):
        case_history(study, "case 9")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_change_is_counted_along_each_axis(axis):
    first = np.zeros((5, 7, 9), np.uint8)
    second = first.copy()
    second[4, 6, 8] = 1
    assert slice_of_largest_change([first, second], axis) == (4, 6, 8)[axis]
    assert slice_of_largest_change([first, first], axis) == (2, 3, 4)[axis]
    assert slice_of_largest_change([second], axis) == (4, 6, 8)[axis]
