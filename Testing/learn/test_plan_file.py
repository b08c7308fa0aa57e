"""Files of plans: the JSON round trip and what is refused."""

import json

import pytest
from training_sets import a_plan

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.plan import ExpectedCost
from SegmentationAILib.learn.plan_file import (
    plan_from_bytes,
    plan_from_json,
    plan_to_bytes,
    plan_to_json,
)


def test_a_plan_survives_json_whole():
    cost = ExpectedCost(820.5, 903.0, 1_400_000, "a half-second measurement")
    plan = a_plan(expected=cost)
    assert plan_from_bytes(plan_to_bytes(plan)) == plan
    assert plan_from_json(json.loads(json.dumps(plan_to_json(a_plan())))) == a_plan()


def test_a_plan_from_before_there_were_two_optimizers_is_one_of_adamw():
    found = plan_to_json(a_plan())
    del found["optimizer"]
    assert plan_from_json(found) == a_plan(optimizer="adamw")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("batch_size", 0, "batch_size is 0"),
        ("batch_size", True, "where int was expected"),
        ("batch_size", 2.0, "where int was expected"),
        ("epochs", "10", "where int was expected"),
        ("learning_rate", "1e-3", "where float was expected"),
        ("loss", "__import__('os')", "is not a name"),
        ("optimizer", "sgd", "adamw, orthogonal"),
        ("precision", "fp64", "fp32 or bf16"),
        ("mirror_axes", [0, 3], "mirror_axes"),
        ("mirror_axes", [1, 1], "mirror_axes"),
        ("validation_fraction", 1.0, "validation_fraction"),
        ("notes", [3], "where list was expected"),
        ("version", 2, "version 1"),
        ("expected", {"seconds": 1.0}, "other keys"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_in_a_sentence(key, value, told):
    found = {**plan_to_json(a_plan()), key: value}
    with pytest.raises(SegmentationAIError, match=told):
        plan_from_json(found)


def test_unknown_and_missing_keys_are_refused():
    found = plan_to_json(a_plan())
    with pytest.raises(SegmentationAIError, match="exactly the keys"):
        plan_from_json({**found, "hook": "os.system"})
    with pytest.raises(SegmentationAIError, match="exactly the keys"):
        plan_from_json({k: v for k, v in found.items() if k != "seed"})
    with pytest.raises(SegmentationAIError, match="other keys"):
        plan_from_json({**found, "network": {**found["network"], "address": "https://a/b"}})
    broken = {**found["network"], "architecture": {"name": "os.system", "parameters": {}}}
    with pytest.raises(SegmentationAIError, match="architecture"):
        plan_from_json({**found, "network": broken})


def test_json_with_a_doubled_key_is_refused():
    text = plan_to_bytes(a_plan()).replace(b'"seed": 7', b'"seed": 7, "seed": 8')
    with pytest.raises(SegmentationAIError, match="twice"):
        plan_from_bytes(text)
