import numpy as np
import pytest

from SegmentationAILib.learn import click_rounds
from SegmentationAILib.learn.click_rounds import Rounds, random_target
from SegmentationAILib.learn.click_samples import OUTSIDE, SIDE, Sample

POSITIVE, NEGATIVE, BEFORE, REGION, OUT = 3, 4, 2, 5, 6


def a_sample(unions=False):
    labels = np.zeros((SIDE,) * 3, np.uint8)
    labels[10:22, 8:20, 15:30] = 1
    labels[30:40, 30:40, 5:15] = 2
    labels[:, :, 44:] = OUTSIDE
    intensities = np.where(labels == 1, 2.0, 0.0).astype(np.float16)
    return Sample(intensities, labels, unions)


def rounds_that_start_with(kind, monkeypatch, seed=0):
    monkeypatch.setattr(click_rounds, "_START_SHARES", [kind == s for s in click_rounds._STARTS])
    sample = a_sample()
    return Rounds(np.random.default_rng(seed), sample, sample.labels == 1)


@pytest.mark.parametrize("seed", range(8))
def test_a_first_click_lies_in_the_target_however_it_is_turned(seed, monkeypatch):
    rounds = rounds_that_start_with("click", monkeypatch, seed)
    channels = rounds.input()
    assert rounds.target.sum() == 12 * 12 * 15
    assert rounds.target[channels[POSITIVE] == 1].all()
    assert np.count_nonzero(channels[POSITIVE] == 1) == 1
    # The volume turns with the target: what is bright is the target.
    assert channels[0][rounds.target].min() > channels[0][~rounds.target].max()
    assert not channels[BEFORE].any()
    assert np.count_nonzero(channels[OUT]) == SIDE * SIDE * 4


def test_a_box_holds_nearly_all_of_the_target(monkeypatch):
    for seed in range(6):
        rounds = rounds_that_start_with("box", monkeypatch, seed)
        region = rounds.input()[REGION] > 0
        assert (region & rounds.target).sum() > 0.8 * rounds.target.sum()
        assert region.sum() < 4 * rounds.target.sum()


def test_a_wrong_mask_is_followed_by_a_click_where_it_is_wrong(monkeypatch):
    for seed in range(6):
        rounds = rounds_that_start_with("wrong mask", monkeypatch, seed)
        channels = rounds.input()
        before = channels[BEFORE] > 0
        clicked = (channels[POSITIVE] == 1) | (channels[NEGATIVE] == 1)
        assert clicked.any()
        assert (before != rounds.target)[clicked].all()
        assert rounds.target[channels[POSITIVE] == 1].all()
        assert not rounds.target[channels[NEGATIVE] == 1].any()


def test_what_was_missed_is_clicked_next_and_the_answer_is_fed_back(monkeypatch):
    rounds = rounds_that_start_with("click", monkeypatch)
    rounds.left = 5
    answer = np.zeros((SIDE,) * 3, np.float32)
    first = rounds.input()[POSITIVE] == 1
    assert rounds.answered(answer)
    channels = rounds.input()
    clicked = channels[POSITIVE] == 1
    assert np.array_equal(channels[BEFORE] == 1, first)
    assert (channels[BEFORE][~first] == -1).all()
    assert np.count_nonzero(clicked) >= 2
    assert rounds.answered(np.ones_like(answer))
    assert (rounds.input()[NEGATIVE] == 1).any()


def test_a_right_answer_is_the_end(monkeypatch):
    rounds = rounds_that_start_with("click", monkeypatch)
    rounds.left = 5
    assert not rounds.answered(rounds.target.astype(np.float32))


def test_targets_are_labels_and_unions_only_where_allowed():
    rng = np.random.default_rng(0)
    single = {int(random_target(rng, a_sample()).sum()) for _ in range(30)}
    assert single == {12 * 12 * 15, 1000}
    several = {int(random_target(rng, a_sample(unions=True)).sum()) for _ in range(40)}
    assert several == {12 * 12 * 15, 1000, 12 * 12 * 15 + 1000}
    nothing = Sample(np.zeros((SIDE,) * 3, np.float16), np.zeros((SIDE,) * 3, np.uint8), True)
    assert random_target(rng, nothing) is None
