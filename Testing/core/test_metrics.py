"""Scores against MONAI, against geometry that is known, and at the edges of what is defined."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch
from monai.metrics import (
    DiceMetric,
    compute_average_surface_distance,
    compute_hausdorff_distance,
    compute_surface_dice,
)

from SegmentationAILib.core import metrics
from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.core.metrics import Scores, compare

SPACING = (0.9, 1.3, 2.5)


def two_labelings(shape=(40, 36, 22), values=4, seed=0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random labels that reach the edges of the array, and a moved, noisier twin."""
    rng = np.random.default_rng(seed)
    fields = np.stack([ndi.gaussian_filter(rng.normal(size=shape), 3) for _ in range(values)])
    other = np.roll(fields, (1, 2, 1), axis=(1, 2, 3)) + 0.02 * rng.normal(size=fields.shape)
    labelings = []
    for field in (fields, other):
        labels = (field.argmax(axis=0) + 1).astype(np.uint8)
        labels[field.max(axis=0) < 0.03] = 0
        labelings.append(labels)
    return labelings[0], labelings[1]


def one_hot(labels: np.ndarray, values) -> torch.Tensor:
    return torch.from_numpy(np.stack([labels == v for v in (0, *values)])[None].astype(np.float32))


@pytest.mark.parametrize("way", ["tree", "edt", "without edt"])
def test_voxel_borders_equal_monai(way, monkeypatch):
    monkeypatch.setattr(metrics, "TREE_SHARE", 1e9 if way == "tree" else 0.0)
    if way == "without edt":
        monkeypatch.setattr(metrics, "edt", None)
    reference, prediction = two_labelings()
    values = [1, 2, 3, 4]
    ours = compare(reference, prediction, SPACING, values, 1.7)
    a, b = one_hot(reference, values), one_hot(prediction, values)
    dice = DiceMetric(include_background=False, reduction="none")(b, a)[0]
    hd95 = compute_hausdorff_distance(b, a, percentile=95, spacing=SPACING)[0]
    surface = compute_surface_dice(b, a, [1.7] * 4, spacing=SPACING)[0]
    mean = compute_average_surface_distance(b, a, symmetric=True, spacing=SPACING)[0]
    for n, value in enumerate(values):
        assert ours[value].dice == pytest.approx(dice[n].item(), abs=1e-5)
        assert ours[value].hd95_mm == pytest.approx(hd95[n].item(), abs=1e-5)
        assert ours[value].surface_dice == pytest.approx(surface[n].item(), abs=1e-5)
        assert ours[value].mean_surface_distance_mm == pytest.approx(mean[n].item(), abs=1e-5)
        ml = np.prod(SPACING) / 1000
        assert ours[value].reference_ml == pytest.approx((reference == value).sum() * ml)
        assert ours[value].prediction_ml == pytest.approx((prediction == value).sum() * ml)


def test_surface_dice_by_area_equals_monai_with_subvoxels():
    reference, prediction = two_labelings(seed=5)
    # MONAI's subvoxel surfaces leave out the outermost half voxel of the array: keep away from it.
    for labels in (reference, prediction):
        inside = np.zeros(labels.shape, bool)
        inside[2:-2, 2:-2, 2:-2] = True
        labels[~inside] = 0
    values = [1, 2, 3, 4]
    ours = compare(reference, prediction, SPACING, values, 1.7, border="area")
    a, b = one_hot(reference, values), one_hot(prediction, values)
    surface = compute_surface_dice(b, a, [1.7] * 4, spacing=SPACING, use_subvoxels=True)[0]
    for n, value in enumerate(values):
        assert ours[value].surface_dice == pytest.approx(surface[n].item(), abs=1e-5)


def box_labels(low, high, shape=(30, 30, 30)) -> np.ndarray:
    labels = np.zeros(shape, np.uint8)
    labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1
    return labels


@pytest.mark.parametrize("border", ["voxel", "area"])
def test_a_plate_moved_by_three_voxels_is_three_voxels_away(border):
    # Two parallel plates: every surface element but a few at the rim is 3 x 2 mm from the other.
    first = box_labels((0, 0, 10), (30, 30, 11))
    second = box_labels((0, 0, 13), (30, 30, 14))
    scores = compare(first, second, (1, 1, 2), [1], 2.0, border)[1]
    expected = 6.0
    assert scores.dice == 0
    assert scores.hd95_mm == pytest.approx(expected, abs=1e-5)
    if border == "voxel":
        assert scores.surface_dice == 0
        assert scores.mean_surface_distance_mm == pytest.approx(expected, abs=1e-5)
        assert compare(first, second, (1, 1, 2), [1], 6.0)[1].surface_dice == 1


def test_nested_boxes_have_the_dice_and_distance_of_geometry():
    outer, inner = box_labels((5, 5, 5), (25, 25, 25)), box_labels((7, 7, 7), (23, 23, 23))
    scores = compare(outer, inner, (0.5, 0.5, 0.5), [1], 1.0)[1]
    assert scores.dice == pytest.approx(2 * 16**3 / (20**3 + 16**3))
    assert scores.reference_ml == pytest.approx(20**3 * 0.125 / 1000)
    # Faces lie 2 voxels (1 mm) apart, edges 2 * sqrt(2) and corners 2 * sqrt(3).
    assert 1.0 <= scores.hd95_mm <= np.sqrt(3) + 1e-6
    faces = 6 * 16**2
    outside = 20**3 - 18**3
    inside = 16**3 - 14**3
    assert scores.surface_dice == pytest.approx((faces + inside) / (outside + inside), abs=1e-6)


