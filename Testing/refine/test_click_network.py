"""The click engine, around a network of a few lines: what it looks at, follows, and leaves alone.

What the stand-in does not check: that the shipped network segments anything.
"""

import numpy as np
import pytest

from SegmentationAILib.core.errors import Cancelled
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.core.volume import Grid, Volume
from SegmentationAILib.refine import click_network
from SegmentationAILib.refine.click_network import ClickEngine
from SegmentationAILib.refine.engine import REACHES_THE_BORDER
from SegmentationAILib.refine.session import RefineSession

from phantoms import grid_around, sphere_mask


class LikeTheSeed:
    """Answers whatever looks like what was pointed at, but not near negative prompts."""

    def __init__(self):
        self.patches = []

    def __call__(self, patch):
        self.patches.append(patch)
        return 9.0 - 60.0 * np.abs(patch[:, 1:2]) - 30.0 * patch[:, 4:5] - 30.0 * patch[:, 6:7]

    def close(self):
        self.patches.clear()


CENTER = np.array([12.0, -7.0, 20.0])


def a_scan(radius_mm, shape=(120, 100, 60), dtype=np.int16):
    """A ball on an oblique grid with slices of 2.5 mm, and its mask by the formula."""
    grid = grid_around(CENTER, shape)
    mask = sphere_mask(grid, CENTER, radius_mm)
    noise = np.random.default_rng(1).normal(0, 4, grid.shape)
    return Volume((np.where(mask, 300, 0) + noise).astype(dtype)[None], grid.affine), mask


def a_session(volume):
    network = LikeTheSeed()
    return RefineSession(volume, engine=ClickEngine(network)), network


def dice(first, second):
    return 2 * np.count_nonzero(first & second) / (first.sum() + second.sum())


@pytest.mark.parametrize("radius_mm", [6.0, 16.0, 34.0])
def test_one_click_finds_a_ball_however_large_it_is(radius_mm):
    volume, target = a_scan(radius_mm)
    session, _ = a_session(volume)
    change = session.add_point(CENTER)
    assert dice(session.mask, target) > 0.97
    assert change.added == session.mask.sum()


def test_an_object_that_fits_takes_the_first_looks_and_a_larger_one_is_followed():
    # Four sizes of cells until the whole scan is seen.
    for radius_mm, least, most in ((10.0, 4, 4), (34.0, 5, 24)):
        volume, _ = a_scan(radius_mm)
        session, network = a_session(volume)
        session.add_point(CENTER)
        assert least <= len(network.patches) <= most


def test_the_same_object_elsewhere_is_left_alone():
    volume, target = a_scan(9.0)
    voxels = volume.voxels.copy()
    voxels[0, 5:15, 5:15, 5:15] = 300
    session, _ = a_session(Volume(voxels, volume.affine))
    session.add_point(CENTER)
    assert dice(session.mask, target) > 0.97
    session.add_point(volume.grid.ras_from_ijk(np.array([[10.0, 10, 10]]))[0])
    assert session.mask[5:15, 5:15, 5:15].all()
    assert dice(session.mask & (np.indices(target.shape)[0] > 20), target) > 0.97


def test_a_negative_click_takes_away_and_says_only_what_changed():
    volume, target = a_scan(16.0)
    session, _ = a_session(volume)
    session.add_point(CENTER)
    before = session.mask
    change = session.add_point(CENTER + np.array([10.0, 0, 0]), positive=False)
    assert change.removed > 20
    assert change.added == 0
    changed = before != session.mask
    inside = np.zeros_like(changed)
    inside[tuple(slice(a, b) for a, b in zip(change.start_ijk, change.stop_ijk, strict=True))] = 1
    assert not (changed & ~inside).any()
    assert dice(session.mask, target) > 0.8


def test_an_object_at_the_end_of_the_scan_is_said_to_go_on():
    volume, _ = a_scan(16.0)
    cut = Volume(volume.voxels[:, :, :, 28:], Grid(
        (120, 100, 32), _moved(volume.affine, 28)).affine)  # fmt: skip
    session, _ = a_session(cut)
    assert REACHES_THE_BORDER in session.add_point(CENTER + np.array([0, 0, 4.0])).notes
    whole, _ = a_session(volume)
    assert REACHES_THE_BORDER not in whole.add_point(CENTER).notes


def test_a_surface_that_is_too_large_for_one_answer_is_said_to_be_coarse(monkeypatch):
    monkeypatch.setattr(click_network, "MOST_TILES", 2)
    volume, target = a_scan(34.0)
    session, _ = a_session(volume)
    change = session.add_point(CENTER)
    assert click_network.DRAWN_COARSELY in change.notes
    assert dice(session.mask, target) > 0.9


def test_channels_are_looked_at_one_by_one():
    volume, target = a_scan(12.0)
    both = np.concatenate([volume.voxels, 1000 - 2 * volume.voxels])
    session, network = a_session(Volume(both, volume.affine))
    session.add_point(CENTER)
    assert {len(patch) for patch in network.patches} == {2}
    assert dice(session.mask, target) > 0.97


def test_voxels_that_are_not_numbers_disturb_nothing_else():
    volume, target = a_scan(12.0)
    voxels = volume.voxels.astype(np.float32)
    voxels[0, :, 50:53, :] = np.nan
    session, network = a_session(Volume(voxels, volume.affine))
    session.add_point(CENTER + np.array([0.0, 6, 0]))
    assert all(np.isfinite(patch).all() for patch in network.patches)
    assert session.mask.any()
    assert not (session.mask & ~target).any()


def test_a_box_is_looked_at_whole():
    volume, target = a_scan(34.0)
    session, network = a_session(volume)
    session.add_box(CENTER - 36.0, CENTER + 36.0)
    region = network.patches[0][0, 5]
    # 72 mm in cells of 7.2, 5.2 and 5 mm.
    assert region.sum() == pytest.approx(10 * 14 * 14, rel=0.4)
    assert not network.patches[0][0, 3:5].any()
    assert target.any()


def test_the_same_turns_give_the_same_voxels_after_undo():
    volume, _ = a_scan(34.0)
    session, _ = a_session(volume)
    session.add_point(CENTER)
    session.add_point(CENTER + 8.0, positive=False)
    once = session.mask
    session.undo()
    session.add_point(CENTER + 8.0, positive=False)
    assert np.array_equal(once, session.mask)


def test_canceling_changes_nothing():
    volume, _ = a_scan(34.0)
    session, _ = a_session(volume)

    def stop(fraction, sentence):
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        session.add_point(CENTER, progress=Progress(stop))
    assert not session.mask.any()


def _moved(affine, slices):
    moved = affine.copy()
    moved[:3, 3] += slices * affine[:3, 2]
    return moved
