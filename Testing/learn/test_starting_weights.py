from dataclasses import replace

import numpy as np
import pytest
import torch
from learn_cases import LABELS, a_plan
from small_networks import SMALL

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.core.labelmap import Label
from SegmentationAILib.learn.starting_weights import starting_weights
from SegmentationAILib.learn.training_session import load_weights, seeded_network
from SegmentationAILib.learn.transfer_plan import transfer_plan
from SegmentationAILib.networks.card import Architecture, Channel
from SegmentationAILib.networks.registry import build

NEW_LABELS = (
    Label(7, "Spleen", (1.0, 0.0, 0.0)),
    Label(9, "brighter", (0.0, 1.0, 0.0)),
    Label(2, "Bright", (0.0, 0.0, 1.0)),
)


def a_base(seed=3, **changes):
    """A network of background, Bright and Brighter, with weights of its own."""
    plan = a_plan(seed=seed, **changes)
    weights = {name: t.numpy() for name, t in seeded_network(plan).state_dict().items()}
    return replace(plan.card(), id="base", sha256="1" * 64), weights


def logits_of(plan, weights, patch):
    network = seeded_network(plan)
    load_weights(network, weights)
    with torch.no_grad():
        return network.eval()(patch).numpy()


def test_the_same_labels_in_another_order_give_the_same_logits_in_that_order():
    card, weights = a_base()
    plan = transfer_plan(a_plan(labels=LABELS[::-1]), card)
    found = starting_weights(card, weights, plan)
    patch = torch.randn(1, 1, 16, 12, 12, generator=torch.Generator().manual_seed(0))
    before = logits_of(a_plan(), weights, patch)
    np.testing.assert_allclose(logits_of(plan, found.weights, patch), before[:, [0, 2, 1]])


def test_known_labels_keep_their_rows_whatever_their_number_and_new_ones_are_random():
    card, weights = a_base()
    plan = transfer_plan(a_plan(labels=NEW_LABELS, seed=11), card)
    found = starting_weights(card, weights, plan)
    patch = torch.randn(1, 1, 16, 12, 12, generator=torch.Generator().manual_seed(0))
    before, after = logits_of(a_plan(), weights, patch), logits_of(plan, found.weights, patch)
    np.testing.assert_allclose(after[:, [0, 2, 3]], before[:, [0, 2, 1]], atol=1e-6)
    assert np.abs(after[:, 1] - before[:, 1]).max() > 0.01
    again = starting_weights(card, weights, plan)
    assert all(np.array_equal(again.weights[n], found.weights[n]) for n in found.weights)
    assert found.notes[1].startswith("The head learns Spleen from nothing; brighter, Bright start")


def test_a_sigmoid_head_gives_its_rows_and_the_background_is_new():
    card, weights = a_base()
    heads = [name for name in weights if "seg" in name or weights[name].shape[:1] == (3,)]
    sigmoid = {n: a[1:] if n in heads else a for n, a in weights.items()}
    arguments = tuple({**card.architecture.arguments(), "out_channels": 2}.items())
    other = replace(
        card, output="sigmoid", architecture=Architecture(card.architecture.name, arguments)
    )
    found = starting_weights(other, sigmoid, transfer_plan(a_plan(), card))
    for name in heads:
        assert np.array_equal(found.weights[name][1:], sigmoid[name])
        assert not np.array_equal(found.weights[name][0], weights[name][0])


