"""Watershed from markers: floods the gradient from prompts until the floods meet on the edges.

S. Beucher, F. Meyer, "The morphological approach to segmentation: the watershed transformation",
in Mathematical Morphology in Image Processing, 1993; SimpleITK's filter. The gradient is that of
the volume smoothed by a Gaussian, whose width is in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name its own documentation uses
from numpy.typing import NDArray

from ...core.errors import PromptError, SegmentationAIError
from ...core.progress import IGNORE, Progress
from .itk_grid import Spacing, array_from_itk, execute, itk_from_array
from .readable_intensities import Floats, Mask, readable_intensities
from .seeds import Seeds
from .weak_answer import WeakAnswer, answer_of_mask

FACES_NOTE: Final = (
    "No negative prompt was given; the faces of the volume without positive prompts count as "
    "background."
)


@dataclass(frozen=True)
class WatershedOptions:
    """How the gradient is taken.

    Attributes:
        sigma_mm: Of the Gaussian; None for the mean of the voxel's sides.
    """

    sigma_mm: float | None = None

    def __post_init__(self) -> None:
        if self.sigma_mm is not None and not 0.0 < self.sigma_mm <= 100.0:
            raise SegmentationAIError(
                f"A sigma of {self.sigma_mm:g} mm was asked for; above 0 to 100 mm is expected."
            )


def watershed(
    voxels: NDArray[Any],
    spacing: Spacing,
    seeds: Seeds,
    options: WatershedOptions | None = None,
    progress: Progress = IGNORE,
) -> WeakAnswer:
    """Return what the positive seeds flood before the negative ones do.

    Where there are no negative seeds, the faces of the volume on which no positive seed lies are
    flooded as background.

    Args:
        voxels: ``(I, J, K)``, any real dtype; not changed.
        spacing: Of the voxels, mm.
        seeds: On the same grid.
        options: None for a Gaussian as wide as a voxel.
        progress: Told as ITK tells.

    Raises:
        PromptError: There is no positive seed, or one on every face and no negative one.
        SegmentationAIError: All intensities are the same.
        Cancelled: Raised by ``progress``.
    """
    chosen = options or WatershedOptions()
    intensities = readable_intensities(voxels)
    seeds.check(intensities.shape)
    sigma_mm = chosen.sigma_mm or float(np.mean(spacing))
    notes: tuple[str, ...] = ()
    negative = seeds.negative
    if not negative.any():
        negative = _background_faces(seeds.positive)
        notes = (FACES_NOTE,)
    markers = np.where(negative, np.uint8(2), np.uint8(0))
    # Where both are set, a person's negative wins and the volume's own faces do not.
    markers[seeds.positive & ~seeds.negative] = 1
    gradient = gradient_magnitude(intensities, spacing, sigma_mm, progress.part(0.0, 0.4))
    flood = sitk.MorphologicalWatershedFromMarkersImageFilter()
    flood.SetMarkWatershedLine(False)
    answer = execute(
        flood,
        itk_from_array(gradient, spacing),
        itk_from_array(markers, spacing),
        progress=progress.part(0.4, 1.0),
        sentence="Flooding",
    )
    return answer_of_mask(array_from_itk(answer) == 1, {"sigma_mm": sigma_mm}, notes)


def gradient_magnitude(
    intensities: Floats, spacing: Spacing, sigma_mm: float, progress: Progress = IGNORE
) -> Floats:
    """Return the gradient's length ``(I, J, K)``, intensities per mm, after a Gaussian.

    Args:
        intensities: ``(I, J, K)``, finite; not changed.
        spacing: Of the voxels, mm.
        sigma_mm: Of the Gaussian.
        progress: Told as ITK tells.
    """
    # ITK's recursive Gaussian needs four voxels along an axis; repeated edges change no gradient.
    short = [(0, max(0, 4 - n)) for n in intensities.shape]
    padded = np.pad(intensities, short, mode="edge")
    slope = sitk.GradientMagnitudeRecursiveGaussianImageFilter()
    slope.SetSigma(sigma_mm)
    image = execute(
        slope, itk_from_array(padded, spacing), progress=progress, sentence="Measuring edges"
    )
    i, j, k = intensities.shape
    return np.ascontiguousarray(array_from_itk(image)[:i, :j, :k], np.float32)


def _background_faces(positive: Mask) -> Mask:
    """Return the outermost voxels on the sides of the volume where no positive seed lies.

    Raises:
        PromptError: There is one on every side.
    """
    faces = np.zeros(positive.shape, np.bool_)
    for axis, count in enumerate(positive.shape):
        for end in (0, count - 1):
            side = tuple(end if a == axis else slice(None) for a in range(3))
            # A volume of one plane has no sides across it.
            if count > 1 and not positive[side].any():
                faces[side] = True
    if not faces.any():
        raise PromptError(
            "Positive prompts lie on every face of the volume; say with a negative prompt what "
            "does not belong."
        )
    return faces
