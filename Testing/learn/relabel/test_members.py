"""Which network learns from what: folds that never meet their own labels, seeds of their own."""

import json

import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.relabel.members import members_of
from SegmentationAILib.learn.relabel.settings import (
    RelabelSettings,
    settings_from_text,
    settings_to_text,
)

NAMES = [f"case {n}" for n in range(11)]


def test_one_network_learns_from_all_and_predicts_all():
    (member,) = members_of(RelabelSettings(), 1, NAMES)
    assert member.learns == member.predicts == tuple(sorted(NAMES))


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_in_cross_fitting_no_case_is_predicted_by_a_network_that_saw_its_label(folds):
    settings = RelabelSettings(scheme="cross-fit", folds=folds)
    members = members_of(settings, 1, NAMES)
    assert len(members) == folds
    assert sorted(name for m in members for name in m.predicts) == sorted(NAMES)
    for member in members:
        assert set(member.learns) == set(NAMES) - set(member.predicts)
    # Nor by one that goes on from a network of the iteration before that did.
    later = members_of(settings, 2, NAMES)
    assert [m.predicts for m in later] == [m.predicts for m in members]


@pytest.mark.parametrize("folds", [2, 3])
@pytest.mark.parametrize("missing", NAMES)
def test_the_folds_of_all_others_stay_when_a_case_is_skipped(folds, missing):
    settings = RelabelSettings(scheme="cross-fit", folds=folds)
    rest = [name for name in NAMES if name != missing]
    before, after = (members_of(settings, 1, of, NAMES) for of in (NAMES, rest))
    for old, new in zip(before, after, strict=True):
        assert new.predicts == tuple(name for name in old.predicts if name != missing)
        assert set(new.learns) == set(rest) - set(new.predicts)
    # Where all can be learned from it makes no difference who is named besides.
    assert before == members_of(settings, 1, NAMES)


def test_one_fold_that_has_all_cases_is_refused():
    settings = RelabelSettings(scheme="cross-fit", folds=2)
    (first, _) = members_of(settings, 1, NAMES)
    with pytest.raises(SegmentationAIError, match=r"All \d cases .* in one fold of 2"):
        members_of(settings, 2, first.predicts, NAMES)


def test_three_networks_learn_from_all_with_seeds_of_their_own():
    members = members_of(RelabelSettings(scheme="tri"), 1, NAMES)
    assert [m.learns for m in members] == [tuple(sorted(NAMES))] * 3
    assert len({m.seed for m in members}) == 3


def test_seeds_differ_between_iterations_and_repeat_for_the_same_arguments():
    seeds = [members_of(RelabelSettings(seed=s), i, NAMES)[0].seed for s in (0, 1) for i in (1, 2)]
    assert len(set(seeds)) == 4
    assert members_of(RelabelSettings(seed=1), 2, NAMES)[0].seed == seeds[3]
    # The order in which the cases are named makes no difference.
    assert members_of(RelabelSettings(), 1, NAMES[::-1]) == members_of(RelabelSettings(), 1, NAMES)


def test_more_folds_than_cases_are_refused():
    with pytest.raises(SegmentationAIError, match="3 folds needs as many cases and found 2"):
        members_of(RelabelSettings(scheme="cross-fit", folds=3), 1, NAMES[:2])


def test_settings_come_back_from_their_text():
    settings = RelabelSettings(epochs=3, gate=0.75, scheme="tri", smooths=True, seed=9)
    assert settings_from_text(settings_to_text(settings)) == settings


@pytest.mark.parametrize("text", [
    "[]", "{}", '{"epochs": 1}', settings_to_text(RelabelSettings()).replace("15", '"15"'),
    settings_to_text(RelabelSettings()).replace('"previous"', '"elsewhere"'), "nonsense",
    settings_to_text(RelabelSettings()).replace("15", "0"),
])  # fmt: skip
def test_settings_that_are_none_are_refused(text):
    with pytest.raises(SegmentationAIError):
        settings_from_text(text)


@pytest.mark.parametrize("changes", [
    {"epochs": 0}, {"gate": 0.4}, {"gate": 1.0}, {"trust": float("nan")}, {"folds": 1},
    {"start": "elsewhere"}, {"scheme": "four"}, {"learning_rate": 0.0}, {"precision": "fp8"},
])  # fmt: skip
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(SegmentationAIError, match=next(iter(changes))):
        RelabelSettings(**changes)


def test_settings_from_before_there_were_two_optimizers_are_those_of_adamw():
    text = settings_to_text(RelabelSettings(gate=0.7))
    found = json.loads(text)
    del found["optimizer"]
    assert settings_from_text(json.dumps(found)) == RelabelSettings(gate=0.7, optimizer="adamw")
    with pytest.raises(SegmentationAIError, match="one of adamw, orthogonal"):
        RelabelSettings(optimizer="sgd")
