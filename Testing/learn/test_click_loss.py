import math

import pytest
import torch

from SegmentationAILib.learn.click_loss import PROMPTED, click_loss

ZERO = torch.zeros(1, 8, 2, 2, 2)
ONE = torch.ones_like(ZERO)


def test_a_sure_and_right_answer_costs_nothing():
    target = (torch.arange(64).reshape(1, 8, 2, 2, 2) < 20).float()
    assert click_loss(40 * target - 20, target, ZERO, ONE).item() == pytest.approx(0, abs=1e-5)


def test_an_undecided_answer_costs_what_the_formulas_say():
    target = (torch.arange(64).reshape(1, 8, 2, 2, 2) < 20).float()
    dice = (2 * 10 + 1) / (32 + 20 + 1)
    expected = math.log(2) + 1 - dice
    assert click_loss(ZERO, target, ZERO, ONE).item() == pytest.approx(expected, abs=1e-5)


def test_beyond_the_scan_nothing_counts():
    target = (torch.arange(64).reshape(1, 8, 2, 2, 2) < 20).float()
    inside = (torch.arange(64).reshape(1, 8, 2, 2, 2) < 40).float()
    logits = 40 * target - 20
    logits[inside == 0] = 20.0
    assert click_loss(logits, target, ZERO, inside).item() == pytest.approx(0, abs=1e-5)


def test_an_error_under_a_click_costs_more_in_the_cross_entropy():
    target, logits, prompted = ONE.clone(), 20 * ONE, ZERO.clone()
    logits[0, 0, 0, 0, 0] = -1.0
    plain = click_loss(logits, target, ZERO, ONE).item()
    prompted[0, 0, 0, 0, 0] = 1.0
    clicked = click_loss(logits, target, prompted, ONE).item()
    each = math.log(1 + math.e)
    difference = each * (1 + PROMPTED) / (64 + PROMPTED) - each / 64
    assert clicked - plain == pytest.approx(difference, abs=1e-5)