def test_a_distance_that_is_the_tolerance_counts_as_within():
    first, second = box_labels((4, 4, 4), (9, 9, 9)), box_labels((4, 4, 7), (9, 9, 12))
    scores = compare(first, second, (1, 1, 0.8), [1], 2.4)[1]
    assert scores.surface_dice == 1


@pytest.mark.parametrize("border", ["voxel", "area"])
def test_equal_labels_agree_wholly(border):
    labels, _ = two_labelings()
    for scores in compare(labels, labels, SPACING, [1, 2, 3, 4], 0.0, border).values():
        assert (scores.dice, scores.hd95_mm, scores.surface_dice) == (1, 0, 1)
        assert scores.mean_surface_distance_mm == 0


@pytest.mark.parametrize("border", ["voxel", "area"])
def test_swapping_flipping_and_permuting_change_nothing(border):
    reference, prediction = two_labelings(seed=2)
    expected = compare(reference, prediction, SPACING, [1, 2], 2.0, border)
    order = (2, 0, 1)
    moved = compare(
        prediction[::-1, :, ::-1].transpose(order),
        reference[::-1, :, ::-1].transpose(order),
        tuple(SPACING[axis] for axis in order),
        [1, 2],
        2.0,
        border,
    )
    for value in (1, 2):
        assert moved[value].dice == pytest.approx(expected[value].dice)
        assert moved[value].hd95_mm == pytest.approx(expected[value].hd95_mm, abs=1e-4)
        # Marching cubes have two solutions for opposite corners: not equal to the last digit.
        assert moved[value].surface_dice == pytest.approx(expected[value].surface_dice, abs=5e-3)


def test_empty_space_around_changes_nothing():
    reference, prediction = two_labelings(seed=3)
    padded = [np.pad(labels, ((3, 9), (1, 2), (6, 0))) for labels in (reference, prediction)]
    for border in ("voxel", "area"):
        expected = compare(reference, prediction, SPACING, [1, 3], 2.0, border)
        assert compare(*padded, SPACING, [1, 3], 2.0, border) == expected


def test_a_label_absent_from_both_has_no_scores():
    labels, _ = two_labelings()
    assert compare(labels, labels, SPACING, [9]) == {9: Scores()}


@pytest.mark.parametrize("border", ["voxel", "area"])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_label_absent_from_one_has_dice_zero_and_no_distance(border, swapped):
    some, none = box_labels((2, 2, 2), (6, 6, 6)), box_labels((0, 0, 0), (0, 0, 0))
    pair = (none, some) if swapped else (some, none)
    scores = compare(*pair, SPACING, [1], 2.0, border)[1]
    assert (scores.dice, scores.surface_dice) == (0, 0)
    assert scores.hd95_mm is None
    assert scores.mean_surface_distance_mm is None
    assert sorted([scores.reference_ml, scores.prediction_ml])[0] == 0


@pytest.mark.parametrize("border", ["voxel", "area"])
def test_a_label_that_fills_the_array_has_its_edge_as_surface(border):
    full = np.ones((6, 7, 8), np.uint8)
    less = full.copy()
    less[0] = 0
    same = compare(full, full, SPACING, [1], 0.0, border)[1]
    assert (same.dice, same.hd95_mm, same.surface_dice) == (1, 0, 1)
    scores = compare(full, less, SPACING, [1], 2.0, border)[1]
    assert scores.hd95_mm == pytest.approx(SPACING[0], abs=1e-5)


def test_single_voxels_and_single_slices_are_scored():
    first, second = np.zeros((1, 9, 9), bool), np.zeros((1, 9, 9), bool)
    first[0, 2, 2] = second[0, 2, 6] = True
    scores = compare(first, second, (1, 1, 1.5), [1])[1]
    assert scores.hd95_mm == pytest.approx(6.0)
    assert scores.mean_surface_distance_mm == pytest.approx(6.0)


def test_background_is_left_out_and_large_values_are_not():
    labels = np.zeros((5, 5, 5), np.int64)
    labels[1:3] = 1_000_000_007
    scores = compare(labels, labels, SPACING, [0, 1_000_000_007])
    assert list(scores) == [1_000_000_007]
    assert scores[1_000_000_007].dice == 1


def test_another_shape_is_a_geometry_error():
    with pytest.raises(GeometryError, match=r"\(4, 4, 4\).*\(4, 4, 5\)"):
        compare(np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 5), np.uint8), SPACING, [1])


def test_anything_that_cannot_be_scored_is_refused():
    labels = np.zeros((4, 4, 4), np.uint8)
    with pytest.raises(ValueError, match="no integers"):
        compare(labels.astype(float), labels, SPACING, [1])
    with pytest.raises(ValueError, match="border"):
        compare(labels, labels, SPACING, [1], 2.0, "subvoxel")
    with pytest.raises(ValueError, match="tolerance"):
        compare(labels, labels, SPACING, [1], -1.0)
