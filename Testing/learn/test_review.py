"""Tallies and agreement: the papers' table from their counts, and published examples."""

import math

import pytest

from SegmentationAILib.learn.review import (
    agreement_of,
    cohens_kappa,
    fleiss_kappa,
    share_of,
    tally,
    words_of_tally,
)


def answers(win, tie, loss):
    return ["win"] * win + ["tie"] * tie + ["loss"] * loss


@pytest.mark.parametrize(
    ("win", "tie", "loss", "shares"),
    [(275, 32, 17, (84.9, 9.9, 5.2)), (280, 24, 20, (86.4, 7.4, 6.2))],
)
def test_the_papers_table_follows_from_its_counts_with_ties_apart(win, tie, loss, shares):
    one = tally(answers(win, tie, loss))
    assert one.total == 324
    found = [round(100 * s.share, 1) for s in (one.win, one.tie, one.loss)]
    assert found == list(shares)
    # The printed 94 and 93 % are wins and ties together; a win alone never reaches them.
    assert round(100 * (one.win.share + one.tie.share)) in (94, 95)
    assert one.win.high < 0.91
    assert f"{win} ({shares[0]}%" in words_of_tally(one, "The network's", "the weak one")


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_has_its_published_ends(count, total, low, high):
    # 1 of 29 as in Newcombe, Statistics in Medicine 17 (1998); the others worked out by hand.
    share = share_of(count, total)
    assert share.low == pytest.approx(low, abs=6e-5)
    assert share.high == pytest.approx(high, abs=6e-5)
    assert share.low <= share.share <= share.high


def test_nothing_is_no_share():
    with pytest.raises(ValueError, match="no share"):
        share_of(0, 0)


def test_cohens_kappa_of_the_textbook_table():
    # 20 and 15 agreed, 5 and 10 not: observed 0.7, by chance 0.5.
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohens_kappa(first, second) == pytest.approx(0.4)
    assert cohens_kappa(first, first) == 1.0
    assert cohens_kappa(["tie"] * 3, ["tie"] * 3) is None


def test_fleiss_kappa_of_the_published_example():
    # Fleiss (1971), as it is worked out in many textbooks: 10 items, 14 readers, 5 answers.
    counts = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    assert fleiss_kappa(counts) == pytest.approx(0.210, abs=5e-4)


def test_fleiss_refuses_items_with_differing_numbers_of_readers():
    with pytest.raises(ValueError, match="answers"):
        fleiss_kappa([[1, 1, 0], [1, 1, 1]])


def test_two_readers_have_cohens_and_three_fleiss_kappa_over_their_common_items():
    anna = {n: "win" if n < 6 else "tie" for n in range(10)}
    ben = {n: "win" if n < 5 else "tie" for n in range(9)}
    name, kappa, common = agreement_of({"Anna": anna, "Ben": ben})
    assert (name, common) == ("Cohen's kappa", 9)
    # 8 of 9 agree; by chance (6*5 + 3*4) / 81.
    assert kappa == pytest.approx((8 / 9 - 42 / 81) / (1 - 42 / 81))
    name, kappa, _ = agreement_of({"Anna": anna, "Ben": anna, "Cleo": anna})
    assert (name, kappa) == ("Fleiss' kappa", 1.0)
    assert agreement_of({"Anna": anna})[:2] == ("none", None)
    assert agreement_of({}) == ("none", None, 0)
    assert not math.isnan(kappa)
