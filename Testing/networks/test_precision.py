import dataclasses

import numpy as np
import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.networks.card import PrecisionGate
from SegmentationAILib.networks.catalog import catalog
from SegmentationAILib.networks.precision import (
    choose_precision,
    label_dice,
    measure_gate,
    read_gates,
    record_gate,
)


def a_card(*gates):
    return dataclasses.replace(catalog().by_id("subcortical"), gates=gates)


def gate(precision, mean_dice, device="cpu", dice_change=None, times_faster=0.0):
    lowest = mean_dice - 0.01
    return PrecisionGate(precision, device, mean_dice, lowest, 3, dice_change, times_faster)


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ((), "fp32"),
        ((gate("bf16", 0.9991),), "bf16"),
        ((gate("bf16", 0.9989),), "fp32"),
        ((gate("int8", 0.9951, times_faster=6.1),), "int8"),
        ((gate("int8", 0.9951, times_faster=5.9),), "fp32"),
        ((gate("int8", 0.9949, times_faster=9.0),), "fp32"),
        ((gate("bf16", 0.9980, dice_change=-0.0009),), "bf16"),
        ((gate("bf16", 0.9980, dice_change=0.0009),), "bf16"),
        ((gate("bf16", 0.9980, dice_change=-0.0011),), "fp32"),
        ((gate("bf16", 0.9980, dice_change=-0.0011, times_faster=6.0),), "bf16"),
        ((gate("int8", 0.9700, dice_change=0.0),), "fp32"),
        ((gate("bf16", 0.9999), gate("int8", 0.9951, times_faster=7.0)), "int8"),
        ((gate("bf16", 0.9999), gate("int8", 0.98)), "bf16"),
        ((gate("bf16", 0.9999, device="cuda"),), "fp32"),
        ((gate("fp16", 1.0),), "fp32"),
    ],
)
def test_auto_takes_the_fastest_that_its_gate_allows(gates, expected):
    chosen = choose_precision(a_card(*gates), "auto", "cpu", ("bf16", "int8"), recorded=())
    assert chosen.precision == expected
    assert (expected in chosen.note) == (expected != "fp32")


def test_auto_never_takes_what_the_machine_has_not():
    card = a_card(gate("bf16", 1.0), gate("int8", 1.0))
    assert choose_precision(card, "auto", "cpu", (), recorded=()).precision == "fp32"
    assert choose_precision(card, "auto", "cpu", ("bf16",), recorded=()).precision == "bf16"


def test_what_is_asked_for_by_name_is_done_and_its_loss_told():
    card = a_card(gate("bf16", 0.99))
    chosen = choose_precision(card, "bf16", "cpu", ("bf16",), recorded=())
    assert chosen.precision == "bf16"
    assert "0.9900" in chosen.note
    unknown = choose_precision(a_card(), "bf16", "cpu", ("bf16",), recorded=())
    assert "never measured" in unknown.note
    allowed = choose_precision(a_card(gate("bf16", 0.9999)), "bf16", "cpu", ("bf16",), recorded=())
    assert allowed.note == ""


def test_a_precision_that_is_not_there_is_refused_naming_those_that_are():
    with pytest.raises(SegmentationAIError, match="fp32, bf16"):
        choose_precision(a_card(), "int8", "cpu", ("bf16",), recorded=())


def test_a_gate_recorded_on_this_machine_counts_for_these_weights_alone(a_home):
    card = a_card()
    record_gate(card, gate("bf16", 0.9))
    record_gate(card, gate("int8", 0.999))
    record_gate(card, gate("bf16", 0.9995))
    assert sorted(g.precision for g in read_gates(card)) == ["bf16", "int8"]
    assert choose_precision(card, "auto", "cpu", ("bf16",)).precision == "bf16"
    other = dataclasses.replace(card, sha256="0" * 64)
    assert choose_precision(other, "auto", "cpu", ("bf16",)).precision == "fp32"


def test_the_measured_agreement_is_the_mean_dice_over_labels_then_cases():
    def reference(batch):
        return np.stack([1.5 - batch[:, 0], batch[:, 0]], axis=1)  # label 1 above 0.75

    def lower(batch):
        return reference(batch + 0.25)  # label 1 above 0.5

    first = np.array([0, 0.6, 1, 1], np.float32).reshape(1, 4, 1, 1)  # Dice 2 * 2 / (2 + 3)
    second = np.array([0, 0, 0, 1], np.float32).reshape(1, 4, 1, 1)  # Dice 1
    found = measure_gate(reference, lower, [first, second], "bf16", "cpu")
    assert found.mean_dice == pytest.approx((0.8 + 1) / 2)
    assert (found.lowest_dice, found.cases) == (pytest.approx(0.8), 2)
    with pytest.raises(ValueError, match="finds something"):
        measure_gate(reference, lower, [second * 0], "bf16", "cpu")


def test_a_label_in_one_array_alone_has_dice_zero_and_absent_ones_do_not_count():
    expected, found = np.array([0, 1, 1, 3]), np.array([0, 1, 1, 5])
    assert label_dice(expected, found) == [1.0, 0.0, 0.0]
