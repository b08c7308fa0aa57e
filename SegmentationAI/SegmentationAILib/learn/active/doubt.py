"""Strategies that ask for the cases of which a network is least sure.

``entropy``: the mean over the voxels of the entropy of the network's probabilities. ``mc-dropout``:
of several answers with dropout, the mutual information between the label and the dropped weights,
which is the entropy of the mean answer less the mean entropy: N. Houlsby et al., "Bayesian active
learning for classification and preference learning", 2011, arXiv:1112.5745; with dropout Y. Gal, R.
Islam, Z. Ghahramani, "Deep Bayesian active learning with image data", ICML 2017, arXiv:1703.02910.
``tta``: the same number over answers to flipped copies: how much they contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError
from ...core.progress import IGNORE, Progress
from .looking import Look
from .pool import Candidate, Floats, Pool, Ranked, by_wish, check_pool


@dataclass(frozen=True)
class Doubt:
    """Ranks by the doubt of one network's answers.

    Attributes:
        name: ``entropy`` with one look, ``mc-dropout`` or ``tta`` with several.
        looks: One or more answers to each case. One: their entropy counts; several: their mutual
            information does.

    Raises:
        ValueError: There is no look.
    """

    name: str
    looks: tuple[Look, ...]

    def __post_init__(self) -> None:
        if not self.looks:
            raise ValueError("at least one look is needed")

    def rank(self, pool: Pool, budget: int, progress: Progress = IGNORE) -> tuple[Ranked, ...]:
        """Return the most doubtful cases; see `pool.Strategy`."""
        check_pool(pool, budget)
        wishes = []
        for number, case in enumerate(pool.unlabeled):
            progress(number / len(pool.unlabeled), f"Looking at {case.id}")
            wishes.append(self._doubt(case))
        return by_wish(pool.unlabeled, wishes, budget)

    def _doubt(self, case: Candidate) -> float:
        total, voxels = 0.0, 0
        for slabs in zip(*(look(case) for look in self.looks), strict=True):
            shares = [softmax(slab) for slab in slabs]
            doubt = entropy(shares[0]) if len(shares) == 1 else mutual_information(shares)
            total += float(doubt.sum(dtype=np.float64))
            voxels += doubt.size
        if not np.isfinite(total):
            raise SegmentationAIError(
                f"The network's answer to {case.id} is not finite; check that its volume is."
            )
        return total / voxels


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Return probabilities over the first axis."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0))


def entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy over the first axis, nats; 0 log 0 is 0."""
    return np.asarray(-(shares * np.log(np.maximum(shares, 1e-300))).sum(axis=0))


def mutual_information(answers: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the entropy of the mean answer less the mean entropy of the answers, nats.

    Args:
        answers: Probabilities ``(K, ...)`` each.
    """
    apart = entropy(np.mean(answers, axis=0)) - np.mean([entropy(one) for one in answers], axis=0)
    # Equal answers leave a rounding error on either side of 0.
    return np.asarray(np.maximum(apart, 0.0))
