"""Plans: the card that a plan leads to prepares volumes as the training does."""

from training_sets import a_plan

from SegmentationAILib.core.intensity import IntensityRule


def test_the_rules_of_a_plan_are_those_of_the_card_it_leads_to():
    rules = a_plan().input_rules()
    assert rules.orientation == "LPS"
    assert rules.spacing_mm == (0.9, 1.3, 2.5)
    assert rules.channels == ("t1", "t2")
    assert rules.intensities == (
        IntensityRule("percentile", low=0.5, high=99.5), IntensityRule("zscore"),
    )  # fmt: skip
    assert rules.crop_to_nonzero
    assert rules.multiple_of == 1
