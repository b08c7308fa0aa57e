"""The history is bounded, and says what it has forgotten."""

import numpy as np
import pytest

from SegmentationAILib.core.errors import PromptError
from SegmentationAILib.core.volume import Box
from SegmentationAILib.refine.mask_steps import MaskSteps, difference_step, turn_over

SHAPE = (30, 20, 10)


def random_steps(count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        start = rng.integers(0, np.array(SHAPE) - 1)
        stop = rng.integers(start + 1, np.array(SHAPE) + 1)
        box = Box(tuple(map(int, start)), tuple(map(int, stop)))
        yield difference_step(box, rng.random(box.shape) < 0.5, 0)


def test_turning_a_step_over_twice_gives_back_the_mask():
    mask = np.random.default_rng(1).random(SHAPE) < 0.5
    for step in random_steps(20):
        before = mask.copy()
        turned = turn_over(mask, step)
        assert np.array_equal(turned.within(Box((0, 0, 0), SHAPE)), mask ^ before)
        changed = mask.copy()
        turn_over(mask, step)
        assert np.array_equal(mask, before)
        mask = changed


def test_beyond_the_bounds_the_oldest_steps_go_and_the_rest_can_be_undone():
    by_count = MaskSteps(most_steps=7)
    by_bytes = MaskSteps(most_bytes=5000)
    for step in random_steps(40):
        by_count.add(step)
        by_bytes.add(step)
        assert by_bytes.size_bytes <= 5000 or by_bytes.levels == 1
    assert (by_count.levels, by_count.dropped) == (7, 33)
    assert by_bytes.levels + by_bytes.dropped == 40
    for _ in range(7):
        by_count.undo()
    with pytest.raises(PromptError, match="older steps were dropped"):
        by_count.undo()
    for _ in range(7):
        by_count.redo()
    assert by_count.levels == 7


def test_the_base_is_the_mask_before_all_steps_since_it_was_set():
    mask, steps = np.zeros(SHAPE, bool), MaskSteps()
    rng = np.random.default_rng(2)
    base = rng.random(SHAPE) < 0.5
    setting = difference_step(Box((0, 0, 0), SHAPE), base, 0, sets=True)
    for step in [*random_steps(3), setting, *random_steps(5)]:
        if step is setting:
            step = difference_step(Box((0, 0, 0), SHAPE), mask ^ base, 0, sets=True)
        turn_over(mask, step)
        steps.add(step)
    found = steps.base_of(mask)
    assert np.array_equal(found.within(Box((0, 0, 0), SHAPE)), base)