def test_a_new_channel_gets_the_mean_and_the_same_volume_in_all_channels_changes_nothing():
    card, weights = a_base()
    channels = (Channel("volume"), Channel("flair"), Channel("t2"))
    plan = transfer_plan(a_plan(channels=channels), card)
    found = starting_weights(card, weights, plan)
    patch = torch.randn(1, 1, 16, 12, 12, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(
        logits_of(plan, found.weights, patch.repeat(1, 3, 1, 1, 1)),
        logits_of(a_plan(), weights, patch),
        atol=1e-5,
    )
    assert "Channel flair, t2 starts from the mean of volume." in found.notes


def test_channels_follow_their_roles_and_not_their_order():
    both = (Channel("t1"), Channel("flair"))
    arguments = tuple({**a_plan().architecture.arguments(), "in_channels": 2}.items())
    architecture = Architecture("nnunet", tuple(sorted(arguments)))
    card, weights = a_base(channels=both, architecture=architecture)
    plan = transfer_plan(a_plan(channels=both[::-1]), card)
    found = starting_weights(card, weights, plan)
    patch = torch.randn(1, 2, 16, 12, 12, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(
        logits_of(plan, found.weights, patch.flip(1)),
        logits_of(a_plan(channels=both, architecture=architecture), weights, patch),
        atol=1e-5,
    )


SLOW = [pytest.param(n, marks=pytest.mark.slow) for n in ("segformer-b0", "dynunet", "vnet")]


@pytest.mark.parametrize("name", ["unet2d-liver", "super-image", *SLOW])
def test_every_kind_of_head_is_found_without_knowing_its_name(name):
    """More labels and more channels: all but head and first layer is taken over as it is."""
    small = Architecture(
        name, tuple(sorted({**SMALL[name], "in_channels": 1, "out_channels": 3}.items()))
    )
    size = (64, 64, 1) if "2d" in name or "segformer" in name else (32, 32, 32)
    card, weights = a_base(architecture=small, patch_size=size)
    plan = transfer_plan(
        a_plan(labels=NEW_LABELS, channels=(Channel("a"), Channel("b")), patch_size=size), card
    )
    found = starting_weights(card, weights, plan).weights
    target = build(name, plan.architecture.arguments())
    load_weights(target, found)
    kept = [n for n, a in found.items() if n in weights and np.array_equal(a, weights[n])]
    changed = [n for n, a in found.items() if a.shape != weights[n].shape]
    assert 0 < len(changed) < 0.4 * len(found)
    assert len(kept) + len(changed) == len(found)


def test_what_no_training_can_start_from_is_refused_in_a_sentence():
    card, weights = a_base()
    with pytest.raises(WeightsError, match="ensemble of 5"):
        transfer_plan(a_plan(), replace(card, folds=5))
    with pytest.raises(WeightsError, match="fixed grid"):
        transfer_plan(a_plan(), replace(card, size=(256, 256, 256)))
    untrained = Architecture("space-to-depth-unet", (("in_channels", 1), ("out_channels", 3)))
    with pytest.raises(WeightsError, match="not trained here"):
        transfer_plan(a_plan(), replace(card, architecture=untrained))
    other = a_plan(
        architecture=Architecture("unet2d-liver", (("in_channels", 1), ("out_channels", 3)))
    )
    with pytest.raises(WeightsError, match="plan the training from that network"):
        starting_weights(card, weights, other)
    with pytest.raises(WeightsError, match="tensors of the network to be"):
        starting_weights(card, dict(list(weights.items())[:5]), a_plan())


def test_a_plan_of_transfer_takes_body_and_grid_and_rounds_patches_up():
    card, _ = a_base(spacing_mm=(2.0, 2.0, 3.0), orientation="LPS")
    plan = transfer_plan(a_plan(patch_size=(17, 10, 9), learning_rate=1e-3), card)
    assert plan.patch_size == (20, 12, 12)
    assert plan.spacing_mm == (2.0, 2.0, 3.0)
    assert plan.orientation == "LPS"
    assert plan.learning_rate == pytest.approx(3e-4)
    assert transfer_plan(a_plan(learning_rate=1e-3), card, "all-but-last").learning_rate == 1e-3
    turned = replace(card, orientation=None, axes=(2, 1, 0))
    assert transfer_plan(a_plan(orientation="RAS"), turned).orientation == "SAR"
