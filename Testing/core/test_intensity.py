"""Intensity rules against numpy, with and without what must not count."""

import numpy as np
import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.histogram import histogram_of
from SegmentationAILib.core.intensity import IntensityRule, scaling_of

RNG = np.random.default_rng(11)
RULES = [
    IntensityRule("none"),
    IntensityRule("minmax"),
    IntensityRule("percentile", 1, 99),
    IntensityRule("quantile-nonzero", 5, 90),
    IntensityRule("zscore"),
    IntensityRule("zscore-nonzero"),
    IntensityRule("clip", -100, 400),
    IntensityRule("clip", -100, 400, 60.0, 35.0),
]


def scaled(channel: np.ndarray, rule: IntensityRule) -> np.ndarray:
    target = np.empty(channel.shape, np.float32)
    scaling_of(rule, histogram_of(channel, "CT")).apply(channel, target)
    return target


def by_numpy(channel: np.ndarray, rule: IntensityRule) -> np.ndarray:
    v = channel.astype(np.float64)
    some = v[v != 0] if rule.rule.endswith("-nonzero") else v
    match rule.rule:
        case "none":
            return v
        case "minmax":
            return (v - v.min()) / (v.max() - v.min())
        case "percentile" | "quantile-nonzero":
            low, high = np.percentile(some, rule.percentiles)
            return ((v - low) / (high - low)).clip(0, 1)
        case "zscore":
            return (v - v.mean()) / v.std()
        case "zscore-nonzero":
            return np.where(v == 0, 0, (v - some.mean()) / some.std())
    cut = v.clip(rule.low, rule.high)
    if rule.mean is None:
        return (cut - rule.low) / (rule.high - rule.low)
    return (cut - rule.mean) / rule.std


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32, np.float64, np.int32])
def test_rules_equal_numpy(rule, dtype):
    voxels = RNG.gamma(2.0, 150, (20, 24, 18)) - (0 if dtype == np.uint16 else 200)
    voxels[RNG.random(voxels.shape) < 0.3] = 0
    channel = voxels.astype(dtype)
    # Bins of floats are 1/65,536 of the range wide; those of integers hold one value each.
    bound = 1e-5 if channel.dtype.kind in "iu" else 1e-4
    np.testing.assert_allclose(
        scaled(channel, rule), by_numpy(channel, rule), rtol=1e-5, atol=bound
    )


@pytest.mark.parametrize("percent", [0, 0.5, 2, 37.3, 50, 98, 100])
def test_percentiles_of_integers_are_exact(percent):
    channel = RNG.integers(-900, 2000, (9, 11, 13)).astype(np.int16)
    assert histogram_of(channel, "CT").percentile(percent) == pytest.approx(
        np.percentile(channel, percent), abs=1e-9
    )


def test_percentiles_of_floats_are_exact_to_a_bin():
    channel = RNG.normal(size=(40, 40, 40))
    found = histogram_of(channel, "MR")
    for percent in (0, 1, 50, 99.9, 100):
        assert found.percentile(percent) == pytest.approx(
            np.percentile(channel, percent), abs=np.ptp(channel) / 65_536
        )


def test_large_volumes_are_counted_in_chunks_to_the_same_result(monkeypatch):
    channel = RNG.normal(100, 40, (30, 20, 10)).astype(np.float32)
    whole = histogram_of(channel, "MR")
    monkeypatch.setattr("SegmentationAILib.core.histogram.CHUNK_VOXELS", 700)
    parts = histogram_of(channel, "MR")
    np.testing.assert_array_equal(parts.counts, whole.counts)
    assert parts.mean == pytest.approx(channel.mean(dtype=float), abs=1e-9)
    assert parts.variance == pytest.approx(channel.var(dtype=float), rel=1e-9)


def test_padding_of_a_fixed_matrix_counts_as_further_background():
    channel = RNG.integers(0, 500, (10, 10, 10)).astype(np.uint16)
    padded = np.pad(channel, 3, constant_values=channel.min())
    ours = histogram_of(channel, "T1").with_background(padded.size - channel.size)
    truth = histogram_of(padded, "T1")
    assert ours.percentile(60) == truth.percentile(60)
    assert ours.mean == pytest.approx(padded.mean())
    assert ours.variance == pytest.approx(padded.var())


def test_a_bimodal_volume_keeps_both_of_its_values():
    # Noise-free phantoms have wide empty stretches that are no padding.
    channel = np.full((12, 12, 12), -1000, np.int16)
    channel[3:9, 3:9, 3:9] = RNG.integers(20, 60, (6, 6, 6))
    found = histogram_of(channel, "CT")
    assert (found.low, found.padding, found.spikes) == (-1000, 0, 0)
    bright = np.zeros((12, 12, 12), np.float32)
    bright[2:5] = 300
    assert histogram_of(bright, "MR").high == 300


def test_percentiles_that_coincide_fall_back_and_say_so():
    channel = np.zeros((20, 20, 20), np.int16)
    channel[4:6, 4:6, 4:6] = np.arange(1, 9).reshape(2, 2, 2) * 10
    scaling = scaling_of(IntensityRule("percentile", 2, 98), histogram_of(channel, "MR"))
    assert "lowest and highest" in scaling.note
    assert (scaling.low, scaling.high) == (0, 80)


def test_a_mask_of_zeros_and_one_value_does_not_divide_by_zero():
    channel = np.zeros((8, 8, 8), np.int16)
    channel[2:6] = 7
    ours = scaled(channel, IntensityRule("zscore-nonzero"))
    assert np.isfinite(ours).all()
    assert not ours.any()


@pytest.mark.parametrize(
    "numbers",
    [
        {"rule": "sigmoid"},
        {"rule": "percentile", "low": 60, "high": 40},
        {"rule": "clip"},
        {"rule": "clip", "low": 3, "high": 3},
        {"rule": "clip", "low": 0, "high": 3, "mean": 1.0},
        {"rule": "clip", "low": 0, "high": 3, "mean": 1.0, "std": 0.0},
    ],
)
def test_rules_that_cannot_be_are_refused(numbers):
    with pytest.raises(ValueError, match=r"rule|percentiles|clip"):
        IntensityRule(**numbers)


def test_a_channel_of_one_value_is_refused_by_its_name():
    with pytest.raises(SegmentationAIError, match=r"channel FLAIR has the value 5"):
        histogram_of(np.full((3, 3, 3), 5, np.int16), "FLAIR")
