import json
from dataclasses import replace

import pytest

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.card_reader import card_from_json, card_to_json
from SegmentationAILib.networks.catalog import catalog
from SegmentationAILib.networks.training_record import LabelScore, Parent, TrainingRecord

RECORD = TrainingRecord(
    cases=160, cases_sha256="ab" * 32, hold_out=40, hold_out_sha256="cd" * 32, loss="dice-ce",
    freeze="encoder", learning_rate=1e-3, batch_size=4, steps=1500, best_epoch=29, seed=3,
    precision="bf16", seconds=812.5, mean_dice=0.875,
    scores=(LabelScore("Anterior", 0.88), LabelScore("Posterior", None)),
    parents=(Parent("torso", "ef" * 32),),
)  # fmt: skip


def a_card():
    return replace(catalog().cards[0], training=RECORD)


def test_a_card_keeps_how_its_network_was_trained():
    row = json.loads(json.dumps(card_to_json(a_card())))
    assert card_from_json(row, "the card") == a_card()
    assert card_from_json(row, "the card").training == RECORD


def test_a_card_without_a_record_has_none():
    assert "training" not in card_to_json(catalog().cards[0])


@pytest.mark.parametrize(
    "change",
    [
        {"cases_sha256": "AB" * 32},
        {"mean_dice": 1.5},
        {"loss": "dice; import os"},
        {"seconds": "long"},
        {"extra": 1},
        {"parents": [{"id": "../x", "sha256": "ef" * 32}]},
        {"scores": [{"label": "", "dice": 0.5}]},
    ],
)
def test_a_record_that_says_what_none_can_say_is_refused(change):
    row = card_to_json(a_card())
    row["training"] = {**row["training"], **change}
    with pytest.raises(WeightsError, match="does not describe a network: training"):
        card_from_json(row, "the card")
