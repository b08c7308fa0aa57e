import numpy as np
import pytest
import torch
from learn_cases import a_case, a_plan

from SegmentationAILib.learn.patch_cutting import cut_patch
from SegmentationAILib.learn.patch_sampler import PatchSampler
from SegmentationAILib.learn.random_intensities import RandomIntensities
from SegmentationAILib.learn.random_placement import RandomPlacement
from SegmentationAILib.learn.training_case import IGNORED, PreparedCase

AS_IT_IS = RandomIntensities(0, 0, 0, 0, 0, 0, 0)
STRAIGHT = RandomPlacement(turned=0, scaled=0)


def a_ramp(shape=(21, 17, 13)):
    """A case whose intensity is a linear function of the voxel: any turn can be computed."""
    i, j, k = np.indices(shape)
    array = (2.0 * i - 3.0 * j + 5.0 * k).astype(np.float32)[None]
    channels = (i > 10).astype(np.uint8)
    return PreparedCase("ramp", array, channels, padding=(-7.0,))


def test_a_turned_and_scaled_patch_sees_what_lies_there():
    rng = np.random.default_rng(3)
    placement = RandomPlacement(turned=1, scaled=1, lowest=0.9, highest=1.2, mirror_axes=(1,))
    shape, start = (7, 6, 5), (7, 5, 4)
    for _ in range(20):
        matrix = placement.draw(rng, (1.0, 1.3, 2.0), of_planes=False)
        patch = cut_patch(a_ramp(), start, shape, matrix)
        steps = np.indices(shape).reshape(3, -1).T - (np.array(shape) - 1) / 2
        places = np.array(start) + (np.array(shape) - 1) / 2 + steps @ matrix.T
        expected = places @ [2.0, -3.0, 5.0]
        inside = ((places >= 0) & (places <= np.array([20, 16, 12]))).all(axis=1)
        assert inside.sum() > 100
        found = patch.array[0].reshape(-1)
        np.testing.assert_allclose(found[inside], expected[inside], atol=2e-3)
        clear = inside & (np.abs(places[:, 0] - 10.5) > 0.01)
        known = patch.channels.reshape(-1)[clear]
        assert np.array_equal(known, (places[clear, 0] > 10.5).astype(np.uint8))


def test_turns_are_turns_in_space_whatever_the_spacing():
    spacing = np.array([0.7, 1.1, 1.9])
    matrix = RandomPlacement(turned=1, scaled=0).draw(
        np.random.default_rng(0), tuple(spacing), of_planes=False
    )
    in_mm = np.diag(spacing) @ matrix @ np.diag(1 / spacing)
    np.testing.assert_allclose(in_mm @ in_mm.T, np.eye(3), atol=1e-12)
    assert not np.allclose(in_mm, np.eye(3))


def test_planes_and_thick_slices_turn_in_their_plane_alone():
    placement = RandomPlacement(turned=1, scaled=1)
    for spacing, of_planes in (((1, 1, 1), True), ((0.8, 0.8, 6.5), False)):
        matrix = placement.draw(np.random.default_rng(1), spacing, of_planes=of_planes)
        assert matrix[2].tolist() == [0, 0, 1]
        assert matrix[:, 2].tolist() == [0, 0, 1]


def test_a_mirrored_patch_is_the_straight_one_flipped():
    case = a_case(seed=4)
    start, shape = (2, 3, 1), (8, 8, 6)
    straight = cut_patch(case, start, shape, np.eye(3))
    mirrored = cut_patch(case, start, shape, np.diag([1.0, -1.0, 1.0]))
    np.testing.assert_allclose(mirrored.array, straight.array[:, :, ::-1], atol=1e-5)
    assert np.array_equal(mirrored.channels, straight.channels[:, ::-1])


@pytest.mark.parametrize("turn", [np.eye(3), np.diag([1.0, 1.0, -1.0])])
def test_beyond_the_case_is_its_padding_and_nothing_is_known(turn):
    patch = cut_patch(a_ramp(), (-4, 2, 10), (8, 5, 6), turn)
    outside = np.zeros((8, 5, 6), bool)
    outside[:4] = True
    beyond = 3  # of 10..15, 13 and on lie beyond
    outside[:, :, :beyond] |= turn[2, 2] < 0
    outside[:, :, 6 - beyond :] |= turn[2, 2] > 0
    assert np.array_equal(patch.channels == IGNORED, outside)
    np.testing.assert_allclose(patch.array[0][outside], -7.0)


def test_patches_are_a_function_of_seed_and_step_and_differ_between_steps():
    cases, plan = [a_case(seed=n) for n in range(3)], a_plan()
    one, other = PatchSampler(cases, plan), PatchSampler(cases, plan)
    for step in (5, 0):
        assert torch.equal(
            one.batch(step, (8, 8, 8), 4).patches, other.batch(step, (8, 8, 8), 4).patches
        )
    assert not torch.equal(one.batch(1, (8, 8, 8), 4).patches, one.batch(2, (8, 8, 8), 4).patches)
    seeded = PatchSampler(cases, a_plan(seed=1)).batch(1, (8, 8, 8), 4)
    assert not torch.equal(seeded.patches, one.batch(1, (8, 8, 8), 4).patches)


