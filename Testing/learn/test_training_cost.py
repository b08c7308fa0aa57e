"""Costs of trainings: counted operations, and what history makes of an estimate."""

from dataclasses import replace

import pytest
import torch
from training_sets import a_plan

from SegmentationAILib.learn.training_cost import expected_cost, step_cost
from SegmentationAILib.learn.training_history import TrainingHistory
from SegmentationAILib.learn.training_machine import TrainingMachine, this_machine
from SegmentationAILib.networks.card import Architecture, Channel
from SegmentationAILib.networks.device import CPU
from SegmentationAILib.networks.registry import build

MACHINE = TrainingMachine(CPU, 8 << 30, "fp32")
PLAN = a_plan(
    architecture=Architecture(
        "unet2d-liver", (("in_channels", 1), ("out_channels", 3), ("widths", (4, 8, 16)))
    ),
    channels=(Channel("mri"),),
    patch_size=(32, 48, 1),
    precision="fp32",
)


def operations_by_hand(plan):
    """Two per weight of each convolution and voxel it writes (transposed ones: reads)."""
    network = build(plan.architecture.name, plan.architecture.arguments()).eval()
    total = 0

    def count(layer, inputs, output):
        nonlocal total
        voxels = inputs[0] if isinstance(layer, torch.nn.ConvTranspose2d) else output
        total += 2 * layer.weight.numel() * voxels.shape[2] * voxels.shape[3]

    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            layer.register_forward_hook(count)
    network(torch.zeros(1, 1, *plan.patch_size[:2]))
    return total


def test_operations_are_those_counted_by_hand_layer_by_layer():
    assert step_cost(PLAN, MACHINE).operations == operations_by_hand(PLAN)


def test_weights_are_counted_and_memory_grows_with_the_batch():
    network = build(PLAN.architecture.name, PLAN.architecture.arguments())
    weights = sum(parameter.numel() for parameter in network.parameters())
    small, large = (step_cost(replace(PLAN, batch_size=n), MACHINE) for n in (2, 8))
    assert small.weights == large.weights == weights
    fixed = 20 * weights
    assert large.memory_bytes - fixed == pytest.approx(4 * (small.memory_bytes - fixed), rel=0.02)
    # Each of 10 convolutions keeps its input: more than the input itself, less than 100 of it.
    assert 10 < (small.memory_bytes - fixed) / (2 * 32 * 48 * 4) < 400


def test_history_corrects_the_estimate_and_strange_entries_do_not(tmp_path):
    history = TrainingHistory(tmp_path)
    assert history.factor(PLAN, "cpu") is None
    for ratio in (1.5, 2.0, 4.0):
        history.add(PLAN, "cpu", step_seconds=10.0, seconds=10.0 * ratio)
    history.add(PLAN, "cpu", step_seconds=10.0, seconds=1e9)  # a machine that slept
    history.add(PLAN, "cpu", step_seconds=0.0, seconds=1.0)
    assert TrainingHistory(tmp_path).factor(PLAN, "cpu") == 2.0
    assert history.factor(replace(PLAN, precision="bf16"), "cpu") is None
    cost = expected_cost(PLAN, MACHINE, history)
    assert "earlier trainings here" in cost.basis
    assert cost.seconds > 0


@pytest.mark.parametrize("text", ["", "[1]", '{"trainings": {"a": ["x"]}}', '{"trainings": 3}'])
def test_a_history_that_is_no_history_begins_anew(tmp_path, text):
    history = TrainingHistory(tmp_path)
    history.path.parent.mkdir()
    history.path.write_text(text)
    assert history.factor(PLAN, "cpu") is None
    history.add(PLAN, "cpu", 1.0, 3.0)
    assert history.factor(PLAN, "cpu") == 3.0


def test_a_costly_patch_is_probed_by_a_smaller_one(a_home, monkeypatch):
    monkeypatch.setattr("SegmentationAILib.learn.training_cost.PROBE_OPERATIONS", 1e8)
    plan = replace(PLAN, patch_size=(1024, 768, 1))
    cost = expected_cost(plan, MACHINE)
    assert cost.weights == expected_cost(PLAN, MACHINE).weights
    factor = 1024 * 768 / (32 * 48)
    assert step_cost(plan, MACHINE).operations == pytest.approx(
        factor * step_cost(PLAN, MACHINE).operations, rel=1e-6
    )


def test_this_machine_has_memory_and_computes_as_fast_as_it_can():
    machine = this_machine("cpu")
    assert machine.memory_bytes > 1 << 28
    assert (machine.precision == "bf16") == torch.cpu._is_amx_tile_supported()
