"""Core-set: the cases that leave none of the others far from a chosen one.

O. Sener, S. Savarese, "Active learning for convolutional neural networks: a core-set approach",
ICLR 2018, arXiv:1708.00489; the greedy 2-approximation of the k-center problem, which the paper
starts from. Features are what the deepest layer of a network answers, averaged over space.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.progress import IGNORE, Progress
from .pool import Candidate, Pool, Ranked, check_pool

Features = Callable[[Candidate], NDArray[np.float64]]


@dataclass(frozen=True)
class CoreSet:
    """Ranks by distance to what is labeled or chosen already.

    Attributes:
        features: From a case to a vector ``(F,)``.
    """

    features: Features
    name: str = "core-set"

    def rank(self, pool: Pool, budget: int, progress: Progress = IGNORE) -> tuple[Ranked, ...]:
        """Return the cases of the greedy cover; see `pool.Strategy`.

        A wish is the distance of the case to its nearest center when it was chosen; without labeled
        cases the first choice is the one nearest to the mean, and its wish that distance.
        """
        check_pool(pool, budget)
        cases = (*pool.labeled, *pool.unlabeled)
        rows = []
        for number, case in enumerate(cases):
            progress(number / len(cases), f"Looking at {case.id}")
            rows.append(np.asarray(self.features(case), np.float64))
        vectors = np.stack(rows)
        count = len(pool.labeled)
        chosen, distances = k_center_greedy(vectors[count:], vectors[:count], budget)
        return tuple(
            Ranked(pool.unlabeled[at].id, distance)
            for at, distance in zip(chosen, distances, strict=True)
        )


def k_center_greedy(
    points: NDArray[np.float64], centers: NDArray[np.float64], budget: int
) -> tuple[list[int], list[float]]:
    """Return which points to choose, in order, and how far each was from the centers before it.

    Args:
        points: ``(N, F)``.
        centers: ``(M, F)``, those there are already; with none, the point nearest to the mean of
            all is first.
        budget: At most so many.
    """
    chosen: list[int] = []
    distances: list[float] = []
    if len(centers):
        apart = np.linalg.norm(points[:, None] - centers[None], axis=2).min(axis=1)
    else:
        from_mean = np.linalg.norm(points - points.mean(axis=0), axis=1)
        chosen.append(int(from_mean.argmin()))
        distances.append(float(from_mean.min()))
        apart = np.linalg.norm(points - points[chosen[0]], axis=1)
        apart[chosen[0]] = -1.0
    while len(chosen) < min(budget, len(points)):
        farthest = int(apart.argmax())
        chosen.append(farthest)
        distances.append(float(apart[farthest]))
        apart = np.minimum(apart, np.linalg.norm(points - points[farthest], axis=1))
        apart[chosen] = -1.0
    return chosen, distances
