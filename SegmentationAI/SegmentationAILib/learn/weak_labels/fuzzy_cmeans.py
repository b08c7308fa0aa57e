"""Fuzzy c-means that estimates the scanner's shading along with the classes.

C. Li, J. C. Gore, C. Davatzikos, "Multiplicative intrinsic component optimization (MICO) for MRI
bias field estimation and tissue segmentation", Magnetic Resonance Imaging 32(7):913-923, 2014,
doi:10.1016/j.mri.2014.03.010. The volume is the product of a smooth bias, a polynomial of the
place, and of classes of one intensity each; memberships, intensities and the polynomial's
coefficients are solved for in turn, each exactly. Without a bias it is Bezdek's fuzzy c-means.
We estimate on a sample of voxels, since a polynomial needs no neighbors, and then label all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError
from ...core.progress import IGNORE, Progress
from .kmeans import cluster_centers
from .readable_intensities import Floats, Mask, readable_intensities, region_of
from .weak_answer import Setting, WeakAnswer, answer_of_classes, check_class_count

Doubles = NDArray[np.float64]
LARGEST_SAMPLE: Final = 50_000
MOST_ITERATIONS: Final = 100
# Largest change of a class's intensity, relative to the spread of them all, that ends the search.
SETTLED: Final = 1e-4
HIGHEST_DEGREE: Final = 4


@dataclass(frozen=True)
class FuzzyOptions:
    """How classes and bias are estimated.

    Attributes:
        classes: Number of classes, 2 to 16.
        bias_degree: Of the bias's polynomial, 0 (no bias) to 4; the paper's 3 has 20 coefficients.
        fuzzifier: Exponent of the memberships, above 1; 2 is usual, near 1 is like k-means.
        seed: Source of the sample and of the first centers.
    """

    classes: int = 3
    bias_degree: int = 3
    fuzzifier: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_class_count(self.classes)
        if not 0 <= self.bias_degree <= HIGHEST_DEGREE:
            raise SegmentationAIError(
                f"A bias of degree {self.bias_degree} was asked for; 0 (none) to {HIGHEST_DEGREE} "
                "is expected."
            )
        if not 1.05 <= self.fuzzifier <= 10.0:
            raise SegmentationAIError(
                f"A fuzzifier of {self.fuzzifier:g} was asked for; 1.05 to 10 is expected, such as "
                "2."
            )


@dataclass(frozen=True, eq=False)
class FuzzyClasses:
    """Classes and bias as estimated.

    Attributes:
        centers: Intensity of each class where the bias is 1, rising.
        coefficients: ``(D, D, D)`` of the bias as products of Legendre polynomials of the place,
            -1 to 1 along each axis; its mean over the sample is 1.
        fuzzifier: Exponent of the memberships.
    """

    centers: Doubles
    coefficients: Doubles
    fuzzifier: float

    def bias(self, shape: tuple[int, ...]) -> Doubles:
        """Return the bias field ``(I, J, K)``."""
        i, j, k = (_place(np.arange(n), n) for n in shape)
        return np.asarray(legendre.leggrid3d(i, j, k, self.coefficients))


def fuzzy_cmeans(
    voxels: NDArray[Any],
    options: FuzzyOptions | None = None,
    within: Mask | None = None,
    progress: Progress = IGNORE,
) -> WeakAnswer:
    """Return the class of the largest membership per voxel, the darkest first.

    A bias means something where intensity 0 is no signal, as in MR; in CT use a degree of 0. Give
    a mask of the head or body: air, which no bias shades, misleads the estimate.

    Args:
        voxels: ``(I, J, K)``, any real dtype; not changed.
        options: None for three classes and a bias of degree 3.
        within: Voxels to look at, None for all.
        progress: Told per iteration.

    Raises:
        SegmentationAIError: There are fewer different intensities than classes.
        Cancelled: Raised by ``progress``.
    """
    chosen = options or FuzzyOptions()
    intensities = readable_intensities(voxels)
    region = region_of(within, intensities.shape)
    found = estimate_classes(intensities, region, chosen, progress.part(0.0, 0.9))
    # The nearest class has the largest membership, whatever the fuzzifier.
    distance = np.full(intensities.shape, np.inf, np.float32)
    classes = np.zeros(intensities.shape, np.uint8)
    bias = found.bias(intensities.shape).astype(np.float32)
    for number, center in enumerate(found.centers):
        progress(0.9 + 0.1 * number / chosen.classes, "Assigning voxels")
        own = np.abs(intensities - np.float32(center) * bias)
        nearer = own < distance
        classes[nearer] = number
        distance[nearer] = own[nearer]
    settings: dict[str, Setting] = {
        "classes": chosen.classes,
        "bias_degree": chosen.bias_degree,
        "fuzzifier": chosen.fuzzifier,
        "seed": chosen.seed,
        "bias_range": f"{bias[region].min():.3f} to {bias[region].max():.3f}",
    }
    return answer_of_classes(classes, chosen.classes, within, settings)


def estimate_classes(
    intensities: Floats, region: Mask, options: FuzzyOptions, progress: Progress = IGNORE
) -> FuzzyClasses:
    """Return classes and bias of the voxels of a region.

    Args:
        intensities: ``(I, J, K)``, finite.
        region: ``(I, J, K)``, not empty.
        options: See `FuzzyOptions`.
        progress: Told per iteration.

    Raises:
        SegmentationAIError: There are fewer different intensities than classes.
    """
    sample = _sample(intensities, region, options)
    values, basis = sample.values, sample.basis
    centers = cluster_centers(values[:, None], options.classes, options.seed)[:, 0]
    weights = np.zeros(basis.shape[1])
    weights[0] = 1.0  # a bias of 1 everywhere
    for iteration in range(MOST_ITERATIONS):
        progress(iteration / MOST_ITERATIONS, "Estimating classes and bias")
        bias = basis @ weights
        powered = memberships(values, bias, centers, options.fuzzifier) ** options.fuzzifier
        before = centers
        centers = (powered.T @ (bias * values)) / np.maximum(powered.T @ bias**2, 1e-300)
        if options.bias_degree > 0:
            weights = _bias_weights(values, basis, powered, centers)
            mean = float((basis @ weights).mean())
            weights, centers = weights / mean, centers * mean
        if np.abs(centers - before).max() <= SETTLED * np.ptp(centers):
            break
    coefficients = np.zeros((options.bias_degree + 1,) * 3)
    coefficients[tuple(np.array(sample.degrees).T)] = weights
    return FuzzyClasses(np.sort(centers), coefficients, options.fuzzifier)


def memberships(values: Doubles, bias: Doubles, centers: Doubles, fuzzifier: float) -> Doubles:
    """Return how much each voxel belongs to each class, ``(N, classes)``, rows of sum 1."""
    squared = (values[:, None] - bias[:, None] * centers) ** 2
    # Relative to the nearest class, so that neither a distance of 0 nor a tiny one overflows.
    nearest = squared.min(axis=1, keepdims=True)
    ratio = (nearest + 1e-30) / (squared + 1e-30)
    share = ratio ** (1.0 / (fuzzifier - 1.0))
    return np.asarray(share / share.sum(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class _Sample:
    """Voxels to estimate on: intensities ``(N,)``, basis ``(N, D)``, degrees per column."""

    values: Doubles
    basis: Doubles
    degrees: list[tuple[int, int, int]] = field(default_factory=list)


def _sample(intensities: Floats, region: Mask, options: FuzzyOptions) -> _Sample:
    rng = np.random.default_rng(options.seed)
    flat = np.flatnonzero(region)
    flat = np.sort(rng.choice(flat, min(len(flat), LARGEST_SAMPLE), replace=False))
    places = np.unravel_index(flat, intensities.shape)
    degree = options.bias_degree
    per_axis = [
        legendre.legvander(_place(index, n), degree)
        for index, n in zip(places, intensities.shape, strict=True)
    ]
    steps = range(degree + 1)
    degrees = [(i, j, k) for i in steps for j in steps for k in steps if i + j + k <= degree]
    columns = [per_axis[0][:, i] * per_axis[1][:, j] * per_axis[2][:, k] for i, j, k in degrees]
    values = intensities.reshape(-1)[flat].astype(np.float64)
    return _Sample(values, np.stack(columns, axis=1), degrees)


def _bias_weights(values: Doubles, basis: Doubles, powered: Doubles, centers: Doubles) -> Doubles:
    """Return the coefficients of the bias that fits the memberships best."""
    weight = powered @ centers**2
    target = basis.T @ (values * (powered @ centers))
    matrix = basis.T @ (basis * weight[:, None])
    # Few voxels along an axis leave coefficients undetermined; the smallest answer is taken.
    solved = np.linalg.lstsq(matrix, target, rcond=1e-10)[0]
    return np.asarray(solved, np.float64)


def _place(index: NDArray[Any], count: int) -> Doubles:
    """Return places along an axis from -1 to 1; 0 for an axis of one voxel."""
    return np.asarray((2.0 * index - (count - 1)) / max(count - 1, 1), np.float64)
