import math

import numpy as np
import pytest
import torch

from SegmentationAILib.learn.label_losses import (
    cross_entropy,
    dice,
    dice_and_cross_entropy,
    focal,
    jaccard,
    tversky,
    weighted_binary_cross_entropy,
)
from SegmentationAILib.learn.loss_target import loss_target
from SegmentationAILib.learn.named_losses import LOSSES
from SegmentationAILib.learn.smoothed_loss import smoothed_dice_and_cross_entropy
from SegmentationAILib.learn.training_case import IGNORED

ALL = [pytest.param(loss, id=name) for name, loss in LOSSES.items()]


def logits_of(probabilities):
    """Logits whose softmax is this: rows of voxels, columns of channels, as (1, K, voxels)."""
    return torch.tensor(probabilities).log().T[None]


def a_batch(seed=0, shape=(2, 3, 6, 5, 4)):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=generator)
    channels = torch.randint(0, shape[1], (shape[0], *shape[2:]), generator=generator)
    return logits, channels.to(torch.uint8)


# Four voxels, background and one structure: the last two are the structure.
FOUR = [[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.5, 0.5]]
TRUTH = torch.tensor([[0, 0, 1, 1]], dtype=torch.uint8)
HIT, PREDICTED, PRESENT = 1.2, 1.7, 2.0


