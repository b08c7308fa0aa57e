"""A session changes what its prompts ask for and nothing else, and every step can be taken back."""

import numpy as np
import pytest

from SegmentationAILib.core.errors import (
    Cancelled,
    GeometryError,
    PromptError,
    SegmentationAIError,
)
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.core.volume import Box, Grid, Volume
from SegmentationAILib.refine.engine import Answer
from SegmentationAILib.refine.mask_steps import MOST_BYTES
from SegmentationAILib.refine.session import RefineSession

from phantoms import SPHERE_CENTER_RAS, grid_around, sphere_mask, sphere_volume


class RandomEngine:
    """Proposes noise in a random box: whatever an engine does, the session's promises hold.

    Depends on the number of prompts alone, so that it answers the same turn the same way.
    """

    def answer(self, turn, progress):
        progress(0.0, "Guessing")
        rng = np.random.default_rng(len(turn.prompts))
        start = rng.integers(0, np.array(turn.mask.shape) - 1)
        stop = rng.integers(start + 1, np.array(turn.mask.shape) + 1)
        box = Box(tuple(map(int, start)), tuple(map(int, stop)))
        return Answer(box, rng.random(box.shape) < 0.5)

    def close(self):
        pass


GRID = grid_around((3.0, -4.0, 5.0), shape=(21, 18, 13))


def a_random_session(**options):
    voxels = np.random.default_rng(1).normal(size=(1, *GRID.shape)).astype(np.float32)
    return RefineSession(Volume(voxels, GRID.affine), engine=RandomEngine(), **options)


def ras(ijk, grid=GRID):
    return grid.ras_from_ijk(np.array([ijk], float))[0]


def random_prompt(session, rng):
    inside = rng.uniform(-0.5, np.array(GRID.shape) - 0.5, (5, 3))
    points = GRID.ras_from_ijk(inside)
    positive = bool(rng.random() < 0.5)
    kind = rng.integers(4)
    if kind == 0:
        return session.add_point(points[0], positive)
    if kind == 1:
        return session.add_scribble(points[:3], 2.0, positive)
    if kind == 2:
        return session.add_box(points[0], points[1], positive)
    return session.add_lasso(points, positive)


@pytest.mark.parametrize("seed", range(8))
def test_nothing_outside_the_named_box_ever_changes_and_the_box_is_the_smallest(seed):
    session, rng = a_random_session(), np.random.default_rng(seed)
    for _ in range(12):
        before = session.mask
        change = random_prompt(session, rng)
        turned = before ^ session.mask
        if change.is_empty:
            assert not turned.any()
            continue
        places = np.argwhere(turned)
        assert tuple(places.min(axis=0)) == change.start_ijk
        assert tuple(places.max(axis=0) + 1) == change.stop_ijk
        assert np.array_equal(change.turned, turned[change.box.slices])
        assert change.added == np.count_nonzero(turned & session.mask)
        assert change.removed == np.count_nonzero(turned & before)


def test_a_hundred_prompts_and_a_hundred_undos_give_back_the_very_bytes():
    session, rng = a_random_session(), np.random.default_rng(3)
    session.set_mask(rng.random(GRID.shape) < 0.3)
    states = [session.mask.tobytes("A")]
    for _ in range(100):
        random_prompt(session, rng)
        states.append(session.mask.tobytes("A"))
    assert session.undo_levels == 101
    for state in states[-2::-1]:
        session.undo()
        assert session.mask.tobytes("A") == state
    for state in states[1:]:
        session.redo()
        assert session.mask.tobytes("A") == state
    assert len(session.prompts) == 100


def test_a_new_prompt_after_an_undo_ends_what_could_be_redone():
    session = a_random_session()
    session.add_point(ras((3, 3, 3)))
    session.undo()
    session.add_point(ras((4, 4, 4)))
    with pytest.raises(PromptError, match="no step to do again"):
        session.redo()


def test_there_is_nothing_to_undo_at_the_start():
    session = a_random_session()
    with pytest.raises(PromptError, match="no step to undo"):
        session.undo()


@pytest.mark.parametrize("seed", range(4))
def test_frozen_voxels_never_change(seed):
    session, rng = a_random_session(), np.random.default_rng(seed)
    session.set_mask(rng.random(GRID.shape) < 0.5)
    frozen = rng.random(GRID.shape) < 0.4
    session.freeze(frozen)
    kept = session.mask[frozen]
    for _ in range(10):
        random_prompt(session, rng)
        assert np.array_equal(session.mask[frozen], kept)
    session.set_mask(np.zeros(GRID.shape, bool))
    assert np.array_equal(session.mask[frozen], kept)
    session.freeze(None)
    session.set_mask(np.zeros(GRID.shape, bool))
    assert not session.mask.any()


