import numpy as np
import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.weak_labels.kmeans import KMeansOptions, cluster_centers, kmeans


def test_centers_are_the_means_of_groups_far_apart():
    rng = np.random.default_rng(1)
    means = np.array([[-3.0, 5.0], [0.0, 0.0], [4.0, -7.0]])
    rows = np.concatenate([mean + rng.normal(0, 0.05, (400, 2)) for mean in means])
    truth = [rows[n : n + 400].mean(axis=0) for n in (0, 400, 800)]
    np.testing.assert_allclose(cluster_centers(rng.permutation(rows), 3, seed=5), truth, atol=1e-9)


def test_a_second_start_is_taken_where_the_first_is_worse():
    """Four groups on a line: a bad start joins two of them; the best of the runs does not."""
    rows = np.repeat([0.0, 1.0, 10.0, 11.0], 50)[:, None]
    for seed in range(20):
        np.testing.assert_allclose(cluster_centers(rows, 4, seed)[:, 0], [0, 1, 10, 11])


def test_the_neighborhood_makes_noise_harmless(a_noisy_scan):
    plain = a_noisy_scan.dice(kmeans(a_noisy_scan.voxels, KMeansOptions(2)).labels == 1)
    spatial = kmeans(a_noisy_scan.voxels, KMeansOptions(2, spatial=True)).labels == 1
    assert plain < 0.85
    assert a_noisy_scan.dice(spatial) > 0.9


def test_the_neighborhood_ends_at_the_mask():
    """A dark wall beside a region of two halves must not darken the voxels that touch it."""
    voxels = np.full((12, 8, 6), 100.0)
    voxels[6:] = 160.0
    voxels += np.random.default_rng(2).normal(0, 3, voxels.shape)
    within = np.ones(voxels.shape, bool)
    within[:, :2] = False
    voxels[~within] = -5000.0
    answer = kmeans(voxels, KMeansOptions(2, spatial=True), within)
    expected = np.where(within, np.where(np.arange(12)[:, None, None] < 6, 1, 2), 0)
    np.testing.assert_array_equal(answer.labels, expected)


def test_fewer_intensities_than_classes_are_said():
    voxels = np.zeros((4, 5, 6))
    voxels[0] = 1.0
    with pytest.raises(SegmentationAIError, match="have 2 different intensities; at least 3"):
        kmeans(voxels, KMeansOptions(3))
