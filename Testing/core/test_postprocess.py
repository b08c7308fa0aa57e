"""Cleaning of labels against the loop over labels with scipy, bit for bit."""

import numpy as np
import pytest
import scipy.ndimage as ndi

from SegmentationAILib.core import postprocess
from SegmentationAILib.core.postprocess import (
    fill_holes,
    keep_largest_components,
    remove_small_components,
)

STRUCTURE = {6: 1, 18: 2, 26: 3}


def patchy_labels(seed: int, shape=(31, 40, 23), values=9, dtype=np.uint8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    fields = np.stack([ndi.gaussian_filter(rng.normal(size=shape), 1.3) for _ in range(values)])
    labels = (fields.argmax(axis=0) + 1).astype(dtype)
    labels[fields.max(axis=0) < 0.15] = 0
    return labels


def largest_by_scipy(labels: np.ndarray, values, connectivity: int) -> np.ndarray:
    result = np.where(np.isin(labels, values), 0, labels)
    for value in values:
        found, number = ndi.label(
            labels == value, ndi.generate_binary_structure(3, STRUCTURE[connectivity])
        )
        if number:
            result[found == np.bincount(found.ravel())[1:].argmax() + 1] = value
    return result


def filled_by_scipy(labels: np.ndarray) -> np.ndarray:
    result = labels.copy()
    boxes = ndi.find_objects(labels)
    sizes = {v: np.prod([s.stop - s.start for s in boxes[v - 1]]) for v in np.unique(labels) if v}
    for value in sorted(sizes, key=lambda v: (sizes[v], v)):
        result[ndi.binary_fill_holes(labels == value) & (result == 0)] = value
    return result


@pytest.fixture(params=["fast", "without the packages"])
def either_way(request, monkeypatch):
    if request.param != "fast":
        monkeypatch.setattr(postprocess, "cc3d", None)
        monkeypatch.setattr(postprocess, "fill_voids", None)
    return request.param


@pytest.mark.parametrize("connectivity", [6, 18, 26])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_largest_components_equal_the_loop_over_labels(either_way, connectivity, dtype):
    labels = patchy_labels(1, dtype=dtype) * np.asarray(30, dtype)
    values = [int(v) for v in np.unique(labels) if v]
    cleaned = keep_largest_components(labels, None, connectivity)
    expected = largest_by_scipy(labels, values, connectivity)
    np.testing.assert_array_equal(cleaned.labels, expected)
    assert cleaned.labels.dtype == dtype
    assert cleaned.changed_voxels == np.count_nonzero(labels != expected)
    assert bool(cleaned.notes) == (either_way != "fast")


def test_of_components_of_one_size_the_first_stays(either_way):
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[6:8, 1:3, 1:3] = labels[1:3, 6:8, 6:8] = labels[1:3, 1:3, 5:7] = 4
    cleaned = keep_largest_components(labels, connectivity=6).labels
    assert cleaned[1:3, 1:3, 5:7].all()
    assert np.count_nonzero(cleaned) == 8


def test_only_the_values_asked_for_are_cleaned(either_way):
    labels = patchy_labels(2)
    cleaned = keep_largest_components(labels, [3, 5], 6).labels
    np.testing.assert_array_equal(cleaned, largest_by_scipy(labels, [3, 5], 6))


def test_order_of_the_array_in_memory_does_not_matter(either_way):
    labels = patchy_labels(3)
    fortran = keep_largest_components(np.asfortranarray(labels)).labels
    np.testing.assert_array_equal(fortran, keep_largest_components(labels).labels)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flipping_before_or_after_gives_the_same(axis):
    labels = patchy_labels(4)
    spacing = (0.7, 1.0, 3.0)
    cleaned = remove_small_components(np.flip(labels, axis), spacing, 0.02).labels
    np.testing.assert_array_equal(
        np.flip(cleaned, axis), remove_small_components(labels, spacing, 0.02).labels
    )
    np.testing.assert_array_equal(
        np.flip(fill_holes(np.flip(labels, axis)).labels, axis), fill_holes(labels).labels
    )


def test_components_below_a_volume_go_and_those_of_that_volume_stay(either_way):
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[1:6, 1:6, 1:5] = 1  # 100 voxels of 0.5 x 1 x 2 mm: 0.1 ml
    labels[10:15, 10:15, 10:14] = 2
    labels[14, 14, 13] = 0  # 99 voxels
    cleaned = remove_small_components(labels, (0.5, 1.0, 2.0), 0.1).labels
    assert (cleaned[1:6, 1:6, 1:5] == 1).all()
    assert not (cleaned == 2).any()


def test_holes_equal_the_loop_over_labels(either_way):
    labels = patchy_labels(5, values=3)
    labels[np.random.default_rng(6).random(labels.shape) < 0.1] = 0
    cleaned = fill_holes(labels)
    np.testing.assert_array_equal(cleaned.labels, filled_by_scipy(labels))
    assert cleaned.changed_voxels > 20
    assert bool(cleaned.notes) == (either_way != "fast")


def test_the_inner_label_gets_its_own_hole_and_stays_inside_the_outer_one(either_way):
    labels = np.zeros((15, 15, 15), np.uint16)
    labels[1:14, 1:14, 1:14] = 1
    labels[3:12, 3:12, 3:12] = 0
    labels[5:10, 5:10, 5:10] = 700
    labels[7, 7, 7] = 0
    cleaned = fill_holes(labels).labels
    assert cleaned[7, 7, 7] == 700
    assert cleaned[4, 4, 4] == 1
    assert np.count_nonzero(cleaned == 700) == 125


def test_a_notch_at_the_edge_of_the_array_is_no_hole(either_way):
    labels = np.ones((5, 6, 7), np.uint8)
    labels[0, 3, 3] = labels[4, 5, 0] = 0
    labels[2, 3, 3] = 0
    cleaned = fill_holes(labels).labels
    assert cleaned[0, 3, 3] == 0
    assert cleaned[4, 5, 0] == 0
    assert cleaned[2, 3, 3] == 1


def test_a_volume_of_one_slice_has_no_holes(either_way):
    ring = np.ones((7, 7, 1), np.uint8)
    ring[3, 3] = 0
    np.testing.assert_array_equal(fill_holes(ring).labels, ring)


def test_nothing_and_everything_are_left_as_they_are(either_way):
    for labels in (np.zeros((4, 5, 6), np.uint8), np.full((4, 5, 6), 2, np.uint8)):
        for cleaned in (
            keep_largest_components(labels),
            remove_small_components(labels, (1, 1, 1), 0.001),
            fill_holes(labels),
        ):
            np.testing.assert_array_equal(cleaned.labels, labels)
            assert cleaned.changed_voxels == 0


def test_values_beyond_sixteen_bits_are_filled_as_well(either_way):
    labels = np.full((5, 5, 5), 2_000_000_000, np.uint32)
    labels[2, 2, 2] = 0
    assert fill_holes(labels).labels[2, 2, 2] == 2_000_000_000
    labels[0] = 0
    assert fill_holes(labels).labels[2, 2, 2] == 2_000_000_000


def test_another_connectivity_is_refused():
    with pytest.raises(ValueError, match="connectivity 8"):
        keep_largest_components(np.zeros((2, 2, 2), np.uint8), connectivity=8)
