"""How the learning rate moves over a training, and how high it is where there are few cases."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["cosine", "poly"]

WARM_UP = 0.02
# nnU-Net's exponent.
POWER = 0.9
# A network that has learned already is led, not thrown: see `fine_tuning_rate`.
LED, LED_HEAD_ALONE = 0.3, 1.0


def rate_fraction(done: float, schedule: Schedule = "cosine") -> float:
    """Return the rate as a fraction of the highest: a short linear rise, then the fall to 0.

    Args:
        done: How much of the training is done, 0 to 1.
        schedule: ``cosine`` falls slowly at both ends; ``poly`` as nnU-Net does.
    """
    done = min(max(done, 0.0), 1.0)
    rise = min(1.0, 0.1 + 0.9 * done / WARM_UP)
    if schedule == "poly":
        return float(rise * (1.0 - done) ** POWER)
    return rise * 0.5 * (1.0 + math.cos(math.pi * done))


def fine_tuning_rate(highest: float, freeze: str) -> float:
    """Return the highest rate for a network that starts from weights of another.

    A third of the rate from scratch where all or most of the network moves: what was learned stays
    near, and a small set is not learned by heart. Where only the last block is trained there is
    nothing to lose, and the rate stays. The liver papers keep one rate for both (see
    `networks.architectures.liver_unet`); whoever repeats them sets it in the plan.

    Args:
        highest: Of a training from scratch.
        freeze: ``none``, ``encoder`` or ``all-but-last``.
    """
    return highest * (LED_HEAD_ALONE if freeze == "all-but-last" else LED)
