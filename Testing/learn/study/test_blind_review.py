"""Blind review: readers see no names, sides are random, the key is sealed until the end."""

import json

import numpy as np
import pytest
from study_files import BASE_SHA256, made_study, shifted, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.study.blind_review import (
    close_review,
    give_answer,
    next_pair,
    open_review,
    review_report,
    reviews,
)
from SegmentationAILib.learn.study.iterations import Outcome, begin, finish, inputs_of
from SegmentationAILib.learn.study.records import Making
from SegmentationAILib.learn.study.review_key import commitment_of
from SegmentationAILib.learn.study.review_pairs import pairs_to_review
from SegmentationAILib.learn.study.review_rows import Pair
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.learn.study.versions import NewVersion, add_version

NAMES = ("iteration 1", "weak labels")


@pytest.fixture
def the_study(tmp_path):
    """The first iteration finds the truth; the weak labels are a voxel off."""
    study = made_study(tmp_path, 4)
    one = begin(study, "{}", BASE_SHA256)
    for name, version in inputs_of(study, one.number).items():
        making = Making("predicted", network="n", weights_sha256="d" * 64, iteration=1)
        labels = truth(int(name.split()[1]))
        add_version(study, name, NewVersion(labels, making, is_current=False), version.number)
    finish(study, 1, Outcome("d" * 64, 0.9, 0.1, None, "Goes on.", True, 2.0))
    return study


def is_truth(labels, case):
    return np.array_equal(labels.layers[0], truth(int(case.split()[1])).layers[0])


def answer_all(study, review, reader, choose):
    sides = []
    while (shown := next_pair(study, review, reader)) is not None:
        sides.append((shown.item, is_truth(shown.left, shown.case)))
        give_answer(study, review, reader, shown.item, choose(shown), 2.0)
    return sides


def best(shown):
    return "left" if is_truth(shown.left, shown.case) else "right"


def test_whoever_always_sees_the_better_one_gives_it_all_wins_on_whatever_side(the_study):
    pairs = pairs_to_review(the_study, 1, per="slice")
    review = open_review(the_study, "First", NAMES, pairs)
    sides = answer_all(the_study, review, "Anna", best)
    close_review(the_study, review)
    (row,) = review_report(the_study, review)["readers"]
    assert (row["win"]["count"], row["tie"]["count"], row["loss"]["count"]) == (len(pairs), 0, 0)
    # Sides are mixed: with n pairs, all on one side would have the chance of 2^(1-n).
    assert 0.2 < np.mean([left for _, left in sides]) < 0.8


def test_order_and_sides_differ_between_readers_and_repeat_with_a_seed(the_study):
    pairs = pairs_to_review(the_study, 1, per="slice")
    seen = {}
    for name, reader, seed in (
        ("a", "Anna", 5),
        ("b", "Anna", 5),
        ("c", "Ben", 5),
        ("d", "Anna", 6),
    ):
        review = open_review(the_study, name, NAMES, pairs, seed)
        seen[name] = answer_all(the_study, review, reader, lambda _: "tie")
    assert seen["a"] == seen["b"]
    assert seen["a"] != seen["c"]
    assert seen["a"] != seen["d"]
    assert [item for item, _ in seen["a"]] != [item for item, _ in seen["c"]]
    assert {item for item, _ in seen["a"]} == set(range(len(pairs)))


def test_what_is_shown_tells_nothing_of_where_it_comes_from(the_study):
    review = open_review(the_study, "First", NAMES, pairs_to_review(the_study, 1))
    shown = next_pair(the_study, review, "Anna")
    for labels in (shown.left, shown.right):
        assert [row.name for row in labels.labels] == ["Head", "Tail"]
        assert {row.provenance for row in labels.labels} == {None}
        assert all(row.tags == () and row.segment_id == "" for row in labels.labels)


def test_the_key_is_sealed_until_the_review_is_closed_and_proves_itself_then(the_study):
    review = open_review(the_study, "First", NAMES, pairs_to_review(the_study, 1))
    answer_all(the_study, review, "Anna", best)
    with pytest.raises(SegmentationAIError, match="sealed"):
        review_report(the_study, review)
    close_review(the_study, review)
    report = json.loads(json.dumps(review_report(the_study, review)))
    assert commitment_of(report["secret"]) == report["commitment"]
    with pytest.raises(SegmentationAIError, match="was closed"):
        give_answer(the_study, review, "Ben", 0, "left")
    with pytest.raises(SegmentationAIError, match="was closed"):
        next_pair(the_study, review, "Ben")
    with pytest.raises(SegmentationAIError, match="was closed"):
        close_review(the_study, review)


def test_a_review_goes_on_where_it_was_left_and_a_changed_mind_counts(the_study):
    review = open_review(the_study, "First", NAMES, pairs_to_review(the_study, 1))
    first = next_pair(the_study, review, "Anna")
    give_answer(the_study, review, "Anna", first.item, "tie")
    again = open_study(the_study.folder)
    second = next_pair(again, review, "Anna")
    assert (second.done, second.total) == (1, 4)
    assert second.item != first.item
    give_answer(again, review, "Anna", first.item, best(first))
    (listed,) = reviews(again)
    assert (listed.answered, listed.pairs, listed.closed_at) == ({"Anna": 1}, 4, None)
    close_review(again, review)
    assert reviews(again)[0].closed_at is not None
    (row,) = review_report(again, review)["readers"]
    assert (row["total"], row["win"]["count"]) == (1, 1)


def test_two_readers_are_compared(the_study):
    review = open_review(the_study, "First", NAMES, pairs_to_review(the_study, 1, per="slice"))
    answer_all(the_study, review, "Anna", best)
    answer_all(the_study, review, "Ben", lambda s: "tie" if s.item % 3 == 0 else best(s))
    close_review(the_study, review)
    report = review_report(the_study, review)
    anna, ben = report["readers"]
    assert anna["loss"]["count"] == ben["loss"]["count"] == 0
    assert ben["tie"]["count"] == -(-report["pairs"] // 3)
    # Anna never varies, so chance explains all that they agree in.
    assert report["agreement"] == {
        "coefficient": "Cohen's kappa", "value": 0.0, "pairs": report["pairs"],
    }  # fmt: skip


def test_slices_without_a_label_are_not_shown_and_a_long_review_can_be_cut(the_study):
    pairs = pairs_to_review(the_study, 1, per="slice")
    for pair in pairs:
        number = int(pair.case.split()[1])
        both = truth(number).layers[0] + shifted(truth(number)).layers[0]
        assert both[:, :, pair.place].any()
    assert {p.case for p in pairs} == {f"case {n}" for n in range(4)}
    few = pairs_to_review(the_study, 1, per="slice", most=5)
    assert len(few) == 5
    assert {p.case for p in few} >= {"case 0", "case 3"}


def test_a_pair_of_a_version_that_is_not_there_opens_no_review(the_study):
    with pytest.raises(SegmentationAIError, match="no version 9"):
        open_review(the_study, "x", NAMES, [Pair("case 0", 2, 9)])
    with pytest.raises(SegmentationAIError, match="no review 1"):
        next_pair(the_study, 1, "Anna")
    with pytest.raises(SegmentationAIError, match="No case has labels of both"):
        pairs_to_review(the_study, 4)
