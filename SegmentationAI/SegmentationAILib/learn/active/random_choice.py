"""Random cases: what every other strategy has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.progress import IGNORE, Progress
from .pool import Pool, Ranked, by_wish, check_pool


@dataclass(frozen=True)
class RandomChoice:
    """Ranks at random, from a seed."""

    seed: int = 0
    name: str = "random"

    def rank(self, pool: Pool, budget: int, progress: Progress = IGNORE) -> tuple[Ranked, ...]:
        """Return random cases; see `pool.Strategy`."""
        check_pool(pool, budget)
        progress(1.0, "Drawing")
        wishes = np.random.default_rng(self.seed).random(len(pool.unlabeled))
        return by_wish(pool.unlabeled, wishes.tolist(), budget)
