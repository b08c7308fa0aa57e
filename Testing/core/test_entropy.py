import numpy as np
import pytest

from SegmentationAILib.core.axis_map import AxisPlan, axis_map
from SegmentationAILib.core.entropy import (
    EntropyRestorer,
    highest_sigmoid_entropy,
    softmax_entropy,
)
from SegmentationAILib.core.patches import LogitsSlab


def binary_entropy(p):
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))


def column(*logits):
    return np.array(logits, np.float32).reshape(-1, 1, 1)


def test_equal_logits_have_entropy_one_and_a_clear_winner_zero():
    assert softmax_entropy(column(3, 3, 3, 3, 3)).item() == pytest.approx(1.0)
    assert softmax_entropy(column(200, 0, 0)).item() == pytest.approx(0.0, abs=1e-6)


def test_two_classes_have_the_entropy_of_the_textbook():
    p = 0.8
    assert softmax_entropy(column(np.log(p), np.log(1 - p))).item() == pytest.approx(
        binary_entropy(p), abs=1e-6
    )


def test_of_independent_labels_the_least_certain_counts():
    logit = np.log(0.3 / 0.7)
    assert highest_sigmoid_entropy(column(9, logit, -12)).item() == pytest.approx(
        binary_entropy(0.3), abs=1e-6
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_entropy_is_interpolated_linearly_onto_a_flipped_permuted_finer_grid(axis):
    # Network axes X, Y, Z run along source axes K, I, J; X is flipped and twice as coarse.
    mapping = axis_map(
        (
            AxisPlan(
                2, True, length=12, start=0, stop=12, covered=(0, 12), scaled=6, offset=0, size=6
            ),
            AxisPlan(
                0, False, length=5, start=0, stop=5, covered=(0, 5), scaled=5, offset=0, size=5
            ),
            AxisPlan(
                1, False, length=7, start=0, stop=7, covered=(0, 7), scaled=7, offset=0, size=7
            ),
        )
    )
    margin = np.linspace(0, 4, 6)[:, None, None] * np.ones((6, 5, 7))
    logits = np.stack([margin, 0 * margin]).astype(np.float32)
    restorer = EntropyRestorer(mapping)
    n = logits.shape[axis + 1]
    for start in range(0, n, 2):
        stop = min(n, start + 2)
        restorer.add(LogitsSlab(axis, start, stop, logits.take(range(start, stop), axis + 1)))
    entropy = restorer.entropy()
    at_planes = binary_entropy(1 / (1 + np.exp(np.linspace(0, 4, 6))))
    place = np.clip((11 - np.arange(12) + 0.5) / 2 - 0.5, 0, 5)
    expected = np.interp(place, np.arange(6), at_planes)
    assert entropy.shape == (5, 7, 12)
    np.testing.assert_allclose(entropy, np.broadcast_to(expected, (5, 7, 12)), atol=1e-3)
