"""Cases 27 to 33, 36, 37 and 40: voxels and shapes, each with its harmless twin."""

import numpy as np
import pytest
import scipy.ndimage as ndi

from SegmentationAILib.core.errors import GeometryError, SegmentationAIError
from SegmentationAILib.core.intensity import IntensityRule
from SegmentationAILib.core.metrics import Scores, compare
from SegmentationAILib.core.postprocess import fill_holes, keep_largest_components
from SegmentationAILib.core.preprocess import InputRules, prepare
from SegmentationAILib.core.volume import Grid, Volume

from phantoms import oblique_affine, sphere_volume

AFFINE = oblique_affine()
STATISTICAL = ["minmax", "percentile", "quantile-nonzero", "zscore", "zscore-nonzero"]


def a_scan(seed=1, shape=(24, 20, 16), dtype=np.int16) -> np.ndarray:
    voxels = np.random.default_rng(seed).gamma(3, 150, shape)
    voxels[:, :4] = 0
    return voxels.astype(dtype)


def prepared(voxels: np.ndarray, rule: str = "zscore", **rules):
    return prepare(Volume(voxels[None], AFFINE), InputRules(intensity=IntensityRule(rule), **rules))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rule", STATISTICAL)
def test_case_27_a_voxel_that_is_no_number_becomes_background_alone(bad, rule):
    """Case 27: the others are as if it were background; the report counts it."""
    voxels = a_scan(dtype=np.float32)
    clean = prepared(voxels, rule)
    voxels[12, 10, 8] = bad
    ours = prepared(voxels, rule)
    assert np.isfinite(ours.array).all()
    assert ours.array[0, 12, 10, 8] == np.float32(ours.background[0])
    others = np.ones(voxels.shape, bool)
    others[12, 10, 8] = False
    # One voxel of 7,680 is missing from the statistics, which moves them by less than 1 %.
    np.testing.assert_allclose(ours.array[0][others], clean.array[0][others], atol=0.01)
    assert any("1 voxels were no number" in note for note in ours.notes)
    assert not clean.notes


def test_case_27_resampling_does_not_spread_it():
    """Case 27: beyond the reach of a spline, nothing changes."""
    voxels = a_scan(dtype=np.float32)
    rules = {"spacing_mm": (0.6, 0.9, 1.3)}
    twin = voxels.copy()
    twin[12, 10, 8] = voxels.min()
    voxels[12, 10, 8] = np.nan
    ours, expected = (prepared(v, "none", **rules).array for v in (voxels, twin))
    np.testing.assert_allclose(ours, expected, atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 7.0])
@pytest.mark.parametrize("rule", ["none", *STATISTICAL])
def test_case_28_nothing_but_one_value_is_refused(value, rule):
    """Case 28: a sentence, never a division by zero."""
    with pytest.raises(SegmentationAIError, match=r"volume (is a number|has the value)"):
        prepared(np.full((8, 8, 8), value, np.float32), rule)


def test_case_28_twin_two_values_are_enough():
    """Case 28, twin: a mask as a volume is accepted with its two values."""
    voxels = np.zeros((8, 8, 8), np.float32)
    voxels[2:6] = 3
    assert set(np.unique(prepared(voxels, "minmax").array)) == {0, 1}


@pytest.mark.parametrize("rule", STATISTICAL)
@pytest.mark.parametrize(
    ("dtype", "padding"),
    [(np.int16, -32768), (np.uint16, 65535), (np.float32, -32768), (np.float32, 1e30),
     (np.float32, -3.4e38), (np.float64, 1e300), (np.int32, -(2**31))],
)  # fmt: skip
def test_case_29_padding_does_not_change_the_normalization(rule, dtype, padding):
    """Case 29: the same inside, and padding is background."""
    inner = a_scan(dtype=dtype)
    # The padding takes the place of background that the plain twin does not have at all.
    voxels = np.pad(inner, ((6, 6), (0, 0), (0, 0)), constant_values=padding)
    ours, expected = prepared(voxels, rule), prepared(inner, rule)
    np.testing.assert_allclose(ours.array[:, 6:-6], expected.array, atol=1e-5)
    assert (ours.array[:, :6] == np.float32(ours.background[0])).all()
    assert any("became background" in note for note in ours.notes)


@pytest.mark.parametrize("rule", STATISTICAL)
@pytest.mark.parametrize("spike", [1e30, -1e30, 1e6])
def test_case_29_a_spike_is_cut(rule, spike):
    """Case 29: one voxel of 1e30 does not make all others equal."""
    voxels = a_scan(dtype=np.float32)
    clean = prepared(voxels, rule).array[0]
    voxels[12, 10, 8] = spike
    ours = prepared(voxels, rule)
    assert np.isfinite(ours.array).all()
    others = np.ones(voxels.shape, bool)
    others[12, 10, 8] = False
    np.testing.assert_allclose(ours.array[0][others], clean[others], atol=0.01)
    # Cut to an end of what remains, or background where it is no measurement at all.
    assert clean.min() - 0.01 <= ours.array[0, 12, 10, 8] <= clean.max() + 0.01
    assert ours.notes


