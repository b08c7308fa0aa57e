import numpy as np
import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.weak_labels.otsu import OtsuOptions, otsu


def between_classes(values, thresholds):
    """Otsu's criterion, straight from its definition."""
    group = np.searchsorted(thresholds, values, side="left")
    parts = [values[group == number] for number in range(len(thresholds) + 1)]
    return sum(len(p) * (p.mean() - values.mean()) ** 2 for p in parts if len(p)) / len(values)


@pytest.fixture(scope="module")
def three_overlapping_groups():
    rng = np.random.default_rng(0)
    groups = [rng.normal(mean, 12, 900) for mean in (0, 60, 140)]
    return rng.permutation(np.concatenate(groups)).reshape(15, 12, 15)


@pytest.mark.parametrize("classes", [2, 3])
def test_no_other_thresholds_separate_the_classes_better(three_overlapping_groups, classes):
    """Every threshold of a fine grid is tried; one bin of the histogram is the slack."""
    values = three_overlapping_groups.ravel()
    settings = otsu(three_overlapping_groups, OtsuOptions(classes)).settings
    found = [settings[f"threshold_{number}"] for number in range(1, classes)]
    grid = np.linspace(values.min(), values.max(), 60)
    others = [(a,) for a in grid] if classes == 2 else [(a, b) for a in grid for b in grid if a < b]
    best = max(between_classes(values, other) for other in others)
    assert between_classes(values, found) >= 0.9995 * best


def test_more_than_four_classes_are_left_to_kmeans(a_clear_scan):
    with pytest.raises(SegmentationAIError, match="kmeans takes more"):
        otsu(a_clear_scan.voxels, OtsuOptions(5))