def test_two_processes_see_together_what_one_sees():
    sampler = PatchSampler([a_case(seed=n) for n in range(3)], a_plan())
    whole = sampler.batch(2, (8, 8, 8), 6)
    parts = [sampler.batch(2, (8, 8, 8), 6, first, 3) for first in (0, 3)]
    assert torch.equal(torch.cat([part.patches for part in parts]), whole.patches)
    assert torch.equal(torch.cat([part.channels for part in parts]), whole.channels)


def test_every_case_is_seen_once_before_any_is_seen_again():
    cases = []
    for number in range(7):
        array = np.full((1, 8, 8, 8), float(number), np.float32)
        cases.append(PreparedCase(str(number), array, np.zeros((8, 8, 8), np.uint8)))
    sampler = PatchSampler(cases, a_plan(), STRAIGHT, AS_IT_IS)
    seen = [sampler.batch(step, (8, 8, 8), 2).patches[:, 0, 4, 4, 4].tolist() for step in range(14)]
    order = [int(one) for pair in seen for one in pair]
    rounds = [order[start : start + 7] for start in range(0, 28, 7)]
    assert all(sorted(one) == list(range(7)) for one in rounds)
    assert rounds[0] != rounds[1]


def test_a_third_of_the_patches_is_centered_on_a_label_and_small_labels_get_their_share():
    array = np.zeros((1, 60, 60, 60), np.float32)
    channels = np.zeros((60, 60, 60), np.uint8)
    channels[10:12, 10:12, 10:12] = 1
    channels[30:50, 30:50, 30:50] = 2
    sampler = PatchSampler([PreparedCase("one", array, channels)], a_plan(), STRAIGHT, AS_IT_IS)
    # A patch of one voxel shows where it is centered.
    labels = torch.cat(
        [sampler.batch(step, (1, 1, 1), 30).channels for step in range(20)]
    ).flatten()
    at_random = 2 / 3 * 8000 / 216000
    assert (labels == 1).float().mean() == pytest.approx(1 / 6, abs=0.05)
    assert (labels == 2).float().mean() == pytest.approx(1 / 6 + at_random, abs=0.05)


def test_planes_lose_the_axis_that_is_one_voxel_thick():
    sampler = PatchSampler([a_case()], a_plan(patch_size=(8, 8, 1)))
    batch = sampler.batch(0, (8, 8, 1), 3)
    assert batch.patches.shape == (3, 1, 8, 8)
    assert batch.channels.shape == (3, 8, 8)


def test_weights_come_along_where_a_case_has_them():
    case = a_case()
    weights = case.channels + np.float32(1)
    weighted = PreparedCase("weighted", case.array, case.channels, weights)
    batch = PatchSampler([weighted], a_plan()).batch(0, (8, 8, 8), 4)
    known = batch.channels != IGNORED
    assert torch.equal(batch.weights[known], batch.channels[known] + 1.0)
    assert PatchSampler([case], a_plan()).batch(0, (8, 8, 8), 4).weights is None


def test_intensities_change_within_what_was_asked_and_repeat_with_their_seed():
    patch = np.random.default_rng(0).standard_normal((2, 12, 10, 8)).astype(np.float32)
    every = RandomIntensities(1, 1, 1, 1, 1, 1, 1)
    one, again = (every.apply(np.random.default_rng(5), patch) for _ in range(2))
    assert np.array_equal(one, again)
    assert not np.allclose(one, patch)
    assert np.array_equal(AS_IT_IS.apply(np.random.default_rng(5), patch), patch)


@pytest.mark.parametrize("name", ["gamma", "inverted_gamma"])
def test_gamma_keeps_mean_deviation_and_order(name):
    patch = np.random.default_rng(0).standard_normal((1, 12, 10, 8)).astype(np.float32)
    only = RandomIntensities(**{**vars(AS_IT_IS), name: 1.0})
    bent = only.apply(np.random.default_rng(2), patch)
    assert bent.mean() == pytest.approx(patch.mean(), abs=1e-5)
    assert bent.std() == pytest.approx(patch.std(), rel=1e-4)
    assert np.array_equal(np.argsort(bent.ravel()), np.argsort(patch.ravel()))
    assert not np.allclose(bent, patch, atol=1e-3)


def test_a_lower_resolution_keeps_what_is_smooth_and_loses_what_is_fine():
    i = np.indices((16, 12, 8))[0].astype(np.float32)
    only = RandomIntensities(**{**vars(AS_IT_IS), "coarseness": 1.0})
    smooth = only.apply(np.random.default_rng(1), i[None])
    assert np.abs(smooth - i)[0, 2:-2].max() < 1.01
    fine = only.apply(np.random.default_rng(1), (i % 2)[None])
    assert fine.std() < 0.9 * (i % 2).std()