@pytest.mark.parametrize("shape", [(1, 60, 50), (60, 1, 50), (60, 50, 1), (1, 1, 9), (2, 2, 2)])
@pytest.mark.parametrize("order", [1, 3])
def test_case_30_singleton_axes_work_by_padding(shape, order):
    """Case 30: the grid is what the network needs, and every voxel is on it."""
    voxels = a_scan(shape=(60, 70, 50))[: shape[0], 8 : 8 + shape[1], : shape[2]]
    ours = prepared(voxels, spacing_mm=(1, 1, 1), multiple_of=16, order=order, orientation="LIA")
    assert all(n % 16 == 0 for n in ours.array.shape[1:])
    assert np.isfinite(ours.array).all()
    assert ours.axis_map.source_box.shape == shape


def test_case_30_one_voxel_is_refused():
    """Case 30: (1, 1, 1) has one value."""
    with pytest.raises(SegmentationAIError, match="nothing to segment"):
        prepared(np.full((1, 1, 1), 5, np.int16))


@pytest.mark.parametrize("missing", [0, 1, 16, 31])
def test_case_31_and_32_padding_to_a_multiple_is_undone_exactly(missing):
    """Cases 31 and 32: an axis of the multiple, 1 less, half of it, 1 voxel: crop exact."""
    voxels = a_scan(shape=(32 - missing, 33, 31))
    ours = prepared(voxels, multiple_of=32)
    assert ours.array.shape == (1, 32, 64, 32)
    axes = ours.axis_map.coordinates
    picked = [np.rint(c).astype(int) for c in axes]
    assert all(np.array_equal(p, c) for p, c in zip(picked, axes, strict=True))
    twin = prepared(voxels).array
    np.testing.assert_array_equal(ours.array[0][np.ix_(*picked)], twin[0])
    rest = np.ones(ours.array.shape[1:], bool)
    rest[np.ix_(*picked)] = False
    assert (ours.array[0][rest] == np.float32(ours.background[0])).all()


def test_case_33_anisotropy_of_one_to_twenty_equals_the_reference_resampler():
    """Case 33: 0.3 x 0.3 x 6 mm, as scipy resamples it in double precision."""
    affine = oblique_affine(spacing=(0.3, 0.3, 6.0))
    voxels = ndi.gaussian_filter(np.random.default_rng(5).normal(size=(90, 80, 9)), 1) * 900
    volume = Volume(voxels[None].astype(np.float32), affine)
    array = prepare(volume, InputRules(None, (1.0, 1.0, 1.0))).array[0]
    assert array.shape == (27, 24, 54)
    zoom = [n / o for n, o in zip(array.shape, voxels.shape, strict=True)]
    expected = ndi.zoom(voxels, zoom, order=3, mode="nearest", grid_mode=True)
    expected = expected.clip(voxels.min(), voxels.max())
    assert np.abs(array - expected).max() < 1e-5 * voxels.std()


@pytest.mark.parametrize("channels", [2, 3, 40])
def test_case_36_another_number_of_channels_is_refused_naming_both(channels):
    """Case 36: time series, colors, two channels for a network of one."""
    volume = Volume(np.zeros((channels, 4, 4, 4), np.int16), AFFINE)
    with pytest.raises(GeometryError, match=rf"has {channels} channel.*takes 1 \(T1\)"):
        prepare(volume, InputRules(channels=("T1",)))


def test_case_36_twin_the_right_number_is_accepted():
    """Case 36, twin: two channels for a network of two."""
    voxels = np.stack([a_scan(1), a_scan(2)])
    ours = prepare(Volume(voxels, AFFINE), InputRules(channels=("T1", "FLAIR")))
    np.testing.assert_array_equal(ours.array, voxels)


def test_case_37_a_volume_without_air_is_told_from_a_ct():
    """Case 37: MR fed to a CT network is warned of; a CT is not."""
    rules = InputRules(intensity=IntensityRule("clip", -200, 300), modality="CT")
    mr = prepare(Volume(a_scan()[None], AFFINE), rules)
    assert any("does not look like a CT" in note for note in mr.notes)
    ct = a_scan()[None] - np.int16(1000)
    assert not prepare(Volume(ct, AFFINE), rules).notes


def test_case_40_empty_and_full_predictions_are_defined():
    """Case 40: no exception, no NaN."""
    truth = sphere_volume().voxels[0] > 100
    empty, full = np.zeros(truth.shape, np.uint8), np.ones(truth.shape, np.uint8)
    for border in ("voxel", "area"):
        assert compare(empty, empty, (1, 1, 1), [1], 2.0, border) == {1: Scores()}
        scores = compare(truth, empty, (1, 1, 1), [1], 2.0, border)[1]
        assert (scores.dice, scores.hd95_mm) == (0, None)
        scores = compare(truth, full, (1, 1, 1), [1], 2.0, border)[1]
        assert 0 < scores.dice < 1
        assert np.isfinite([scores.hd95_mm, scores.surface_dice]).all()
    for labels in (empty, full):
        np.testing.assert_array_equal(keep_largest_components(labels).labels, labels)
        np.testing.assert_array_equal(fill_holes(labels).labels, labels)


def test_the_affine_of_these_cases_is_oblique():
    """Every case above would hide an axis mistake on a cube at the origin."""
    assert len(set(Grid((4, 4, 4), AFFINE).spacing)) == 3
    assert (np.abs(AFFINE[:3, :3]) > 1e-3).all()
