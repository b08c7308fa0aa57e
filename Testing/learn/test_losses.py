import math

import pytest
import torch

from SegmentationAILib.learn.losses import dice_and_cross_entropy


def test_equal_logits_give_the_logarithm_of_the_channels_and_the_chance_dice():
    channels = torch.tensor([0, 0, 0, 1])
    loss = dice_and_cross_entropy(torch.zeros(4, 4), channels)
    # each channel is predicted with 4 * 0.25 = 1 voxel; hits: 3 * 0.25 and 1 * 0.25
    dice = ((2 * 0.75 + 1) / (1 + 3 + 1) + (2 * 0.25 + 1) / (1 + 1 + 1)) / 2
    assert loss.item() == pytest.approx(math.log(4) + 1 - dice, abs=1e-6)


def test_a_certain_right_answer_costs_nothing():
    channels = torch.randint(0, 5, (240,), generator=torch.Generator().manual_seed(0))
    logits = 50.0 * torch.nn.functional.one_hot(channels, 5).float()
    assert dice_and_cross_entropy(logits, channels).item() == pytest.approx(0.0, abs=1e-5)


def test_missing_a_small_structure_costs_as_much_dice_as_missing_a_large_one():
    channels = torch.zeros(1000, dtype=torch.long)
    channels[:900], channels[900:905] = 1, 2
    sure = 40.0 * torch.nn.functional.one_hot(channels, 3).float()
    costs = []
    for missed in (1, 2):
        logits = sure.clone()
        where = channels == missed
        logits[where, missed], logits[where, 0] = 0.0, 40.0
        cross_entropy = 40.0 * where.float().mean()
        costs.append((dice_and_cross_entropy(logits, channels) - cross_entropy).item())
    # background loses too, as it is predicted over the missed voxels: more for the large one
    assert costs[0] == pytest.approx(1 / 3 + 1 / 3, abs=0.1)
    assert costs[1] == pytest.approx(1 / 3, abs=0.1)


def test_half_precision_logits_are_summed_in_single_precision():
    channels = torch.zeros(32768, dtype=torch.long)
    logits = torch.zeros(32768, 2, dtype=torch.bfloat16)
    expected = math.log(2) + 1 - (2 * 16384 + 1) / (16384 + 32768 + 1)
    assert dice_and_cross_entropy(logits, channels).item() == pytest.approx(expected, abs=1e-5)


def test_the_weight_concerns_the_dice_part_alone():
    channels = torch.tensor([0, 0, 0, 1])
    logits = torch.zeros(4, 4)
    parts = [dice_and_cross_entropy(logits, channels, weight).item() for weight in (0.0, 0.5, 1.0)]
    assert parts[0] == pytest.approx(math.log(4), abs=1e-6)
    assert parts[1] == pytest.approx((parts[0] + parts[2]) / 2, abs=1e-6)
