from itertools import pairwise

import pytest
import torch

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.boundary_loss import boundary, signed_distances
from SegmentationAILib.learn.label_losses import dice_and_cross_entropy
from SegmentationAILib.learn.loss_target import loss_target
from SegmentationAILib.learn.named_losses import (
    deep_supervision_weights,
    loss_by_name,
    supervised_loss,
)
from SegmentationAILib.learn.plan import TrainingPlan


def test_a_loss_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(SegmentationAIError, match=r"no loss 'hinge'.*dice-ce.*jaccard"):
        loss_by_name("hinge")
    assert loss_by_name(TrainingPlan.loss) is dice_and_cross_entropy


def test_levels_weigh_half_of_the_one_above_and_one_together():
    weights = deep_supervision_weights(4)
    assert sum(weights) == pytest.approx(1.0)
    assert [a / b for a, b in pairwise(weights)] == [2.0, 2.0, 2.0]


def test_deep_supervision_compares_each_level_with_the_middle_of_its_cells():
    channels = torch.zeros(1, 8, 12, 4, dtype=torch.uint8)
    channels[:, 4:, :, :] = 1
    fine = torch.zeros(1, 2, 8, 12, 4)
    fine[:, 1, 4:], fine[:, 0, :4] = 40.0, 40.0
    coarse = fine[:, :, ::2, ::4, :]
    strides = ((1, 1, 1), (2, 4, 1))
    found = supervised_loss(dice_and_cross_entropy, [fine, coarse], loss_target(channels), strides)
    assert float(found) == pytest.approx(0.0, abs=1e-4)
    wrong = supervised_loss(
        dice_and_cross_entropy, [fine, coarse.flip(2)], loss_target(channels), strides
    )
    alone = dice_and_cross_entropy(coarse.flip(2), loss_target(channels[:, ::2, ::4, :]))
    assert float(wrong) == pytest.approx(float(alone) / 3, rel=1e-4)


def test_distances_to_the_boundary_of_a_slab_are_those_of_a_ruler():
    channels = torch.zeros(1, 9, 4, 4, dtype=torch.int64)
    channels[:, 3:6] = 1
    column = signed_distances(channels.numpy(), 2)[0, 0, :, 1, 2]
    assert column.tolist() == [3, 2, 1, 0, -1, 0, 1, 2, 3]
    assert not signed_distances(channels.numpy() * 0, 2).any()


def test_the_boundary_loss_is_lower_the_nearer_the_answer_is_to_the_truth():
    channels = torch.zeros(1, 12, 8, 6, dtype=torch.uint8)
    channels[:, 2:6] = 1
    losses = []
    for shift in range(5):
        logits = torch.zeros(1, 2, 12, 8, 6)
        logits[:, 1] = -20.0
        logits[:, 1, 2 + shift : 6 + shift] = 20.0
        losses.append(float(boundary(logits, loss_target(channels))))
    assert losses == sorted(losses)
    assert losses[0] < losses[1] < losses[4]
