"""Which networks an iteration trains, what each learns from and what it predicts."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.errors import SegmentationAIError
from .settings import RelabelSettings


@dataclass(frozen=True)
class Member:
    """One network of an iteration.

    Attributes:
        number: From 0.
        seed: Of its training.
        learns: Names of the cases it learns from.
        predicts: Names of the cases it predicts; held-out ones are predicted by all members
            together.
    """

    number: int
    seed: int
    learns: tuple[str, ...]
    predicts: tuple[str, ...]


def members_of(
    settings: RelabelSettings,
    iteration: int,
    learnable: Sequence[str],
    others: Sequence[str] = (),
) -> tuple[Member, ...]:
    """Return the networks of an iteration: the same for the same arguments on every machine.

    Args:
        settings: Scheme, folds and seed.
        iteration: Its number: each iteration draws its own patches.
        learnable: Names of the cases with labels that are not held out.
        others: Names of cases that are not held out and cannot be learned from now, as those that
            are skipped: they keep their places in the folds.

    Raises:
        SegmentationAIError: There are fewer cases than folds, or one fold has all of them.
    """
    names = tuple(sorted(learnable))
    seeds = [_seed(settings.seed, iteration, number) for number in range(settings.networks)]
    if settings.scheme != "cross-fit":
        return tuple(Member(n, seed, names, names) for n, seed in enumerate(seeds))
    if len(names) < settings.folds:
        raise SegmentationAIError(
            f"Cross-fitting with {settings.folds} folds needs as many cases and found "
            f"{len(names)}; choose fewer folds, or another scheme."
        )
    # The folds stay the same in all iterations, whichever cases are skipped or have failed: a
    # network that goes on from the one before must not have met there what it predicts now.
    dealt = sorted({*names, *others}, key=lambda name: _lot(settings.seed, name))
    folds = [set(dealt[n :: settings.folds]) for n in range(settings.folds)]
    if any(fold.issuperset(names) for fold in folds):
        raise SegmentationAIError(
            f"All {len(names)} cases that can be learned from are in one fold of {settings.folds}, "
            "which leaves its network nothing; reopen others, or choose another scheme."
        )
    return tuple(
        Member(
            number,
            seed,
            tuple(name for name in names if name not in folds[number]),
            tuple(name for name in names if name in folds[number]),
        )
        for number, seed in enumerate(seeds)
    )


def _seed(*words: int) -> int:
    return int(np.random.SeedSequence(words).generate_state(1)[0]) >> 1


def _lot(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode()).digest()
