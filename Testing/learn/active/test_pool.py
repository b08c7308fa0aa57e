import numpy as np
import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.active.core_set import CoreSet
from SegmentationAILib.learn.active.doubt import Doubt
from SegmentationAILib.learn.active.pool import Candidate, Pool, by_wish, check_pool
from SegmentationAILib.learn.active.random_choice import RandomChoice


def cases(*names):
    return tuple(Candidate(name, np.zeros((1, 2, 3, 4), np.float32)) for name in names)


def test_the_lowest_discriminator_scores_are_picked():
    """Fixture 46.11: of 0.9, 0.1, 0.5, 0.2 with a budget of 2 the second and the fourth."""
    scores = [0.9, 0.1, 0.5, 0.2]
    picked = by_wish(cases("a", "b", "c", "d"), [-score for score in scores], 2)
    assert [one.id for one in picked] == ["b", "d"]


def test_of_equal_wishes_the_earlier_case_comes_first():
    picked = by_wish(cases("a", "b", "c"), [1.0, 2.0, 2.0], 3)
    assert [one.id for one in picked] == ["b", "c", "a"]


def test_wishes_that_are_not_numbers_are_a_mistake():
    with pytest.raises(ValueError, match="finite wishes"):
        by_wish(cases("a", "b"), [1.0, float("nan")], 1)


def test_a_budget_beyond_the_pool_gives_the_whole_pool():
    pool = Pool((), cases("a", "b", "c"))
    assert {one.id for one in RandomChoice().rank(pool, 99)} == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("pool", "budget", "needs_labeled", "expected"),
    [
        (Pool((), cases("a")), 0, False, "budget of 0"),
        (Pool(cases("a"), ()), 1, False, "none to rank"),
        (Pool((), cases("a")), 1, True, "compares with cases that have labels"),
        (Pool(cases("a"), cases("a")), 1, False, "share a name"),
    ],
)
def test_a_pool_from_which_nothing_can_be_chosen_is_refused(pool, budget, needs_labeled, expected):
    with pytest.raises(SegmentationAIError, match=expected):
        check_pool(pool, budget, needs_labeled=needs_labeled)


def test_random_choices_differ_by_seed_and_repeat_with_it():
    pool = Pool((), cases(*"abcdefgh"))
    orders = {tuple(one.id for one in RandomChoice(seed).rank(pool, 8)) for seed in range(20)}
    assert len(orders) > 15
    assert RandomChoice(4).rank(pool, 3) == RandomChoice(4).rank(pool, 3)


def test_every_strategy_ranks_a_pool_of_one():
    pool = Pool((), cases("a"))
    looks = (lambda case: iter([np.zeros((2, 4), np.float32)]),)
    for strategy in (RandomChoice(), Doubt("entropy", looks), CoreSet(lambda case: np.zeros(2))):
        assert [one.id for one in strategy.rank(pool, 1)] == ["a"]
