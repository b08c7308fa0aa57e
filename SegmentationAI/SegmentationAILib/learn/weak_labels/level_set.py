"""A level set grown from seeds, times a roughly scraped region: quick labels by a non-expert.

The two branches, their product and the closing are those of the weak labels in "Iterative
Refinement Algorithm for Liver Segmentation Ground-Truth Generation Using Fine-Tuning Weak Labels
for CT and Structural MRI", Medical Image Understanding and Analysis 2023 (LNCS 14122), whose
sigmoid had alpha 80 and beta 200. Which level set grew there is not said; here it is the geodesic
active contour of V. Caselles, R. Kimmel, G. Sapiro, "Geodesic active contours", International
Journal of Computer Vision 22(1):61-79, 1997, doi:10.1023/A:1007979827043, begun by fast marching
from the seeds; both are SimpleITK's. Where the contrast is not that of the seeds, it stands still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk  # noqa: N813 - the name its own documentation uses
from numpy.typing import NDArray

from ...core.errors import SegmentationAIError
from ...core.progress import IGNORE, Progress
from ...core.volume import Box
from .itk_grid import Spacing, array_from_itk, execute, itk_from_array, itk_indices
from .readable_intensities import Floats, Mask, readable_intensities
from .seeds import Seeds
from .watershed import gradient_magnitude
from .weak_answer import Setting, WeakAnswer, answer_of_mask

PAPER_ALPHA: Final = 80.0
PAPER_BETA: Final = 200.0
# The neighborhood of the seeds that the sigmoid's defaults come from, mm.
NEIGHBORHOOD_MM: Final = 6.0
# Around the scraped region, so that the contour does not end at the edge of what is computed.
MARGIN_MM: Final = 10.0
SETTLED_RMS: Final = 0.01
# How far the contrast may lie from that of the seeds, as a share of the sigmoid's range: half the
# way from its middle to its end.
LEAST_REACH: Final = 0.25
# Fast marching gets thus far past the seeds, in units of time at speed 1 mm; the contour does the
# rest. Half of the neighborhood, so that it starts inside of what the defaults were taken from.
START_MM: Final = NEIGHBORHOOD_MM / 2


@dataclass(frozen=True)
class LevelSetOptions:
    """How the level set grows.

    Attributes:
        alpha: Width of the sigmoid, intensities; None for a third of the range near the seeds.
        beta: Middle of the sigmoid; None for the median intensity near the seeds.
        sigma_mm: Of the Gaussian before the gradient; None for the mean of the voxel's sides.
        curvature: How much the contour is kept smooth; 0.2 to 1 is usual.
        iterations: At most so many steps of the contour.
        closing_mm: Radius of the closing of the product; 0 leaves it out.
    """

    alpha: float | None = None
    beta: float | None = None
    sigma_mm: float | None = None
    curvature: float = 0.5
    iterations: int = 500
    closing_mm: float = 2.0

    def __post_init__(self) -> None:
        if self.alpha is not None and not 0.0 < abs(self.alpha) < np.inf:
            raise SegmentationAIError(f"An alpha of {self.alpha:g}; a number but 0 is expected.")
        if self.beta is not None and not np.isfinite(self.beta):
            raise SegmentationAIError(f"A beta of {self.beta:g}; a finite intensity is expected.")
        if self.sigma_mm is not None and not 0.0 < self.sigma_mm <= 100.0:
            raise SegmentationAIError(
                f"A sigma of {self.sigma_mm:g} mm was asked for; above 0 to 100 mm is expected."
            )
        if not (0.0 <= self.curvature <= 100.0 and 1 <= self.iterations <= 100_000):
            raise SegmentationAIError(
                f"A curvature of {self.curvature:g} and {self.iterations} iterations were asked "
                "for; 0 to 100, and 1 to 100000, are expected."
            )
        if not 0.0 <= self.closing_mm <= 100.0:
            raise SegmentationAIError(
                f"A closing of {self.closing_mm:g} mm was asked for; 0 to 100 mm is expected."
            )


def sigmoid_contrast(intensities: Floats, alpha: float, beta: float) -> Floats:
    """Return ``(max - min) / (1 + exp(-(x - beta) / alpha)) + min`` of the volume's own range.

    Args:
        intensities: ``(I, J, K)``, finite; not changed.
        alpha: Width, intensities; negative turns bright and dark around.
        beta: The intensity in the middle.
    """
    low, high = float(intensities.min()), float(intensities.max())
    with np.errstate(over="ignore"):  # far below beta the exponential is infinite and its part 0
        share = 1.0 / (1.0 + np.exp(-(intensities - np.float32(beta)) / np.float32(alpha)))
    return np.asarray((high - low) * share + low, np.float32)


def level_set(
    voxels: NDArray[Any],
    spacing: Spacing,
    seeds: Seeds,
    scraped: Mask | None = None,
    options: LevelSetOptions | None = None,
    progress: Progress = IGNORE,
) -> WeakAnswer:
    """Return the level set from the positive seeds, times the scraped region, closed.

    Args:
        voxels: ``(I, J, K)``, any real dtype; not changed.
        spacing: Of the voxels, mm.
        seeds: On the same grid; the contour does not enter negative ones.
        scraped: A rough region that holds the object, None for the whole volume.
        options: None for the defaults of `LevelSetOptions`.
        progress: Told as ITK tells.

    Raises:
        PromptError: There is no positive seed, also within the scraped region.
        SegmentationAIError: All intensities are the same, also near the seeds.
        Cancelled: Raised by ``progress``.
    """
    chosen = options or LevelSetOptions()
    intensities = readable_intensities(voxels)
    region = np.ones(intensities.shape, np.bool_) if scraped is None else scraped
    kept = Seeds(seeds.positive & region & ~seeds.negative, seeds.negative)
    kept.check(intensities.shape)
    box = _box_about(region, spacing)
    part = Seeds(kept.positive[box.slices], kept.negative[box.slices])
    grown, settings = _grown(intensities, box, spacing, part, chosen, progress)
    mask = np.zeros(intensities.shape, np.bool_)
    mask[box.slices] = grown & region[box.slices]
    mask = closed(mask, spacing, chosen.closing_mm) & region & ~seeds.negative
    notes = () if scraped is not None else (
        "No scraped region was given; where the level set leaks, draw one roughly and run again.",
    )  # fmt: skip
    return answer_of_mask(mask, settings, notes)


def closed(mask: Mask, spacing: Spacing, radius_mm: float) -> Mask:
    """Return a mask after dilation and erosion by a ball in mm; the border closes nothing.

    Args:
        mask: ``(I, J, K)``; not changed.
        spacing: Of the voxels, mm.
        radius_mm: Of the ball; 0 or less than half a voxel changes nothing.
    """
    found = ndi.find_objects(mask.astype(np.uint8))
    if not found or radius_mm <= 0.0:
        return mask
    reach = [int(np.ceil(radius_mm / side)) + 1 for side in spacing]
    slack = 1e-6 * min(spacing)
    padded = np.pad(mask[found[0]], [(n, n) for n in reach])
    dilated = ndi.distance_transform_edt(~padded, sampling=spacing) <= radius_mm + slack
    # Padded again: what lies outside the array erodes as background far away would.
    wide = np.pad(dilated, 1)
    eroded = ndi.distance_transform_edt(wide, sampling=spacing) > radius_mm + slack
    inner = tuple(slice(n + 1, -n - 1) for n in reach)
    answer = np.zeros_like(mask)
    answer[found[0]] = eroded[inner] | mask[found[0]]
    return answer


def _grown(
    intensities: Floats,
    box: Box,
    spacing: Spacing,
    seeds: Seeds,
    options: LevelSetOptions,
    progress: Progress,
) -> tuple[Mask, dict[str, Setting]]:
    """Return the level set within a box, and the settings with what was measured for them."""
    near = ndi.distance_transform_edt(~seeds.positive, sampling=spacing) <= NEIGHBORHOOD_MM
    alpha, beta = _sigmoid_defaults(intensities[box.slices][near], float(np.ptp(intensities)))
    alpha = alpha if options.alpha is None else options.alpha
    beta = beta if options.beta is None else options.beta
    sigma_mm = options.sigma_mm or float(np.mean(spacing))
    contrast = sigmoid_contrast(intensities, alpha, beta)
    gradient = gradient_magnitude(contrast[box.slices], spacing, sigma_mm, progress.part(0.0, 0.2))
    speed = _edge_speed(gradient, float(np.ptp(contrast)), sigma_mm, near)
    np.minimum(speed, _likeness_speed(contrast[box.slices], spacing, sigma_mm, near), out=speed)
    speed[seeds.negative] = 0.0
    inside = _contour(speed, spacing, seeds, options, progress.part(0.2, 0.9))
    settings: dict[str, Setting] = {
        "alpha": alpha,
        "beta": beta,
        "sigma_mm": sigma_mm,
        "curvature": options.curvature,
        "iterations": options.iterations,
        "closing_mm": options.closing_mm,
    }
    return inside, settings


def _sigmoid_defaults(near: Floats, whole_range: float) -> tuple[float, float]:
    """Return alpha and beta from the intensities near the seeds."""
    low, high = np.percentile(near, (0.5, 99.5))
    # Where all is flat near the seeds, a hundredth of the volume's range still has a slope.
    alpha = max(float(high - low) / 3.0, 0.01 * whole_range)
    return alpha, float(np.median(near))


def _likeness_speed(contrast: Floats, spacing: Spacing, sigma_mm: float, near: Mask) -> Floats:
    """Return 1 where the contrast is that of the seeds' neighborhood, 0 where it is another.

    Edges alone hold a contour back only while they have no gap: the liver of a CT leaked into the
    lung through a few voxels of diaphragm.
    """
    share = contrast / max(float(np.ptp(contrast)), 1e-30)
    sigmas = [sigma_mm / side for side in spacing]
    smooth = ndi.gaussian_filter(share, sigmas, mode="nearest")
    apart = np.abs(smooth - np.median(smooth[near]))
    reach = max(LEAST_REACH, 1.5 * float(np.percentile(apart[near], 95)))
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp((apart - reach) / (reach / 6))), np.float32)


def _edge_speed(gradient: Floats, contrast_range: float, sigma_mm: float, near: Mask) -> Floats:
    """Return how fast the contour may go, 1 where it is flat, 0 at edges; ITK's sigmoid rule.

    An edge from the middle of the sigmoid to one of its ends, after the Gaussian, has a slope of
    half the range over ``sigma sqrt(2 pi)``; half of that stops the contour, and what is usual near
    the seeds does not.
    """
    usual = float(np.percentile(gradient[near], 95))
    edge = max(0.25 * contrast_range / (sigma_mm * np.sqrt(2.0 * np.pi)), 1.5 * usual)
    middle, width = (edge + usual) / 2, max((edge - usual) / 6, 1e-12)
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp((gradient - middle) / width)), np.float32)


def _contour(
    speed: Floats, spacing: Spacing, seeds: Seeds, options: LevelSetOptions, progress: Progress
) -> Mask:
    """Return the inside of the geodesic active contour that starts by fast marching."""
    feature = itk_from_array(speed, spacing)
    marching = sitk.FastMarchingImageFilter()
    marching.SetTrialPoints(itk_indices(seeds.positive))
    marching.SetStoppingValue(4 * START_MM)
    arrival = execute(
        marching, feature, progress=progress.part(0.0, 0.2), sentence="Marching from the seeds"
    )
    # Arrival times that were never reached are huge, and only their sign matters.
    start = np.minimum(array_from_itk(arrival), 4 * START_MM).astype(np.float32) - START_MM
    contour = sitk.GeodesicActiveContourLevelSetImageFilter()
    contour.SetPropagationScaling(1.0)
    contour.SetCurvatureScaling(options.curvature)
    contour.SetAdvectionScaling(1.0)
    contour.SetMaximumRMSError(SETTLED_RMS)
    contour.SetNumberOfIterations(options.iterations)
    answer = execute(
        contour,
        itk_from_array(start, spacing),
        feature,
        progress=progress.part(0.2, 1.0),
        sentence="Moving the contour",
    )
    return np.asarray(array_from_itk(answer) < 0.0)


def _box_about(region: Mask, spacing: Spacing) -> Box:
    """Return the region's box with a margin, within the array."""
    found = ndi.find_objects(region.astype(np.uint8))[0]
    margin = [int(np.ceil(MARGIN_MM / side)) for side in spacing]
    start = [max(part.start - n, 0) for part, n in zip(found, margin, strict=True)]
    stop = [
        min(part.stop + n, size) for part, n, size in zip(found, margin, region.shape, strict=True)
    ]
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
