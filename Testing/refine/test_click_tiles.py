import numpy as np

from SegmentationAILib.core.volume import Box, Grid
from SegmentationAILib.refine.click_field import Field
from SegmentationAILib.refine.click_tiles import nearest_first, seen_before, tiles_of

from phantoms import oblique_affine

GRID = Grid((120, 110, 70), oblique_affine((1.0, 1.0, 1.0)))


def a_ball_field(active=True):
    first, shape = (20, 10, 4), (90, 84, 60)
    axes = np.indices(shape) - np.array([45, 42, 30])[:, None, None, None]
    inside = (axes**2).sum(axis=0) <= 26**2
    return Field(GRID, 0, first, inside.astype(np.float32), np.full(shape, active))


def test_tiles_answer_once_for_every_cell_of_the_surface():
    field = a_ball_field()
    count = np.zeros(field.active.shape, int)
    for tile in tiles_of(field):
        count[tile.core] += 1
        sides = [c.stop - c.start for c in tile.core]
        assert sides == [s.stop - s.start for s in tile.seen]
    inside = field.probabilities > 0.5
    surface = sum(np.diff(np.pad(inside, 1).astype(int), axis=a)[:, 1:, 1:].any() for a in (0,))
    assert surface
    steps = np.abs(np.diff(inside.astype(int), axis=0)).astype(bool)
    assert (count[:-1][steps] == 1).all()
    assert count.max() == 1


def test_a_tile_sees_the_cells_that_it_answers_for():
    field = a_ball_field()
    numbers = np.arange(np.prod(GRID.shape), dtype=np.float64).reshape(GRID.shape)
    for tile in tiles_of(field):
        seen = numbers[tile.look.region.box.slices][tile.seen]
        box = field.region.box
        assert np.array_equal(seen, numbers[box.slices][tile.core])


def test_where_nothing_is_active_there_is_no_tile():
    assert tiles_of(a_ball_field(active=False)) == []


def test_beyond_the_field_a_tile_sees_the_mask():
    field = a_ball_field()
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[:18] = True
    for tile in tiles_of(field):
        before = seen_before(field, tile.look, mask)
        start = tile.look.region.box.start_ijk
        low = max(0, 18 - start[0])
        assert (before[:low] == 1).all()
        assert (before[low : max(0, 20 - start[0])] == 0).all()
        place = [c.start - a for c, a in zip(tile.seen, (0, 0, 0), strict=True)]
        assert before[tuple(place)] == field.probabilities[tuple(c.start for c in tile.core)]


def test_tiles_are_drawn_from_a_place_outwards():
    field = a_ball_field()
    place = (64, 52, 60)
    ordered = nearest_first(tiles_of(field), field, Box(place, (65, 53, 61)))
    middles = [
        np.add([(c.start + c.stop - 1) / 2 for c in tile.core], field.first) for tile in ordered
    ]
    away = [np.linalg.norm(GRID.ras_from_ijk(m[None]) - GRID.ras_from_ijk(np.array([place])))
            for m in middles]  # fmt: skip
    assert len(away) > 4
    assert away == sorted(away)
