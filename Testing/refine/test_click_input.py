import numpy as np
import pytest

from SegmentationAILib.refine.click_input import (
    REACH_VOXELS,
    PatchPrompts,
    click_input,
    closeness,
    seed_intensity,
)

SHAPE = (20, 24, 16)


def a_mask(*places):
    mask = np.zeros(SHAPE, dtype=bool)
    for place in places:
        mask[place] = True
    return mask


def a_patch():
    rng = np.random.default_rng(0)
    intensities = rng.normal(100, 8, SHAPE).astype(np.float32)
    intensities[6:14, 8:16, 4:12] += 60
    return intensities


def test_closeness_falls_with_the_distance_in_voxels():
    near = closeness(a_mask((5, 7, 9)))
    distance = np.sqrt(((np.indices(SHAPE).T - np.array([5, 7, 9])) ** 2).sum(axis=-1)).T
    assert near == pytest.approx(np.maximum(0, 1 - distance / REACH_VOXELS), abs=1e-5)


def test_closeness_at_the_border_of_the_patch_and_of_nothing():
    near = closeness(a_mask((0, 0, 0), (0, 0, 1)))
    assert near[0, 0, 0] == near[0, 0, 1] == 1
    assert near[0, 0, 3] == pytest.approx(0.5)
    assert not closeness(a_mask()).any()


@pytest.mark.parametrize(("gain", "shift"), [(1.0, 0.0), (0.02, -3.0), (37.0, 1000.0)])
def test_the_unit_of_the_scanner_does_not_matter(gain, shift):
    prompts = PatchPrompts(a_mask((10, 12, 8)), a_mask((2, 2, 2)))
    outside = np.zeros(SHAPE, dtype=bool)
    plain = click_input(a_patch(), outside, None, prompts)
    scaled = click_input(gain * a_patch() + np.float32(shift), outside, None, prompts)
    assert scaled == pytest.approx(plain, abs=2e-3)


def test_what_looks_like_the_prompt_is_0_in_the_second_channel():
    prompts = PatchPrompts(a_mask((10, 12, 8)), a_mask())
    channels = click_input(a_patch(), np.zeros(SHAPE, dtype=bool), None, prompts)
    inside = np.zeros(SHAPE, dtype=bool)
    inside[6:14, 8:16, 4:12] = True
    assert abs(np.median(channels[1][inside])) < 0.1
    assert np.median(channels[1][~inside]) < -0.25


def test_beyond_the_scan_only_the_last_channel_says_something():
    outside = np.zeros(SHAPE, dtype=bool)
    outside[:6] = True
    intensities = a_patch()
    intensities[:6] = 1e6
    prompts = PatchPrompts(a_mask((12, 12, 8)), a_mask())
    channels = click_input(intensities, outside, None, prompts)
    assert not channels[:2, :6].any()
    assert np.array_equal(channels[6] == 1, outside)
    assert abs(channels[0, 6:]).max() <= 3


def test_the_mask_before_is_minus_1_to_1_and_nothing_where_there_was_none():
    before = np.linspace(0, 1, 20, dtype=np.float32)[:, None, None] * np.ones(SHAPE, np.float32)
    prompts = PatchPrompts(a_mask(), a_mask(), a_mask((3, 3, 3)))
    none = np.zeros(SHAPE, dtype=bool)
    channels = click_input(a_patch(), none, before, prompts)
    assert (channels[2, 0].max(), channels[2, -1].min()) == (-1.0, 1.0)
    assert np.array_equal(channels[5] == 1, prompts.region)
    assert not click_input(a_patch(), none, None, prompts)[1:5].any()


def test_a_seed_is_the_median_of_the_neighbors_of_all_positive_voxels():
    intensities = np.zeros(SHAPE, np.float32)
    intensities[2:5, 2:5, 2:5] = 10
    intensities[10:13, 10:13, 10:13] = 30
    intensities[3, 3, 3] = 999
    assert seed_intensity(intensities, a_mask((3, 3, 3))) == 10
    assert seed_intensity(intensities, a_mask((3, 3, 3), (11, 11, 11))) == 20
    assert seed_intensity(intensities, a_mask()) is None


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("plane", [9, 10])
def test_a_scan_of_one_slice_is_seen_wherever_it_lies_in_the_patch(axis, plane):
    slices = np.full(SHAPE, True)
    np.moveaxis(slices, axis, 0)[plane] = False
    intensities = np.where(slices, 0, a_patch()).astype(np.float32)
    center = [10, 12, 8]
    center[axis] = plane
    prompts = PatchPrompts(a_mask(tuple(center)), a_mask())
    channels = click_input(intensities, slices, None, prompts)
    inside = np.zeros(SHAPE, dtype=bool)
    inside[6:14, 8:16, 4:12] = True
    bright, dark = inside & ~slices, ~inside & ~slices
    assert np.median(channels[0][bright]) > np.median(channels[0][dark]) + 0.5
    assert abs(np.median(channels[1][bright])) < 0.1
    assert np.median(channels[1][dark]) < -0.25


def test_the_neighbors_of_a_voxel_at_the_end_of_the_scan_are_those_inside():
    outside = np.ones(SHAPE, dtype=bool)
    outside[7] = False
    intensities = np.where(outside, 0, 50).astype(np.float32)
    assert seed_intensity(intensities, a_mask((7, 3, 3)), outside) == 50
