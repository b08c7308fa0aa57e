import numpy as np
import pytest

from SegmentationAILib.core.mean_logits import mean_logits


def voxel(*logits):
    return np.array(logits, np.float32).reshape(1, -1, 1, 1, 1)


def log_odds(p):
    return np.log(p / (1 - p))


def test_a_mean_of_softmax_is_that_of_the_probabilities():
    mean = mean_logits(
        [voxel(np.log(0.7), np.log(0.3)), voxel(np.log(0.1), np.log(0.9))], "softmax"
    )
    np.testing.assert_allclose(np.exp(mean.ravel()), [0.4, 0.6], rtol=1e-5)


def test_a_mean_of_sigmoids_is_that_of_the_probabilities():
    mean = mean_logits([voxel(log_odds(0.9)), voxel(log_odds(0.2))], "sigmoid")
    assert mean.item() == pytest.approx(log_odds(0.55), rel=1e-5)


def test_a_mean_of_logits_is_that_of_the_logits():
    np.testing.assert_allclose(mean_logits([voxel(1, 5), voxel(3, -1)], "logits").ravel(), [2, 2])


def test_certainty_stays_finite():
    assert np.isfinite(mean_logits([voxel(500.0, -500.0)], "softmax")).all()
    assert np.isfinite(mean_logits([voxel(500.0, -500.0)], "sigmoid")).all()


def test_the_answers_are_not_changed():
    answer = voxel(1, 2)
    mean_logits([answer, voxel(3, 4)], "logits")
    np.testing.assert_array_equal(answer.ravel(), [1, 2])


def test_answers_that_have_no_mean_are_refused():
    with pytest.raises(ValueError, match="nothing"):
        mean_logits([], "logits")
    with pytest.raises(ValueError, match="no mean"):
        mean_logits([voxel(1, 2), voxel(1, 2, 3)], "logits")
