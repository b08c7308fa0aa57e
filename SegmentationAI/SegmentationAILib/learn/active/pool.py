"""What is chosen from when one asks which case to label next, and what comes back.

All strategies answer the same question about the same pool, so that they can be compared: which of
the cases without labels, in which order. None of them sees a label of those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError
from ...core.progress import IGNORE, Progress

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One case.

    Attributes:
        id: Its name.
        array: ``(C, I, J, K)`` float32, the input as the network gets it.
        auxiliary: ``(I, J, K)`` float32, a second modality or an existing mask on the same grid;
            only the sampler of M-VAAL sees it, never a network that segments. None without one.
        padding: Intensity beyond the array in each channel; empty stands for 0.

    Raises:
        ValueError: The arrays do not lie on one grid.
    """

    id: str
    array: Floats
    auxiliary: Floats | None = None
    padding: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.array.ndim != 4:
            raise ValueError(f"(C, I, J, K) is needed, got {self.array.shape}")
        if self.auxiliary is not None and self.auxiliary.shape != self.array.shape[1:]:
            raise ValueError(f"auxiliary {self.auxiliary.shape} beside {self.array.shape}")


@dataclass(frozen=True, eq=False)
class Pool:
    """Cases with labels, which are not needed here, and cases that could be labeled next."""

    labeled: tuple[Candidate, ...]
    unlabeled: tuple[Candidate, ...]


@dataclass(frozen=True)
class Ranked:
    """One case of a ranking: a larger ``wish`` is asked for earlier."""

    id: str
    wish: float


class Strategy(Protocol):
    """Says which cases to label next."""

    @property
    def name(self) -> str:
        """The name on the command line."""

    def rank(self, pool: Pool, budget: int, progress: Progress = IGNORE) -> tuple[Ranked, ...]:
        """Return the cases to label next, the most wanted first; at most ``budget``.

        Raises:
            SegmentationAIError: The pool lacks what the strategy needs.
            Cancelled: Raised by ``progress``.
        """


def check_budget(budget: int) -> None:
    """Raise unless at least one case is asked for.

    Raises:
        SegmentationAIError: The budget is below 1.
    """
    if budget < 1:
        raise SegmentationAIError(f"A budget of {budget} cases was given; at least 1 is needed.")


def check_pool(pool: Pool, budget: int, *, needs_labeled: bool = False) -> None:
    """Raise unless something can be chosen.

    Raises:
        SegmentationAIError: The budget is below 1, no case is without labels, two cases share a
            name, or cases with labels are needed and there are none.
    """
    check_budget(budget)
    if not pool.unlabeled:
        raise SegmentationAIError("Every case has labels already; there is none to rank.")
    if needs_labeled and not pool.labeled:
        raise SegmentationAIError(
            "This strategy compares with cases that have labels, and there are none; label a few "
            "first, or take random or core-set."
        )
    names = [case.id for case in (*pool.labeled, *pool.unlabeled)]
    if len(set(names)) < len(names):
        raise SegmentationAIError("Two cases of the pool share a name; each needs its own.")


def by_wish(cases: Sequence[Candidate], wishes: Sequence[float], budget: int) -> tuple[Ranked, ...]:
    """Return the cases with the largest wishes; of equal ones the earlier case comes first.

    Raises:
        ValueError: A wish is not finite, or they are not one per case.
    """
    numbers = np.asarray(wishes, np.float64)
    if numbers.shape != (len(cases),) or not np.isfinite(numbers).all():
        raise ValueError(f"{len(cases)} cases need as many finite wishes, got {numbers}")
    order = np.argsort(-numbers, kind="stable")[:budget]
    return tuple(Ranked(cases[at].id, float(numbers[at])) for at in order)
