"""Labelmaps in one layer: values exact or refused, layers merged or refused; cases 38 and 39."""

import numpy as np
import pytest

from SegmentationAILib.core.errors import FileFormatError, SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.one_layer import (
    default_label,
    integer_layer,
    merged,
    present_values,
    volume_from_labelmap,
    with_missing_rows,
)

SHAPE = (4, 3, 5)


def zeros(dtype=np.uint8):
    return np.zeros(SHAPE, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int32, np.int64, np.uint64])
@pytest.mark.parametrize(
    ("highest", "stored"),
    [(3, np.uint8), (255, np.uint8), (256, np.uint16), (65536, np.uint32), (2**24, np.uint32)],
)
def test_whole_numbers_of_any_type_are_kept_exactly(dtype, highest, stored):
    if np.dtype(dtype).kind == "i" and highest > np.iinfo(dtype).max:
        highest, stored = 3, np.uint8  # a value that the type itself can hold
    voxels = zeros(dtype)
    voxels[1, 2, 3], voxels[3, 0, 0] = highest, 1
    layer = integer_layer(voxels, "x.nii")
    assert layer.dtype == stored
    assert {tuple(at): int(layer[tuple(at)]) for at in np.argwhere(layer)} == {
        (1, 2, 3): highest,
        (3, 0, 0): 1,
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.float32(1.0000001), "1.0000001"),
        (np.float64(0.5), "0.5"),
        (np.int16(-1), "-1"),
        (np.float32(-3), "-3.0"),
        (np.float32("nan"), "nan"),
        (np.float32("inf"), "inf"),
        (np.float64(2**32), "4294967296.0"),
        (np.int64(2**40), "1099511627776"),
    ],
)
def test_case_39_other_values_are_refused_with_their_place(value, shown):
    voxels = zeros(value.dtype)
    voxels[1, 2, 3] = value
    with pytest.raises(FileFormatError, match=rf"x\.nii.*\(1, 2, 3\) has the value {shown}"):
        integer_layer(voxels, "x.nii")


def test_an_array_that_is_right_already_is_not_copied():
    layer = zeros()
    layer[0, 0, 0] = 7
    assert integer_layer(layer, "x") is layer


@pytest.mark.parametrize("order", ["C", "F"])
def test_present_values_are_those_that_occur(order):
    layer = np.asarray(zeros(np.uint16), order=order)
    assert present_values(layer) == []
    layer[0, 0, 0], layer[3, 2, 4], layer[1, 1] = 300, 7, 12
    assert present_values(layer) == [7, 12, 300]


def test_values_without_a_row_get_one_with_a_color_of_its_own():
    layer = zeros()
    layer[0], layer[1] = 1, 2
    rows = with_missing_rows([Label(1, "x")], (layer,))
    assert [(row.value, row.name) for row in rows] == [(1, "x"), (2, "Label 2")]
    colors = {default_label(value).color for value in range(1, 301)}
    assert len(colors) == 300


def test_layers_that_do_not_overlap_become_one_with_their_values():
    lower, upper = zeros(), zeros(np.uint16)
    lower[0], upper[1], upper[2] = 5, 9, 300
    labels = (Label(5, "a"), Label(9, "b", layer=1), Label(300, "c", layer=1))
    one = merged(Labelmap((lower, upper), labels, np.eye(4)))
    assert [(row.name, row.value, row.layer) for row in one.labels] == [
        ("a", 5, 0),
        ("b", 9, 0),
        ("c", 300, 0),
    ]
    expected = zeros(np.uint16)
    expected[0], expected[1], expected[2] = 5, 9, 300
    np.testing.assert_array_equal(one.layers[0], expected)
    assert one.notes == ()


def test_a_value_that_two_layers_use_is_changed_in_the_second_and_said():
    lower, upper = zeros(), zeros()
    lower[0], lower[1], upper[2] = 1, 2, 1
    labels = (Label(1, "a"), Label(2, "b"), Label(1, "c", layer=1))
    one = merged(Labelmap((lower, upper), labels, np.eye(4)))
    assert {row.name: row.value for row in one.labels} == {"a": 1, "b": 2, "c": 3}
    expected = zeros()
    expected[0], expected[1], expected[2] = 1, 2, 3
    np.testing.assert_array_equal(one.layers[0], expected)
    assert any("1 to 3" in note for note in one.notes)


def test_overlapping_segments_are_refused_by_name_with_the_way_out():
    lower, upper = zeros(), zeros()
    lower[0], lower[2], upper[1:3, 1] = 1, 2, 1
    labels = (Label(1, "liver"), Label(2, "heart"), Label(1, "spine", layer=1))
    with pytest.raises(SegmentationAIError, match=r"'heart' and 'spine' overlap.*\.seg\.nrrd"):
        merged(Labelmap((lower, upper), labels, np.eye(4)))


def test_case_38_a_label_of_300_takes_16_bits_and_one_of_255_takes_8():
    for highest, dtype in ((255, np.uint8), (300, np.uint16)):
        layer = zeros(np.int32)
        layer[1, 1, 1] = highest
        labelmap = Labelmap((layer,), (Label(highest, "x"),), np.eye(4))
        volume = volume_from_labelmap(labelmap)
        assert volume.voxels.dtype == dtype
        assert int(volume.voxels[0, 1, 1, 1]) == highest
