import numpy as np
import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.weak_labels.kmeans import KMeansOptions, kmeans
from SegmentationAILib.learn.weak_labels.markov import MarkovOptions, markov, neighbor_weights


def test_neighbors_make_noise_harmless(a_noisy_scan):
    alone = kmeans(a_noisy_scan.voxels, KMeansOptions(2)).labels == 1
    together = markov(a_noisy_scan.voxels, a_noisy_scan.spacing, MarkovOptions(2)).labels == 1
    assert a_noisy_scan.dice(alone) < 0.85
    assert a_noisy_scan.dice(together) > 0.97


def test_without_neighbors_it_is_the_gaussian_mixtures_own_border(a_noisy_scan):
    """With beta 0 the label depends on the intensity alone: one threshold separates the classes."""
    answer = markov(a_noisy_scan.voxels, a_noisy_scan.spacing, MarkovOptions(2, beta=0.0))
    dark, bright = (a_noisy_scan.voxels[answer.labels == value] for value in (0, 1))
    assert dark.max() <= bright.min()


def test_a_neighbor_counts_by_the_inverse_of_its_distance():
    assert neighbor_weights((0.5, 1.0, 5.0)) == pytest.approx((1.0, 0.5, 0.1))
    assert neighbor_weights((2.0, 2.0, 2.0)) == (1.0, 1.0, 1.0)


def test_a_line_in_one_thick_slice_is_kept_and_in_a_thin_one_is_smoothed_away():
    """A line of voxels a little nearer to bright: the planes above and below decide."""
    j, k = np.meshgrid(np.arange(20), np.arange(7), indexing="ij")
    line = np.broadcast_to((j == 9) & (k == 3), (24, 20, 7)).copy()
    block = np.zeros(line.shape, bool)
    block[:, :5] = True  # makes the two classes known
    rng = np.random.default_rng(6)
    voxels = np.where(block, 100.0, np.where(line, 65.0, 0.0)) + rng.normal(0, 6, line.shape)
    options = MarkovOptions(2, beta=25.0)
    kept = {
        thickness: (markov(voxels, (1.0, 1.0, thickness), options).labels == 1)[line]
        for thickness in (1.0, 8.0)
    }
    assert kept[8.0].mean() > 0.9
    assert kept[1.0].mean() < 0.1


def test_swapping_axes_with_their_spacing_changes_nothing(a_noisy_scan):
    voxels, spacing = a_noisy_scan.voxels, a_noisy_scan.spacing
    straight = markov(voxels, spacing, MarkovOptions(2)).labels
    swapped = markov(voxels.transpose(2, 0, 1), spacing[2:] + spacing[:2], MarkovOptions(2)).labels
    assert (straight.transpose(2, 0, 1) == swapped).mean() > 0.999


def test_a_negative_or_unknown_beta_is_refused():
    for beta in (-1.0, float("nan"), float("inf")):
        with pytest.raises(SegmentationAIError, match="0 \\(no neighbors\\) to 100"):
            MarkovOptions(beta=beta)
