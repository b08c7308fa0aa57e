"""Gaussian classes of intensity with a Markov random field: voxels like to be as their neighbors.

Y. Zhang, M. Brady, S. Smith, "Segmentation of brain MR images through a hidden Markov random field
model and the expectation-maximization algorithm", IEEE Transactions on Medical Imaging
20(1):45-57, 2001, doi:10.1109/42.906424. We take mean-field probabilities in place of the paper's
iterated conditional modes, so that an early mistake can be taken back, halfway between the old and
the new ones, so that they settle; and weigh each neighbor by ``min(spacing) / spacing`` along its
axis: across thick slices a neighbor says less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError
from ...core.progress import IGNORE, Progress
from .kmeans import cluster_centers
from .readable_intensities import Floats, Mask, readable_intensities, region_of
from .weak_answer import WeakAnswer, answer_of_classes, check_class_count

Spacing = tuple[float, float, float]
MOST_ITERATIONS: Final = 30
# Share of the voxels that change class in an iteration, below which nothing more is to be gained.
SETTLED: Final = 1e-3
# A class of equal intensities still has a spread, as a share of that of all voxels.
NARROWEST: Final = 1e-3


@dataclass(frozen=True)
class MarkovOptions:
    """How classes are estimated.

    Attributes:
        classes: Number of classes, 2 to 16.
        beta: How much one neighbor counts, in units of log probability; 0 ignores neighbors.
        seed: Source of the sample that the first classes come from.
    """

    classes: int = 3
    beta: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_class_count(self.classes)
        if not 0.0 <= self.beta <= 100.0:
            raise SegmentationAIError(
                f"A beta of {self.beta:g} was asked for; 0 (no neighbors) to 100 is expected."
            )


def neighbor_weights(spacing: Spacing) -> tuple[float, float, float]:
    """Return how much a neighbor along each axis counts.

    Examples:
        >>> neighbor_weights((0.5, 1.0, 5.0))
        (1.0, 0.5, 0.1)
    """
    least = min(spacing)
    i, j, k = (least / side for side in spacing)
    return i, j, k


def markov(
    voxels: NDArray[Any],
    spacing: Spacing,
    options: MarkovOptions | None = None,
    within: Mask | None = None,
    progress: Progress = IGNORE,
) -> WeakAnswer:
    """Return the most probable class per voxel, the darkest first.

    Takes 16 bytes per voxel and class. Shifting or scaling all intensities changes nothing.

    Args:
        voxels: ``(I, J, K)``, any real dtype; not changed.
        spacing: Of the voxels, mm.
        options: None for three classes.
        within: Voxels to look at, None for all; others are no neighbors.
        progress: Told per iteration.

    Raises:
        SegmentationAIError: There are fewer different intensities than classes.
        Cancelled: Raised by ``progress``.
    """
    chosen = options or MarkovOptions()
    intensities = readable_intensities(voxels)
    region = region_of(within, intensities.shape)
    known = intensities[region].astype(np.float64)
    scaled: Floats = (intensities - np.float32(known.mean())) / np.float32(max(known.std(), 1e-30))
    centers = cluster_centers(scaled[region][:, None], chosen.classes, chosen.seed)[:, 0]
    field = _Field(scaled, region, neighbor_weights(spacing), chosen.beta)
    classes, iterations = _most_probable(field, centers, progress)
    settings = {
        "classes": chosen.classes,
        "beta": chosen.beta,
        "seed": chosen.seed,
        "iterations": iterations,
    }
    return answer_of_classes(classes, chosen.classes, within, settings)


@dataclass(frozen=True, eq=False)
class _Field:
    """The volume as the iterations need it: scaled intensities, region, weights per axis, beta."""

    intensities: Floats
    region: Mask
    weights: tuple[float, float, float]
    beta: float


def _most_probable(
    field: _Field, centers: NDArray[np.float64], progress: Progress
) -> tuple[NDArray[np.uint8], int]:
    """Return classes by expectation-maximization, and how many iterations it took."""
    spreads = np.ones(len(centers)) / len(centers)
    shares = _probabilities(_log_likelihood(field.intensities, centers, spreads))
    shares *= field.region
    classes = shares.argmax(axis=0).astype(np.uint8)
    for iteration in range(MOST_ITERATIONS):
        centers, spreads = _gaussians(field.intensities, shares)
        likelihood = _log_likelihood(field.intensities, centers, spreads)
        progress(iteration / MOST_ITERATIONS, "Estimating classes")
        likelihood += np.float32(field.beta) * _support(shares, field.weights)
        shares += _probabilities(likelihood) * field.region
        shares *= np.float32(0.5)
        before, classes = classes, shares.argmax(axis=0).astype(np.uint8)
        if np.count_nonzero(before != classes) <= SETTLED * np.count_nonzero(field.region):
            break
    rank = np.argsort(np.argsort(centers)).astype(np.uint8)
    return rank[classes], iteration + 1


def _gaussians(
    intensities: Floats, shares: Floats
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each class."""
    total = shares.sum(axis=(1, 2, 3), dtype=np.float64) + 1e-12
    means = np.array([np.vdot(share, intensities) for share in shares]) / total
    spread = np.array(
        [
            np.vdot(share, (intensities - mean) ** 2)
            for share, mean in zip(shares, means, strict=True)
        ]
    )
    return means, np.maximum(np.sqrt(spread / total), NARROWEST)


def _log_likelihood(
    intensities: Floats, means: NDArray[np.float64], spreads: NDArray[np.float64]
) -> Floats:
    """Return the log density ``(classes, I, J, K)`` up to a constant, float32."""
    densities = [
        -0.5 * ((intensities - np.float32(mean)) / np.float32(spread)) ** 2
        - np.float32(np.log(spread))
        for mean, spread in zip(means, spreads, strict=True)
    ]
    return np.stack(densities)


def _support(shares: Floats, weights: tuple[float, float, float]) -> Floats:
    """Return the weighted sum of the six neighbors' probabilities ``(classes, I, J, K)``."""
    support = np.zeros_like(shares)
    for axis, weight in enumerate(weights, start=1):
        ahead = tuple(slice(1, None) if a == axis else slice(None) for a in range(4))
        behind = tuple(slice(None, -1) if a == axis else slice(None) for a in range(4))
        support[behind] += np.float32(weight) * shares[ahead]
        support[ahead] += np.float32(weight) * shares[behind]
    return support


def _probabilities(logits: Floats) -> Floats:
    """Return the softmax over the first axis."""
    powers = np.exp(logits - logits.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0), np.float32)