def test_nothing_leaves_in_add_only_mode_and_nothing_comes_in_remove_only_mode():
    session, rng = a_random_session(), np.random.default_rng(8)
    session.set_mask(rng.random(GRID.shape) < 0.5)
    session.mode = "add only"
    before = session.mask
    changes = [random_prompt(session, rng) for _ in range(10)]
    assert not (before & ~session.mask).any()
    assert sum(change.added for change in changes) > 0
    session.mode = "remove only"
    before = session.mask
    changes = [random_prompt(session, rng) for _ in range(10)]
    assert not (session.mask & ~before).any()
    assert sum(change.removed for change in changes) > 0
    with pytest.raises(ValueError, match="add only"):
        session.mode = "sometimes"


def test_of_two_opposite_clicks_on_one_voxel_the_later_wins():
    session = a_random_session()
    place = (7, 6, 5)
    for positive in (True, False, True):
        session.add_point(ras(place), positive)
        assert session.mask[place] == positive
    session.undo()
    assert not session.mask[place]


@pytest.mark.parametrize("ijk", [(0, 0, 0), (20, 17, 12), (-0.5, -0.5, -0.5), (20.5, 17.5, 12.5)])
def test_a_click_on_the_border_voxel_is_answered(ijk):
    session = a_random_session()
    session.add_point(ras(ijk))
    voxel = tuple(int(np.clip(np.floor(n + 0.5), 0, s - 1)) for n, s in zip(ijk, GRID.shape))  # noqa: B905
    assert session.mask[voxel]


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.add_point(ras((-0.6, 3, 3))),
        lambda s: s.add_point((np.nan, 0, 0)),
        lambda s: s.add_point((0, 0, np.inf)),
        lambda s: s.add_point((1, 2)),
        lambda s: s.add_point(None),
        lambda s: s.add_box((900, 900, 900), (901, 901, 901)),
        lambda s: s.add_scribble([(900, 900, 900)], 2.0),
        lambda s: s.add_scribble([], 2.0),
        lambda s: s.add_scribble([ras((3, 3, 3))], -1.0),
        lambda s: s.add_lasso([ras((3, 3, 3)), ras((4, 4, 4))]),
        lambda s: s.set_mask(np.zeros((3, 3, 3), bool)),
        lambda s: s.set_mask(np.zeros(GRID.shape, np.uint8)),
        lambda s: s.freeze(np.zeros((3, 3, 3), bool)),
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(act):
    session = a_random_session()
    session.add_point(ras((7, 6, 5)))
    before, prompts = session.mask, session.prompts
    with pytest.raises((PromptError, GeometryError)):
        act(session)
    assert np.array_equal(session.mask, before)
    assert session.prompts == prompts
    assert session.undo_levels == 1


def test_a_click_in_nan_is_what_was_said_and_the_engine_cannot_change_nan():
    voxels = np.random.default_rng(1).normal(size=(1, *GRID.shape)).astype(np.float32)
    voxels[0, 5:15, 5:12, 3:9] = np.nan
    session = RefineSession(Volume(voxels, GRID.affine), engine=RandomEngine())
    for n in range(6):
        session.add_point(ras((8, 8, 5 + n % 2)))
    inside = session.mask[5:15, 5:12, 3:9]
    assert inside.sum() == 2
    assert session.mask[8, 8, 5]
    assert session.mask[8, 8, 6]


def test_canceling_changes_nothing():
    session = a_random_session()
    session.add_point(ras((7, 6, 5)))
    before = session.mask

    def cancel(fraction, sentence):
        raise Cancelled

    with pytest.raises(Cancelled):
        session.add_point(ras((9, 9, 9)), progress=Progress(cancel))
    assert np.array_equal(session.mask, before)
    assert session.undo_levels == 1


def test_prompts_wait_for_apply_and_are_then_one_step():
    session = a_random_session()
    session.run_mode = "on apply"
    for ijk in [(3, 3, 3), (9, 9, 9)]:
        assert session.add_point(ras(ijk)).is_empty
    assert not session.mask.any()
    assert len(session.waiting) == 2
    assert not session.apply().is_empty
    assert session.mask[3, 3, 3]
    assert session.mask[9, 9, 9]
    assert session.undo_levels == 1
    assert session.waiting == ()
    session.undo()
    assert not session.mask.any()


