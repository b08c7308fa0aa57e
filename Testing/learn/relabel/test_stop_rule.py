"""When the loop stops: each reason by itself, and none without a reason."""

import pytest

from SegmentationAILib.learn.relabel.stop_rule import Scores, verdict


def scores(dice=0.9, volume=0.1, holdout=None):
    return Scores(dice, volume, holdout)


def test_the_first_iteration_of_a_good_loop_goes_on():
    assert not verdict([], scores(0.85, 0.3, 0.8)).stops
    assert verdict([], scores(0.85, 0.3, 0.8)).is_kept


@pytest.mark.parametrize(("fall", "stops"), [(0.0095, False), (0.0105, True), (0.2, True)])
def test_a_fall_of_more_than_a_point_on_the_held_out_cases_keeps_the_old_network(fall, stops):
    found = verdict([scores(holdout=0.85)], scores(holdout=0.85 - fall))
    # It is the best iteration that counts, not the last.
    assert stops <= verdict([scores(holdout=0.85), scores(holdout=0.80)],
                            scores(holdout=0.85 - fall)).stops  # fmt: skip
    assert found.stops == stops
    assert found.is_kept == (not stops)
    assert ("held-out Dice fell from 0.850" in found.sentence) == stops


@pytest.mark.parametrize(("dice", "stops"), [(0.979, False), (0.98, True), (1.0, True)])
def test_labels_that_have_settled_end_the_loop_and_are_kept(dice, stops):
    found = verdict([scores()], scores(dice))
    assert (found.stops, found.is_kept) == (stops, True)


def test_volumes_that_move_away_twice_in_a_row_end_the_loop_and_are_not_kept():
    moving = [scores(volume=0.10), scores(volume=0.16)]
    found = verdict(moving, scores(volume=0.22))
    assert (found.stops, found.is_kept) == (True, False)
    # A large first step is what the loop is for; and what slows down has not drifted.
    assert not verdict([], scores(volume=0.8)).stops
    assert not verdict([scores(volume=0.10), scores(volume=0.30)], scores(volume=0.32)).stops
    assert not verdict([scores(volume=0.30), scores(volume=0.20)], scores(volume=0.26)).stops


def test_two_iterations_without_a_gain_on_the_held_out_cases_end_the_loop():
    risen = [scores(holdout=0.80), scores(holdout=0.84)]
    assert not verdict(risen, scores(holdout=0.8403)).stops
    found = verdict([*risen, scores(holdout=0.8403)], scores(holdout=0.8404))
    assert (found.stops, found.is_kept) == (True, True)
    assert not verdict([*risen, scores(holdout=0.8403)], scores(holdout=0.86)).stops


@pytest.mark.parametrize("dice", [0.0, 0.39])
def test_a_network_that_does_not_find_what_it_was_shown_is_not_kept(dice):
    found = verdict([], scores(dice, 1.0))
    assert (found.stops, found.is_kept) == (True, False)


def test_without_any_score_the_loop_goes_on():
    nothing = Scores(None, None, None)
    assert not verdict([nothing, nothing, nothing], nothing).stops
