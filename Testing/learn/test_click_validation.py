import numpy as np
import pytest

from SegmentationAILib.learn.click_samples import ProceduralSource
from SegmentationAILib.learn.click_validation import dice_after_clicks, questions


def test_a_seed_asks_the_same_questions():
    first, second = (questions(ProceduralSource(), 2, seed=5) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.target, other.target)
        assert np.array_equal(one.sample.intensities, other.sample.intensities)


def test_a_network_that_knows_scores_one_and_one_that_answers_balls_gets_better_by_clicks():
    asked = questions(ProceduralSource(), 3, seed=5)
    targets = iter([a.target for a in asked])
    known = [next(targets)]
    assert dice_after_clicks(lambda _: np.where(known[0], 9.0, -9.0), asked[:1]) == pytest.approx(1)
    # A ball of two voxels around every positive click: Dice can only rise.
    dice = dice_after_clicks(lambda channels: channels[3] - 0.49, asked)
    assert dice.shape == (3, 3)
    assert (np.diff(dice, axis=1) >= -0.02).all()
    assert dice[:, 0].min() > 0
