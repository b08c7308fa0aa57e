"""When the loop stops, and whether its last network is kept.

The papers ran three iterations and give no rule. Ours: stop when the labels settle, when the
held-out score no longer rises, when it falls by more than a point, when volumes drift, and when a
network does not find what it was shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Labels that change less than this from one iteration to the next have settled.
SETTLED_DICE: Final = 0.98
# A fall of the held-out Dice by more than a point costs the network its place.
WORST_FALL: Final = 0.01
# A rise by less than this is none: it is the spread between seeds on 40 cases.
SMALLEST_GAIN: Final = 0.001
# Iterations without a gain after which the loop stops.
PATIENCE: Final = 2
# Labels that agree less than this with those they were learned from are no answer to them: weak
# labels with a Dice of 0.75 and a perfect network agree with 0.75.
LOST_DICE: Final = 0.4
# Growth of the mean volume change from one iteration to the next that counts as drift.
DRIFT: Final = 0.05


@dataclass(frozen=True)
class Scores:
    """What is known of one iteration.

    Attributes:
        dice_to_previous: Mean Dice of its labels to those it learned from, None when none could be
            compared.
        volume_change: Mean relative change of label volumes against the first labels, None
            likewise.
        holdout_dice: Mean Dice of the held-out cases to their locked labels, None without any.
    """

    dice_to_previous: float | None
    volume_change: float | None
    holdout_dice: float | None


@dataclass(frozen=True)
class Verdict:
    """What follows from the scores.

    Attributes:
        stops: Whether the loop ends here.
        is_kept: Whether the iteration's labels and network become the current ones.
        sentence: Why, for the person.
    """

    stops: bool
    is_kept: bool
    sentence: str


def verdict(before: Sequence[Scores], now: Scores) -> Verdict:
    """Return whether the loop goes on after an iteration.

    Args:
        before: Scores of the kept iterations before it, oldest first.
        now: Its own.
    """
    best = max((s.holdout_dice for s in before if s.holdout_dice is not None), default=None)
    if best is not None and now.holdout_dice is not None and now.holdout_dice < best - WORST_FALL:
        return Verdict(
            True,
            False,
            f"Stopped: the held-out Dice fell from {best:.3f} to {now.holdout_dice:.3f}; the "
            "labels and the network before are kept.",
        )
    if now.dice_to_previous is not None and now.dice_to_previous < LOST_DICE:
        return Verdict(
            True,
            False,
            "Stopped: the network does not find what it was shown (Dice "
            f"{now.dice_to_previous:.3f} to the labels it learned from); the labels and the "
            "network before are kept. More epochs or another base network may help.",
        )
    if _drifts(before, now):
        return Verdict(
            True,
            False,
            "Stopped: the volumes of the labels have moved further from the first ones twice in a "
            f"row, to {now.volume_change or 0.0:.0%}; the labels and the network before are kept.",
        )
    if now.dice_to_previous is not None and now.dice_to_previous >= SETTLED_DICE:
        return Verdict(
            True,
            True,
            f"Stopped: the labels have settled (Dice {now.dice_to_previous:.3f} to the iteration "
            "before).",
        )
    if _gains_no_more(before, now):
        return Verdict(
            True, True, f"Stopped: no gain on the held-out cases in {PATIENCE} iterations."
        )
    return Verdict(False, True, "Goes on.")


def _drifts(before: Sequence[Scores], now: Scores) -> bool:
    """Return whether volumes moved away twice in a row; the first iteration is meant to move."""
    changes = [one.volume_change for one in (*before, now)]
    last = [change for change in changes[-3:] if change is not None]
    return len(last) == 3 and last[1] - last[0] > DRIFT and last[2] - last[1] > DRIFT


def _gains_no_more(before: Sequence[Scores], now: Scores) -> bool:
    scores = [one.holdout_dice for one in (*before, now)]
    known = [score for score in scores if score is not None]
    if len(known) != len(scores) or len(known) <= PATIENCE:
        return False
    return max(known[-PATIENCE:]) < max(known[:-PATIENCE]) + SMALLEST_GAIN
