import numpy as np
import pytest
import scipy.ndimage as ndi

from SegmentationAILib.core.volume import Grid, Volume
from SegmentationAILib.refine import click_zoom
from SegmentationAILib.refine.click_network import ClickEngine
from SegmentationAILib.refine.click_zoom import depth_mm, doubt
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


@pytest.mark.parametrize(("rows", "levels"), [(52, {0}), (90, {0, 1})])
def test_an_answer_is_followed_beyond_its_look_only_where_there_is_much_to_see(rows, levels):
    grid = Grid((rows, 40, 30), oblique_affine((1.0, 1.0, 1.0)))
    volume = Volume(np.zeros((1, *grid.shape), np.int16), grid.affine)
    mask = np.zeros(grid.shape, bool)
    mask[:20] = True
    network = Everything()
    session = RefineSession(volume, engine=ClickEngine(network))
    session.set_mask(mask)
    session.add_point(grid.ras_from_ijk(np.array([[22.0, 20, 15]]))[0])
    assert {0 if one == 48 else 1 for one in network.rows} == levels


class Everything:
    """Takes the whole look, and notes how many of its rows the scan reaches."""

    def __init__(self):
        self.rows = []

    def __call__(self, patch):
        self.rows.append(np.count_nonzero((patch[0, 6] == 0).any(axis=(1, 2))))
        return np.where(patch[:, 6:7] > 0, -20.0, 9.0).astype(np.float32)

    def close(self):
        pass


class Greedy(SureFrom):
    """Draws a ball with doubts in the first look, and is sure of the whole scan in all others."""

    def __call__(self, patch):
        if self.looks:
            return np.where(patch[:, 6:7] > 0, -20.0, 9.0).astype(np.float32)
        return super().__call__(patch)


@pytest.mark.parametrize("balls", [4.0, 1e9])
def test_larger_cells_are_not_taken_where_they_change_more_than_a_clicks_depth_allows(
    monkeypatch, balls
):
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
