import numpy as np
import pytest

from SegmentationAILib.core.calibration import expected_calibration_error


def test_an_overconfident_network_is_off_by_the_gap():
    confidence = np.full(1000, 0.9)
    right = np.arange(1000) < 600
    assert expected_calibration_error(confidence, right) == pytest.approx(0.3)


def test_a_calibrated_network_has_none():
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.5, 1.0, 400_000)
    right = rng.random(400_000) < confidence
    assert expected_calibration_error(confidence, right) < 0.004


def test_bins_are_weighted_by_their_voxels():
    confidence = np.array([0.95] * 90 + [0.55] * 10)
    right = np.array([True] * 90 + [False] * 10)
    assert expected_calibration_error(confidence, right) == pytest.approx(0.9 * 0.05 + 0.1 * 0.55)


def test_nothing_to_judge_is_refused():
    with pytest.raises(ValueError, match="confidences"):
        expected_calibration_error(np.zeros(0), np.zeros(0, bool))
