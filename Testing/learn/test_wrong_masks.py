import numpy as np
import pytest

from SegmentationAILib.learn.wrong_masks import coarse_look, depths, wrong_mask


def a_ball(radius=13.0, side=48):
    axes = np.indices((side,) * 3) - np.array([22.0, 25.0, 24.0])[:, None, None, None]
    return (axes**2).sum(axis=0) <= radius**2


def dice(first, second):
    return 2 * np.count_nonzero(first & second) / (first.sum() + second.sum())


def test_depth_is_the_radius_at_the_center_of_a_ball_and_negative_outside():
    depth = depths(a_ball())
    assert depth[22, 25, 24] == pytest.approx(13.0, abs=1.1)
    assert depth[22, 25, 47] == pytest.approx(13.0 - 23.0, abs=1.1)


def test_wrong_masks_are_wrong_in_part():
    target = a_ball()
    found = [dice(target, wrong_mask(np.random.default_rng(seed), target)) for seed in range(12)]
    assert max(found) < 0.999
    assert np.median(found) > 0.6


def test_a_coarse_look_knows_about_where_a_large_object_is():
    target = a_ball()
    looks = [coarse_look(np.random.default_rng(seed), target) for seed in range(8)]
    assert all(look.min() >= 0 and look.max() <= 1 for look in looks)
    assert min(dice(target, look > 0.5) for look in looks) > 0.75
    assert all(look.shape == target.shape for look in looks)
