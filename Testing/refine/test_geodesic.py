"""The geodesic engine on phantoms whose truth is a formula."""

import numpy as np
import pytest

from SegmentationAILib.core.volume import Volume
from SegmentationAILib.refine.engine import REACHES_THE_BORDER
from SegmentationAILib.refine.geodesic import GOES_ON
from SegmentationAILib.refine.session import RefineSession

from phantoms import SPHERE_CENTER_RAS, grid_around, sphere_mask, sphere_volume

CENTER = np.array(SPHERE_CENTER_RAS)


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def two_spheres(gap_mm, contrast=200.0, noise=8.0):
    """Two spheres of 9 mm and equal intensity, side by side in dark ground."""
    grid = grid_around(CENTER, shape=(64, 40, 26))
    away = np.array([9.0 + gap_mm / 2, 0, 0])
    left, right = (sphere_mask(grid, CENTER + sign * away, 9.0) for sign in (-1, 1))
    voxels = np.where(left | right, contrast, 0.0)
    voxels += np.random.default_rng(3).normal(0, noise, grid.shape)
    return Volume(voxels.astype(np.float32)[None], grid.affine), left, right, away


def test_one_click_into_a_sphere_finds_the_sphere():
    volume = sphere_volume()
    session = RefineSession(volume)
    session.add_point(CENTER)
    assert dice(session.mask, sphere_mask(volume.grid)) > 0.97


@pytest.mark.parametrize(("scale", "shift"), [(-1.0, 0.0), (0.001, 500.0), (40.0, -1000.0)])
def test_the_scale_and_sign_of_the_intensities_do_not_matter(scale, shift):
    volume = sphere_volume(np.float32)
    session = RefineSession(Volume(volume.voxels * np.float32(scale) + shift, volume.affine))
    session.add_point(CENTER)
    assert dice(session.mask, sphere_mask(volume.grid)) > 0.97


def test_a_negative_click_parts_what_looks_the_same():
    volume, left, right, away = two_spheres(gap_mm=-3.0)
    session = RefineSession(volume)
    session.add_point(CENTER - away)
    both = session.mask
    assert (both & right).sum() > 0.5 * right.sum(), "they touch and look the same"
    session.add_point(CENTER + away, positive=False)
    assert (session.mask & left).sum() > 0.85 * left.sum()
    assert (session.mask & right & ~left).sum() < 0.25 * right.sum()


def test_a_second_segment_far_away_stays_as_it_was():
    volume, left, right, away = two_spheres(gap_mm=12.0)
    session = RefineSession(volume)
    session.set_mask(right)
    change = session.add_point(CENTER - away)
    assert change.added > 0.8 * left.sum()
    assert dice(session.mask & left, left) > 0.9
    assert (session.mask & right).sum() > 0.97 * right.sum()


def test_a_positive_box_keeps_all_inside():
    volume, _, _, away = two_spheres(gap_mm=-3.0)
    session = RefineSession(volume)
    low, high = CENTER - away - 10, CENTER - away + np.array([8.0, 10, 10])
    session.add_box(low, high)
    found = volume.grid.ras_from_ijk(np.argwhere(session.mask).astype(float))
    slack = np.abs(volume.affine[:3, :3]).sum(axis=1)
    assert len(found) > 300
    assert (found >= low - slack).all()
    assert (found <= high + slack).all()


def test_what_ends_at_the_border_of_the_scan_is_said():
    volume = sphere_volume()
    part = Volume(volume.voxels[:, :, :26], volume.affine)
    session = RefineSession(part)
    inside = np.argwhere(sphere_mask(part.grid))
    change = session.add_point(part.grid.ras_from_ijk(np.median(inside, axis=0)[None])[0])
    assert REACHES_THE_BORDER in change.notes
    whole = RefineSession(volume)
    assert REACHES_THE_BORDER not in whole.add_point(CENTER).notes


def test_a_tube_longer_than_the_near_region_is_followed_click_by_click():
    grid = grid_around((0, 0, 0), shape=(40, 40, 200), spacing=(1.0, 1.0, 1.0))
    voxels = np.zeros(grid.shape, np.int16)
    voxels[15:25, 15:25] = 300
    session = RefineSession(Volume(voxels[None], grid.affine))
    session.add_point(grid.ras_from_ijk(np.array([[20.0, 20, 20]]))[0])
    for _ in range(12):
        last = np.argwhere(session.mask)[:, 2].max()
        if last == 199:
            break
        session.add_point(grid.ras_from_ijk(np.array([[20.0, 20, min(last + 2, 199)]]))[0])
    truth = np.zeros(grid.shape, bool)
    truth[15:25, 15:25] = True
    assert dice(session.mask, truth) > 0.95


def test_what_fills_the_near_region_is_said_to_go_on():
    voxels = np.zeros((1, 260, 250, 240), np.int16)
    voxels[:, 10:250, 10:240, 10:230] = 300
    change = RefineSession(Volume(voxels, np.eye(4))).add_point((130, 120, 110))
    assert GOES_ON in change.notes


def test_the_same_prompts_give_the_same_bytes():
    """Case 62."""
    volume, _, _, away = two_spheres(gap_mm=-3.0)
    masks = set()
    for _ in range(3):
        session = RefineSession(volume)
        session.add_point(CENTER - away)
        session.add_point(CENTER + away, positive=False)
        masks.add(session.mask.tobytes())
    assert len(masks) == 1


def test_the_order_of_the_voxels_in_memory_does_not_matter():
    volume = sphere_volume()
    masks = []
    for array in (np.ascontiguousarray(volume.voxels), np.asfortranarray(volume.voxels)):
        session = RefineSession(Volume(array, volume.affine))
        session.add_point(CENTER)
        masks.append(session.mask)
    assert np.array_equal(*masks)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 30, 30), (5, 2, 400), (3, 3, 3)])
@pytest.mark.parametrize("fill", [0.0, np.nan, np.inf])
def test_volumes_without_contrast_or_thickness_are_answered(shape, fill):
    session = RefineSession(Volume(np.full((1, *shape), fill, np.float32), np.eye(4)))
    session.add_point((0, 0, 0))
    assert session.mask[0, 0, 0]
    session.add_point((0, 0, 0), positive=False)
    assert not session.mask[0, 0, 0]


def test_the_probabilities_agree_with_the_mask():
    session = RefineSession(sphere_volume())
    change = session.add_point(CENTER)
    answer = session.last_answer
    inside = session.mask_in(answer.box)
    assert not change.is_empty
    assert (answer.probabilities[inside] >= 0.5).all()
    assert (answer.probabilities[~inside] <= 0.5).all()
