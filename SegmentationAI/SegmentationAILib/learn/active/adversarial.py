"""VAAL and M-VAAL: the cases that a discriminator takes least for ones that have labels.

VAAL: S. Sinha, S. Ebrahimi, T. Darrell, "Variational adversarial active learning", ICCV 2019,
arXiv:1904.00370. M-VAAL: B. Khanal et al., "M-VAAL: multimodal variational adversarial active
learning for downstream medical image analysis tasks", Medical Image Understanding and Analysis 2023
(LNCS 14122), arXiv:2306.12376: one encoder of the main modality, a second decoder that has to
reconstruct the auxiliary one, and a Wasserstein discriminator with gradient penalty. The lowest
scores are picked, since labeled is high; the auxiliary modality trains the sampler and is seen
by nothing else. Departures: smaller by default, layer norms in the discriminator, a divergence
divided by the number of pixels, since the reconstruction is a mean over them, and a discriminator
that settles at the end (see `LatentOptions`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...core.progress import IGNORE, Progress
from .latent_options import LatentOptions
from .latent_sampler import trained_sampler
from .latent_slices import slices_of
from .pool import Pool, Ranked, by_wish, check_pool


@dataclass(frozen=True)
class Adversarial:
    """Ranks by how unlike the labeled cases a case is.

    Attributes:
        with_auxiliary: Whether it is M-VAAL, which needs an auxiliary modality of every case.
        options: Of the sampler.
    """

    with_auxiliary: bool
    options: LatentOptions = field(default_factory=LatentOptions)

    @property
    def name(self) -> str:
        """``m-vaal`` or ``vaal``."""
        return "m-vaal" if self.with_auxiliary else "vaal"

    def rank(self, pool: Pool, budget: int, progress: Progress = IGNORE) -> tuple[Ranked, ...]:
        """Return the cases of the lowest scores, their wish the negative score; see `Strategy`."""
        check_pool(pool, budget, needs_labeled=True)
        labeled, unlabeled = (
            slices_of(cases, self.options, with_auxiliary=self.with_auxiliary)
            for cases in (pool.labeled, pool.unlabeled)
        )
        sampler = trained_sampler(labeled, unlabeled, self.options, progress)
        of_slices = sampler.scores(unlabeled.main).double().numpy()
        scores = case_scores(of_slices, unlabeled.cases.numpy(), self.options.lowest)
        return by_wish(pool.unlabeled, [-score for score in scores], budget)


def case_scores(
    of_slices: NDArray[np.float64], cases: NDArray[np.integer], lowest: int
) -> list[float]:
    """Return the mean of each case's lowest slice scores.

    Args:
        of_slices: ``(N,)``.
        cases: ``(N,)``, which case each slice is of, 0 and up, none left out.
        lowest: How many count; fewer where a case has fewer slices.
    """
    return [
        float(np.sort(of_slices[cases == number])[:lowest].mean())
        for number in range(int(cases.max()) + 1)
    ]
