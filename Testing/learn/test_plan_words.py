"""What a person reads of a plan."""

from training_sets import a_plan

from SegmentationAILib.learn.plan import ExpectedCost
from SegmentationAILib.learn.plan_words import words_of_plan


def test_words_name_structures_units_and_cost():
    cost = ExpectedCost(820.5, 903.0, 1_400_000, "a half-second measurement")
    words = words_of_plan(a_plan(expected=cost))
    for part in (
        "Anterior, Posterior", "0.9 x 1.3 x 2.5 mm", "40 x 56 x 24 voxels (36 x 73 x 60 mm)",
        "1.4 million weights", "14 min", "903 MiB", "30 epochs of 50 steps", "Because.",
    ):  # fmt: skip
        assert part in words, part
