import numpy as np
import pytest

from SegmentationAILib.core.expected_dice import ExpectedDice
from SegmentationAILib.core.patches import LogitsSlab


def logits_with(probability, mask):
    """Two channels; the foreground has one probability inside of a mask and another outside."""
    p = np.where(mask, probability[0], probability[1])
    return np.stack([np.log(1 - p), np.log(p)]).astype(np.float32)


def slabs(logits, axis, step=2):
    for start in range(0, logits.shape[axis + 1], step):
        stop = min(start + step, logits.shape[axis + 1])
        part = np.take(logits, range(start, stop), axis=axis + 1)
        yield LogitsSlab(axis, start, stop, part)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_it_is_the_dice_of_labels_and_probabilities(axis):
    mask = np.zeros((5, 6, 7), bool)
    mask[1:4, 2:5, 3:5] = True  # 18 voxels
    scores = ExpectedDice(2)
    for slab in slabs(logits_with((0.8, 0.1), mask), axis):
        scores.add(slab)
    inside, everywhere = 18 * 0.8, 18 * 0.8 + (210 - 18) * 0.1
    assert scores.scores() == (pytest.approx(2 * inside / (18 + everywhere), rel=1e-5),)


def test_a_calibrated_network_foretells_its_dice():
    rng = np.random.default_rng(0)
    shape = (48, 40, 44)
    distance = np.linalg.norm(
        np.indices(shape) - np.array([24, 20, 22])[:, None, None, None], axis=0
    )
    probability = 1 / (1 + np.exp((distance - 14) / 1.5))
    truth = rng.random(shape) < probability
    scores = ExpectedDice(2)
    logit = np.log(probability / (1 - probability))
    scores.add(LogitsSlab(0, 0, 48, np.stack([0 * logit, logit])))
    found = probability > 0.5
    dice = 2 * (found & truth).sum() / (found.sum() + truth.sum())
    assert scores.scores()[0] == pytest.approx(dice, abs=0.01)


def test_faint_probabilities_of_a_large_background_do_not_count():
    mask = np.zeros((40, 40, 40), bool)
    mask[20, 20, 20] = True
    scores = ExpectedDice(2)
    scores.add(LogitsSlab(0, 0, 40, logits_with((0.999, 0.005), mask)))
    assert scores.scores()[0] == pytest.approx(0.9995, abs=1e-4)


def test_what_was_not_found_has_no_score():
    scores = ExpectedDice(3)
    scores.add(LogitsSlab(0, 0, 4, np.stack([np.full((4, 4, 4), c) for c in (0.0, 3.0, -3.0)])))
    found, never = scores.scores()
    assert found > 0.9
    assert never is None


def test_independent_labels_each_have_their_own():
    scores = ExpectedDice(2, "sigmoid")
    scores.add(LogitsSlab(2, 0, 3, np.stack([np.full((3, 3, 3), c) for c in (np.log(9), -40.0)])))
    assert scores.scores() == (pytest.approx(2 * 0.9 / 1.9), None)