@pytest.mark.parametrize(
    ("loss", "by_hand"),
    [
        (dice, 1 - 2 * HIT / (PREDICTED + PRESENT)),
        (jaccard, 1 - HIT / (PREDICTED + PRESENT - HIT)),
        (tversky, 1 - HIT / (HIT + 0.3 * (PREDICTED - HIT) + 0.7 * (PRESENT - HIT))),
        (cross_entropy, -np.log([0.9, 0.6, 0.7, 0.5]).mean()),
        (focal, -(np.array([0.1, 0.4, 0.3, 0.5]) ** 2 * np.log([0.9, 0.6, 0.7, 0.5])).mean()),
        (weighted_binary_cross_entropy, -np.log([0.9, 0.6, 0.7, 0.5]).mean()),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_four_voxels_give_the_loss_computed_by_hand(loss, by_hand):
    assert float(loss(logits_of(FOUR), loss_target(TRUTH))) == pytest.approx(by_hand, abs=2e-5)


def test_the_rarer_side_weighs_as_much_as_all_the_others_together():
    truth = torch.tensor([[0, 0, 0, 1]], dtype=torch.uint8)
    loss = weighted_binary_cross_entropy(logits_of(FOUR), loss_target(truth))
    by_hand = -(np.log([0.9, 0.6, 0.3]).sum() + 3 * np.log(0.5)) / 4
    assert float(loss) == pytest.approx(by_hand, abs=1e-5)
    swapped = weighted_binary_cross_entropy(logits_of(FOUR), loss_target(1 - truth))
    by_hand = -(np.log([0.1, 0.4, 0.7]).sum() + 3 * np.log(0.5)) / 4
    assert float(swapped) == pytest.approx(by_hand, abs=1e-5)


def test_dice_jaccard_tversky_and_focal_are_those_of_monai():
    from monai.losses import DiceCELoss, DiceLoss, FocalLoss, TverskyLoss

    logits, channels = a_batch()
    target, truth = loss_target(channels), channels[:, None].long()
    same = {"softmax": True, "to_onehot_y": True, "include_background": False, "batch": True}
    monai = DiceLoss(**same)(logits, truth)
    torch.testing.assert_close(dice(logits, target), monai, atol=1e-5, rtol=0)
    monai = DiceLoss(**same, jaccard=True)(logits, truth)
    torch.testing.assert_close(jaccard(logits, target), monai, atol=1e-5, rtol=0)
    monai = TverskyLoss(**same, alpha=0.3, beta=0.7)(logits, truth)
    torch.testing.assert_close(tversky(logits, target), monai, atol=1e-5, rtol=0)
    monai = DiceCELoss(**same)(logits, truth)
    torch.testing.assert_close(dice_and_cross_entropy(logits, target), monai, atol=1e-5, rtol=0)
    # MONAI's mean is over channels as well, ours over voxels.
    monai = FocalLoss(use_softmax=True, to_onehot_y=True, gamma=2.0)(logits, truth)
    torch.testing.assert_close(focal(logits, target), 3 * monai, atol=1e-5, rtol=0)


@pytest.mark.parametrize("loss", ALL)
def test_voxels_of_which_nothing_is_known_change_nothing(loss):
    logits, channels = a_batch()
    channels[:, :, 2:, :] = IGNORED
    other = logits.clone()
    other[:, :, :, 2:, :] += a_batch(1)[0][:, :, :, 2:, :]
    found = [float(loss(one, loss_target(channels))) for one in (logits, other)]
    assert found[0] == pytest.approx(found[1], abs=1e-6)
    moved = logits.clone()
    moved[:, :, :, :2] += a_batch(1)[0][:, :, :, :2]
    assert float(loss(moved, loss_target(channels))) != pytest.approx(found[0], abs=1e-4)


@pytest.mark.parametrize("loss", [p for p in ALL if p.id not in ("boundary",)])
def test_a_voxel_of_weight_two_counts_like_two_voxels(loss):
    logits, channels = a_batch(shape=(1, 3, 8))
    weights = torch.ones(1, 8)
    weights[0, 5] = 2.0
    twice = [torch.cat([one, one[..., 5:6]], dim=-1) for one in (logits, channels)]
    torch.testing.assert_close(
        loss(logits, loss_target(channels, weights)), loss(twice[0], loss_target(twice[1]))
    )


@pytest.mark.parametrize("loss", ALL)
def test_the_right_answer_costs_nothing_and_the_gradient_leads_there(loss):
    _, channels = a_batch()
    hot = torch.nn.functional.one_hot(channels.long(), 3).movedim(-1, 1).float()
    if loss is not smoothed_dice_and_cross_entropy:  # which wants no certainty, see below
        assert float(loss(30 * hot, loss_target(channels))) < 0.02
    logits = torch.zeros_like(hot, requires_grad=True)
    loss(logits, loss_target(channels)).backward()
    assert float((logits.grad * hot).sum()) < 0


def test_with_smoothed_labels_certainty_costs_a_tenth_of_its_logits():
    _, channels = a_batch()
    hot = torch.nn.functional.one_hot(channels.long(), 3).movedim(-1, 1).float()
    found = float(smoothed_dice_and_cross_entropy(30 * hot, loss_target(channels)))
    # A tenth of the target lies on three channels, of which two have lost 30 in the logarithm.
    assert found == pytest.approx(0.1 * 30 * 2 / 3, abs=1e-4)
    milder = float(smoothed_dice_and_cross_entropy(5 * hot, loss_target(channels)))
    assert milder < found


@pytest.mark.parametrize("loss", ALL)
def test_a_batch_without_any_structure_has_a_finite_loss_and_gradient(loss):
    logits = a_batch()[0].requires_grad_(True)
    empty = torch.zeros(2, 6, 5, 4, dtype=torch.uint8)
    for channels in (empty, torch.full_like(empty, IGNORED)):
        value = loss(logits, loss_target(channels))
        value.backward()
        assert math.isfinite(float(value.detach()))
        assert bool(torch.isfinite(logits.grad).all())


def test_an_empty_slice_in_the_batch_does_not_cost_as_much_as_a_missed_liver():
    """The reason for pooling: alone, an empty slice has a Jaccard distance of nearly 1."""
    logits = torch.full((2, 2, 16, 16), 0.0)
    logits[:, 0] = 8.0
    channels = torch.zeros(2, 16, 16, dtype=torch.uint8)
    channels[0, 4:12, 4:12] = 1
    logits[0, :, 4:12, 4:12] = torch.tensor([-8.0, 8.0])[:, None, None]
    both = float(jaccard(logits, loss_target(channels)))
    empty = float(jaccard(logits[1:], loss_target(channels[1:])))
    assert both < 0.01
    assert empty > 0.99
