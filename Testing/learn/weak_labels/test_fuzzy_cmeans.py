import numpy as np
import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.weak_labels.fuzzy_cmeans import (
    FuzzyOptions,
    estimate_classes,
    fuzzy_cmeans,
    memberships,
)


@pytest.fixture(scope="module")
def a_shaded_scan():
    """Three tissues in blobs, 100, 150 and 220, shaded by 0.6 to 1.5 along two axes."""
    shape = (40, 34, 14)
    i, j, k = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    pattern = np.sin(7 * i + 1) + np.sin(6 * j) + np.sin(5 * k)
    truth = np.digitize(pattern, [-0.5, 0.6])
    bias = 1.0 + 0.35 * i - 0.2 * j**2 + 0.1 * k
    noise = np.random.default_rng(3).normal(0, 4, shape)
    return np.array([100.0, 150.0, 220.0])[truth] * bias + noise, truth, bias


def test_shading_that_mixes_the_classes_is_seen_through(a_shaded_scan):
    voxels, truth, _ = a_shaded_scan
    without = fuzzy_cmeans(voxels, FuzzyOptions(3, bias_degree=0)).labels
    with_bias = fuzzy_cmeans(voxels, FuzzyOptions(3, bias_degree=3)).labels
    assert (without == truth).mean() < 0.75
    assert (with_bias == truth).mean() > 0.99


def test_bias_and_intensities_are_those_that_were_put_in(a_shaded_scan):
    """Up to one factor between them, which nothing can tell: hence the ratios."""
    voxels, _, bias = a_shaded_scan
    everywhere = np.ones(voxels.shape, bool)
    found = estimate_classes(voxels.astype(np.float32), everywhere, FuzzyOptions(3))
    np.testing.assert_allclose(found.centers / found.centers[0], [1.0, 1.5, 2.2], rtol=0.02)
    ratio = found.bias(voxels.shape) / bias
    np.testing.assert_allclose(ratio / ratio.mean(), 1.0, atol=0.03)


def test_memberships_are_those_of_the_formula():
    """Distances 1 and 2, fuzzifier 2: shares 1/1 and 1/4 of their sum; fuzzifier 3: 1 and 1/2."""
    values, bias = np.array([11.0]), np.array([1.0])
    centers = np.array([10.0, 13.0])
    np.testing.assert_allclose(memberships(values, bias, centers, 2.0), [[0.8, 0.2]])
    np.testing.assert_allclose(memberships(values, bias, centers, 3.0), [[2 / 3, 1 / 3]])


def test_a_voxel_on_a_center_belongs_to_it_alone():
    found = memberships(np.array([5.0]), np.array([1.0]), np.array([5.0, 9.0]), 1.1)
    np.testing.assert_allclose(found, [[1.0, 0.0]], atol=1e-12)


def test_scaling_does_not_matter_with_a_bias_either(a_shaded_scan):
    voxels = a_shaded_scan[0]
    first, second = (fuzzy_cmeans(voxels * scale).labels for scale in (1.0, 250.0))
    assert (first == second).mean() > 0.9999


def test_a_single_plane_has_a_bias_too(a_shaded_scan):
    voxels, truth, _ = a_shaded_scan
    labels = fuzzy_cmeans(voxels[:, :, 6:7], FuzzyOptions(3)).labels
    assert (labels == truth[:, :, 6:7]).mean() > 0.99


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"bias_degree": 9}, "0 \\(none\\) to 4"),
        ({"fuzzifier": 1.0}, "1.05 to 10"),
        ({"fuzzifier": float("nan")}, "1.05 to 10"),
        ({"classes": 0}, "2 to 16"),
    ],
)
def test_options_out_of_range_are_refused(options, expected):
    with pytest.raises(SegmentationAIError, match=expected):
        FuzzyOptions(**options)
