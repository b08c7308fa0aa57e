"""Tallies of a blind review: wins, ties and losses apart, with what chance leaves open.

The readers of "Iterative Refinement Algorithm for Liver Segmentation Ground-Truth Generation Using
Fine-Tuning Weak Labels for CT and Structural MRI" chose between a network's mask and a weak one on
324 slices; the headline there counts ties as wins. Here a tie is a tie.

Intervals: Wilson, "Probable inference, the law of succession, and statistical inference", Journal
of the American Statistical Association 22 (1927), doi:10.1080/01621459.1927.10502953. Agreement:
Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement
20 (1960), doi:10.1177/001316446002000104, for two readers; Fleiss, "Measuring nominal scale
agreement among many raters", Psychological Bulletin 76 (1971), doi:10.1037/h0031619, for more.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

# What a reader chose, after the sides were revealed: the first candidate, the second, or neither.
Choice = Literal["win", "tie", "loss"]
CHOICES: Final[tuple[Choice, ...]] = ("win", "tie", "loss")

# 97.5th percentile of the normal distribution: intervals of 95 %.
_Z: Final = 1.959963984540054


@dataclass(frozen=True)
class Share:
    """A count among all answers.

    Attributes:
        count: How many.
        share: Of all, 0 to 1.
        low: Lower end of the 95 % interval of the share.
        high: Upper end.
    """

    count: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Tally:
    """One reader's answers, for the first candidate against the second.

    Attributes:
        total: Answers.
        win: The first was preferred.
        tie: Neither was.
        loss: The second was.
    """

    total: int
    win: Share
    tie: Share
    loss: Share


def tally(choices: Sequence[Choice]) -> Tally:
    """Return how often each choice was made, with 95 % intervals.

    Raises:
        ValueError: There is no choice.
    """
    total = len(choices)
    shares = [share_of(sum(one == choice for one in choices), total) for choice in CHOICES]
    return Tally(total, *shares)


def share_of(count: int, total: int) -> Share:
    """Return a count as a share of ``total`` with Wilson's 95 % interval.

    Examples:
        >>> half = share_of(5, 10)
        >>> round(half.low, 4), round(half.high, 4)
        (0.2366, 0.7634)

    Raises:
        ValueError: ``total`` is not positive, or smaller than the count.
    """
    if not 0 <= count <= total or total < 1:
        raise ValueError(f"{count} of {total} is no share")
    share = count / total
    spread = _Z * math.sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    center = share + _Z**2 / (2 * total)
    below = 1 + _Z**2 / total
    # At 0 and at all, rounding would leave the interval a hair off its end.
    low = 0.0 if count == 0 else (center - spread) / below
    high = 1.0 if count == total else (center + spread) / below
    return Share(count, share, low, high)


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Return how far two readers agree beyond chance, 1 when always.

    Args:
        first: Answers of one reader.
        second: Those of the other to the same items.

    Returns:
        None where both gave one and the same answer throughout: then chance agrees as well.

    Raises:
        ValueError: Not the same number of answers, or none.
    """
    total = len(first)
    if total != len(second) or not total:
        raise ValueError(f"{total} and {len(second)} answers")
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / total
    answers = {*first, *second}
    expected = sum(first.count(a) * second.count(a) for a in answers) / total**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def fleiss_kappa(counts: Sequence[Sequence[int]]) -> float | None:
    """Return how far several readers agree beyond chance, 1 when always.

    Args:
        counts: For each item how many readers gave each answer; each item by as many readers.

    Returns:
        None where all gave one and the same answer throughout.

    Raises:
        ValueError: No item, fewer than two readers, or items with differing numbers of readers.
    """
    readers = {sum(row) for row in counts}
    if len(readers) != 1 or min(readers) < 2:
        raise ValueError(f"items with {sorted(readers)} answers")
    n = readers.pop()
    agreed = sum((sum(c * c for c in row) - n) / (n * (n - 1)) for row in counts) / len(counts)
    shares = [sum(column) / (len(counts) * n) for column in zip(*counts, strict=True)]
    expected = sum(share * share for share in shares)
    return None if expected == 1 else (agreed - expected) / (1 - expected)


def agreement_of(choices: Mapping[str, Mapping[int, Choice]]) -> tuple[str, float | None, int]:
    """Return the name of the coefficient, its value, and the number of items it is over.

    Args:
        choices: By reader and item. Only items that all readers answered count.

    Returns:
        ``none`` and None with fewer than two readers or without a common item.
    """
    readers = sorted(choices)
    common = sorted(set.intersection(*(set(choices[r]) for r in readers))) if readers else []
    if len(readers) < 2 or not common:
        return "none", None, len(common)
    answers = [[choices[reader][item] for item in common] for reader in readers]
    if len(readers) == 2:
        return "Cohen's kappa", cohens_kappa(answers[0], answers[1]), len(common)
    counts = [
        [sum(given[n] == choice for given in answers) for choice in CHOICES]
        for n in range(len(common))
    ]
    return "Fleiss' kappa", fleiss_kappa(counts), len(common)


def words_of_tally(one: Tally, first: str, second: str) -> str:
    """Return a tally as a sentence, the three shares apart.

    Args:
        one: The tally.
        first: What the first candidate is called.
        second: What the second is called.
    """
    return (
        f"{first} was preferred in {_words(one.win)}, {second} in {_words(one.loss)}, and neither "
        f"in {_words(one.tie)}, of {one.total}."
    )


def _words(share: Share) -> str:
    return f"{share.count} ({share.share:.1%}, 95 % interval {share.low:.1%} to {share.high:.1%})"
