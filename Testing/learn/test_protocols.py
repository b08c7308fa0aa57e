from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from learn_cases import a_case, a_plan

from SegmentationAILib.learn.patch_sampler import PatchSampler
from SegmentationAILib.learn.protocols import Stage, pooled_cases, train_in_stages
from SegmentationAILib.learn.trainer import TrainingOptions

OPTIONS = TrainingOptions(device="cpu", resume=True)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr("SegmentationAILib.networks.device.physical_cores", lambda: 1)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def inverted(case):
    """The same anatomy in another contrast: what was bright is dark."""
    return replace(case, array=-case.array, padding=(0.5,))


@pytest.mark.slow
def test_a_second_stage_starts_from_the_first_and_forgets_it(tmp_path):
    """The papers' finding: the last data set wins, those before it drop."""
    bright = [a_case(seed) for seed in range(4)]
    dark = [inverted(case) for case in bright]
    hold_outs = {"bright": [a_case(20)], "dark": [inverted(a_case(20))]}
    plan = a_plan(epochs=15, steps_per_epoch=10, foreground_fraction=1.0)
    stages = [Stage("bright", bright, plan), Stage("dark", dark, plan, "none")]
    first, second = train_in_stages(stages, hold_outs, output=tmp_path, options=OPTIONS)
    assert first.scores["bright"].labels[0] > 0.85
    assert second.scores["dark"].labels[0] > 0.85
    assert second.scores["bright"].labels[0] < first.scores["bright"].labels[0] - 0.3
    assert first.trained.scores == first.scores["bright"]
    again = train_in_stages(stages, hold_outs, output=tmp_path, options=OPTIONS)
    assert [one.scores for one in again] == [first.scores, second.scores]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01-bright", "02-dark"]


def test_a_frozen_encoder_keeps_the_weights_of_the_stage_before(tmp_path):
    cases, plan = [a_case(seed) for seed in range(2)], a_plan(epochs=1, steps_per_epoch=3)
    stages = [Stage("one", cases, plan), Stage("two", cases, plan, "encoder")]
    first, second = train_in_stages(stages, {}, output=tmp_path, options=OPTIONS)
    before, after = first.trained.weights, second.trained.weights
    is_same = {name: np.array_equal(before[name], after[name]) for name in before}
    assert all(is_same[name] for name in is_same if name.startswith("encoder."))
    assert not any(is_same[name] for name in is_same if name.endswith("seg_layers.1.weight"))
    assert second.trained.scores is None


def test_a_universal_network_sees_the_cases_of_all_data_sets_shuffled():
    bright = [a_case(seed) for seed in range(3)]
    pooled = pooled_cases({"ct": bright, "mr": [inverted(case) for case in bright]})
    assert [case.id for case in pooled][2:4] == ["ct/case-2", "mr/case-0"]
    sampler = PatchSampler(pooled, a_plan())
    is_mr = [sampler._case_at(position) >= 3 for position in range(60)]
    assert sum(is_mr) == 30
    assert sum(a != b for a, b in pairwise(is_mr)) > 15