def test_a_line_drawn_live_is_answered_as_it_grows_and_is_one_step():
    line = [ras((n, 9, 6)) for n in range(3, 16, 3)]
    live, released = a_random_session(), a_random_session()
    live.run_mode = "live"
    for length in range(1, len(line)):
        before = live.mask
        change = live.add_scribble(line[:length], 1.5, is_finished=False)
        turned = before ^ live.mask
        assert np.count_nonzero(turned) == change.added + change.removed
        assert live.mask[3 * length, 9, 6]
        assert released.add_scribble(line[:length], 1.5, is_finished=False).is_empty
    live.add_scribble(line, 1.5)
    released.add_scribble(line, 1.5)
    assert np.array_equal(live.mask, released.mask)
    assert live.undo_levels == released.undo_levels == 1
    live.undo()
    assert not live.mask.any()


def test_prompts_before_a_set_mask_no_longer_count_and_come_back_with_undo():
    session = a_random_session()
    session.add_point(ras((7, 6, 5)))
    before = session.mask
    session.set_mask(np.zeros(GRID.shape, bool))
    assert session.prompts == ()
    session.undo()
    assert len(session.prompts) == 1
    assert np.array_equal(session.mask, before)


def two_spheres_apart():
    grid = grid_around(SPHERE_CENTER_RAS, shape=(70, 44, 28))
    away = np.array([13.0, 0, 0])
    left, right = (sphere_mask(grid, SPHERE_CENTER_RAS + s * away, 8.0) for s in (-1, 1))
    return Volume(np.where(left | right, 200, 0).astype(np.int16)[None], grid.affine)


@pytest.mark.parametrize("index", [0, 1])
def test_a_prompt_that_is_not_the_last_can_be_taken_back(index):
    volume = two_spheres_apart()
    session = RefineSession(volume)
    places = [SPHERE_CENTER_RAS + sign * np.array([13.0, 0, 0]) for sign in (-1, 1)]
    for place in places:
        session.add_point(place)
    both = session.mask
    alone = RefineSession(volume)
    alone.add_point(places[1 - index])
    session.remove_prompt(index)
    assert session.prompts == alone.prompts
    assert np.array_equal(session.mask, alone.mask)
    session.undo()
    assert len(session.prompts) == 2
    assert np.array_equal(session.mask, both)
    with pytest.raises(PromptError, match="no prompt 3"):
        session.remove_prompt(2)


def test_prompts_taken_back_in_any_order_leave_the_mask_that_was_set():
    session, rng = a_random_session(), np.random.default_rng(6)
    session.set_mask(rng.random(GRID.shape) < 0.4)
    before = session.mask
    for _ in range(6):
        random_prompt(session, rng)
    for index in (2, 0, 3, 1, 1, 0):
        session.remove_prompt(index)
    assert session.prompts == ()
    assert np.array_equal(session.mask, before)
    for _ in range(12):
        session.undo()
    assert np.array_equal(session.mask, before)


def test_the_mask_is_a_copy():
    session = a_random_session()
    session.mask[:] = True
    assert not session.mask.any()


def test_an_engine_that_is_not_there_is_refused_by_name():
    with pytest.raises(SegmentationAIError, match=r"no engine 'magic'; known are geodesic"):
        RefineSession(sphere_volume(), engine="magic")
    with pytest.raises(SegmentationAIError, match="without a network"):
        RefineSession(sphere_volume(), engine="geodesic", network="brain-any-contrast")


def test_several_channels_are_one_scan():
    """A sphere that only the second channel shows."""
    grid = grid_around(SPHERE_CENTER_RAS)
    truth = sphere_mask(grid)
    rng = np.random.default_rng(2)
    flat = rng.normal(100, 5, grid.shape)
    shown = np.where(truth, 300.0, 50.0) + rng.normal(0, 5, grid.shape)
    session = RefineSession(Volume(np.stack([flat, shown]).astype(np.float32), grid.affine))
    session.add_point(SPHERE_CENTER_RAS)
    found = session.mask
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.85


@pytest.mark.slow
def test_a_thousand_clicks_do_not_grow():
    """Case 60: besides the steps to be undone, which have a bound of their own."""
    import os

    import psutil

    grid = Grid((120, 110, 70), np.diag([1.0, 1.1, 2.0, 1.0]))
    rng = np.random.default_rng(4)
    session = RefineSession(
        Volume(rng.normal(0, 30, (1, *grid.shape)).astype(np.int16), grid.affine)
    )
    places = grid.ras_from_ijk(rng.uniform(0, np.array(grid.shape) - 1, (1000, 3)))
    process = psutil.Process(os.getpid())
    for number, place in enumerate(places):
        if number == 100:
            resident = process.memory_info().rss
        session.add_point(place, bool(number % 2))
    grown = process.memory_info().rss - session._state.steps.size_bytes - resident
    assert grown < 20 << 20
    assert session._state.steps.size_bytes <= MOST_BYTES
