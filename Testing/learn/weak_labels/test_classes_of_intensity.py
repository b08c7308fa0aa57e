"""What holds for all methods that only look at intensities."""

import numpy as np
import pytest

from SegmentationAILib.core.errors import Cancelled, SegmentationAIError
from SegmentationAILib.core.progress import IGNORE, Progress
from SegmentationAILib.learn.weak_labels.fuzzy_cmeans import FuzzyOptions, fuzzy_cmeans
from SegmentationAILib.learn.weak_labels.kmeans import KMeansOptions, kmeans
from SegmentationAILib.learn.weak_labels.markov import MarkovOptions, markov
from SegmentationAILib.learn.weak_labels.otsu import OtsuOptions, otsu

SPACING = (0.9, 1.3, 2.5)
METHODS = {
    "otsu": lambda x, n, within=None, told=IGNORE: otsu(x, OtsuOptions(n), within, told),
    "kmeans": lambda x, n, within=None, told=IGNORE: kmeans(x, KMeansOptions(n), within, told),
    "spatial kmeans": lambda x, n, within=None, told=IGNORE: kmeans(
        x, KMeansOptions(n, spatial=True), within, told
    ),
    "fuzzy c-means": lambda x, n, within=None, told=IGNORE: fuzzy_cmeans(
        x, FuzzyOptions(n, bias_degree=0), within, told
    ),
    "markov": lambda x, n, within=None, told=IGNORE: markov(
        x, SPACING, MarkovOptions(n), within, told
    ),
}
pytestmark = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def three_shells(rng):
    """Three thirds of a volume at 10, 50 and 200, far apart against a noise of 2."""
    truth = np.repeat(np.arange(3), 4)[:, None, None] * np.ones((12, 7, 5), int)
    return truth, np.array([10.0, 50.0, 200.0])[truth] + rng.normal(0, 2, truth.shape)


def test_a_bright_ball_is_found(method, a_clear_scan):
    answer = method(a_clear_scan.voxels, 2)
    assert a_clear_scan.dice(answer.labels == 1) > 0.999
    assert answer.names == ("class 2 of 2",)


def test_classes_are_numbered_from_dark_to_bright(method):
    truth, voxels = three_shells(np.random.default_rng(3))
    answer = method(voxels, 3)
    np.testing.assert_array_equal(answer.labels, truth)
    assert answer.names == ("class 2 of 3", "class 3 of 3")


def test_within_a_mask_all_classes_are_labels_and_the_rest_is_background(method):
    truth, voxels = three_shells(np.random.default_rng(4))
    within = truth > 0
    answer = method(np.where(within, voxels, 1e4), 2, within)
    np.testing.assert_array_equal(answer.labels, truth)
    assert answer.names == ("class 1 of 2", "class 2 of 2")


@pytest.mark.parametrize(("scale", "shift"), [(0.01, 0.0), (37.0, -1000.0)])
def test_scaling_and_shifting_intensities_changes_no_label(method, a_clear_scan, scale, shift):
    voxels = a_clear_scan.voxels[10:50, 12:40, 9:25]
    first = method(voxels, 2)
    second = method(voxels * scale + shift, 2)
    np.testing.assert_array_equal(first.labels, second.labels)


def test_the_same_call_gives_the_same_bytes_and_leaves_its_input(method, a_noisy_scan):
    voxels = a_noisy_scan.voxels[6:30, 4:24]
    before = voxels.copy()
    first, second = (method(voxels, 3) for _ in range(2))
    assert first.labels.tobytes() == second.labels.tobytes()
    np.testing.assert_array_equal(voxels, before)


def test_what_is_not_finite_counts_as_the_darkest(method):
    truth, voxels = three_shells(np.random.default_rng(5))
    voxels[0, 0, 0], voxels[1, 6, 4] = np.nan, np.inf
    np.testing.assert_array_equal(method(voxels, 3).labels, truth)


@pytest.mark.parametrize(
    ("voxels", "classes", "expected"),
    [
        (np.full((4, 5, 6), 7.0), 2, "are all 7"),
        (np.full((1, 1, 1), 7.0), 2, "are all 7"),
        (np.full((4, 5, 6), np.nan), 2, "not finite"),
        (np.arange(24.0).reshape(2, 3, 4), 1, "1 classes were asked for"),
        (np.arange(24.0).reshape(2, 3, 4), 99, "99 classes were asked for"),
    ],
)
def test_what_cannot_be_told_apart_is_said(method, voxels, classes, expected):
    with pytest.raises(SegmentationAIError, match=expected):
        method(voxels, classes)


def test_an_empty_mask_is_refused(method, a_clear_scan):
    with pytest.raises(SegmentationAIError, match="mask to label within is empty"):
        method(a_clear_scan.voxels, 2, np.zeros(a_clear_scan.voxels.shape, bool))


def test_progress_cancels(method, a_clear_scan):
    def stop(fraction, sentence):
        raise Cancelled

    with pytest.raises(Cancelled):
        method(a_clear_scan.voxels, 2, None, Progress(stop))


def test_progress_never_falls(method, a_noisy_scan):
    seen = []
    voxels = a_noisy_scan.voxels[6:30, 4:24]
    method(voxels, 3, None, Progress(lambda fraction, _: seen.append(fraction)))
    assert len(seen) > 1
    assert seen == sorted(seen)
