import numpy as np
import pytest
import scipy.ndimage as ndi

from SegmentationAILib.core.volume import Grid, Volume
from SegmentationAILib.refine import click_zoom
from SegmentationAILib.refine.click_network import ClickEngine
from SegmentationAILib.refine.click_zoom import confirms, depth_mm, doubt
from SegmentationAILib.refine.look import look_at
from SegmentationAILib.refine.session import RefineSession

from phantoms import oblique_affine

SPACING = (0.8, 1.1, 3.0)
GRID = Grid((150, 130, 50), oblique_affine(SPACING))


def test_a_voxel_is_as_deep_as_another_tool_finds():
    rng = np.random.default_rng(4)
    mask = ndi.gaussian_filter(rng.normal(size=GRID.shape), (9, 7, 3)) > 0.01
    inside = ndi.distance_transform_edt(mask, sampling=SPACING)
    outside = ndi.distance_transform_edt(~mask, sampling=SPACING)
    for _ in range(60):
        place = rng.integers(0, GRID.shape)
        expected = max(inside[tuple(place)], outside[tuple(place)])
        assert depth_mm(mask, place, np.array(SPACING)) == pytest.approx(expected)


def test_a_lone_voxel_far_away_is_found():
    mask = np.zeros(GRID.shape, bool)
    mask[149, 0, 49] = True
    expected = np.linalg.norm(np.array([149, 129, 49]) * SPACING)
    found = depth_mm(mask, np.array([0, 129, 0]), np.array(SPACING))
    assert found == pytest.approx(expected)


def test_a_mask_of_one_kind_has_no_depth():
    for kind in (False, True):
        mask = np.full(GRID.shape, kind)
        assert depth_mm(mask, np.array([3, 4, 5]), np.array(SPACING)) is None


def test_doubt_is_counted_for_each_cell_taken():
    probabilities = np.array([[[0.9, 0.9, 0.5, 0.3, 0.1]]], np.float32)
    assert doubt(probabilities, probabilities > 0.5) == 1.0
    assert doubt(probabilities, np.zeros(probabilities.shape, bool)) == np.inf


class SureFrom:
    """Draws a ball 8 cells wide in every first look, sure of it only from one of the looks on.

    After the first looks it repeats what was drawn before, so that the finer patches keep it.
    """

    def __init__(self, sure_look, first_looks):
        self.sure_look, self.first_looks, self.looks = sure_look, first_looks, 0

    def __call__(self, patch):
        number, self.looks = self.looks, self.looks + 1
        if number >= self.first_looks:
            return 5.0 * patch[:, 2:3]
        near = ndi.distance_transform_edt(patch[0, 3] < 1.0) <= 4
        ball = near | (patch[0, 2] > 0)
        beside = -6.0 if number >= self.sure_look else -0.5
        logits = np.where(patch[0, 6] > 0, -20.0, np.where(ball, 5.0, beside))
        return logits.astype(np.float32)[None, None]

    def close(self):
        pass


def widest(mask):
    return max(np.ptp(places) + 1 for places in np.nonzero(mask))


@pytest.mark.parametrize(("sure_look", "voxels"), [(0, 9), (1, 18), (2, 36)])
def test_a_first_click_is_answered_in_the_cells_that_the_network_doubts_least(sure_look, voxels):
    volume = Volume(np.zeros((1, *GRID.shape), np.int16), GRID.affine)
    session = RefineSession(volume, engine=ClickEngine(SureFrom(sure_look, 3)))
    session.add_point(GRID.ras_from_ijk(np.array([[75.0, 65, 25]]))[0])
    assert abs(widest(session.mask) - voxels) <= 2**sure_look


def test_a_click_near_the_surface_is_looked_at_once_and_one_far_from_it_in_larger_cells_too():
    volume = Volume(np.zeros((1, *GRID.shape), np.int16), GRID.affine)
    mask = np.zeros(GRID.shape, bool)
    mask[20:60, 20:60, 10:40] = True
    looks = {}
    for name, place in {"near": (63, 40, 25), "far": (130, 40, 25)}.items():
        network = SureFrom(0, 9)
        session = RefineSession(volume, engine=ClickEngine(network))
        session.set_mask(mask)
        session.add_point(GRID.ras_from_ijk(np.array([place], float))[0])
        looks[name] = network.looks
    assert looks["near"] == 1
    assert looks["far"] > 1


def a_region(grid, level, start, shape):
    """A look around a place, and what changes there: a box of its cells."""
    look = look_at(np.array(start) + np.array(shape) / 2, level, grid)
    changed = np.zeros(look.region.shape, bool)
    factor = np.array(look.region.factor)
    low = (np.array(start) - look.region.box.start_ijk) // factor
    high = low + np.ceil(np.array(shape) / factor).astype(int)
    changed[tuple(slice(max(int(a), 0), int(b)) for a, b in zip(low, high, strict=True))] = True
    return look, changed


def test_a_larger_look_is_believed_where_it_sees_what_the_smaller_one_saw():
    small, own = a_region(GRID, 0, (60, 40, 10), (20, 40, 20))
    same, its = a_region(GRID, 1, (60, 10, 10), (20, 110, 20))
    assert confirms(same, its, small, own)
    # Within the smaller look three times as wide, which the smaller one would have seen.
    other, wide = a_region(GRID, 1, (40, 10, 10), (60, 110, 20))
    assert not confirms(other, wide, small, own)


class Greedy(SureFrom):
    """Draws a ball with doubts in the first look, and is sure of the whole scan in all others."""

    def __call__(self, patch):
        if self.looks:
            return np.where(patch[:, 6:7] > 0, -20.0, 9.0).astype(np.float32)
        return super().__call__(patch)


@pytest.mark.parametrize("balls", [4.0, 1e9])
def test_a_click_changes_no_more_than_its_depth_allows(monkeypatch, balls):
    monkeypatch.setattr(click_zoom, "BALLS_OF_AN_ERROR", balls)
    volume = Volume(np.zeros((1, *GRID.shape), np.int16), GRID.affine)
    mask = np.zeros(GRID.shape, bool)
    mask[20:60, 20:60, 10:40] = True
    session = RefineSession(volume, engine=ClickEngine(Greedy(1, 2)))
    session.set_mask(mask)
    # 24 mm from the mask along the rows.
    change = session.add_point(GRID.ras_from_ijk(np.array([[89.0, 40, 25]]))[0])
    allowed = 4 * 4 / 3 * np.pi * 24.0**3
    assert (change.added * np.prod(SPACING) <= allowed) == (balls == 4.0)
