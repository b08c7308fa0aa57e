"""Training volumes from label maps: any contrast, any resolution, exact labels.

A head (a label map, or one from a formula) is read at randomly deformed coordinates; its tissues
are painted with a random Gaussian mixture; then come the scanner's flaws: resolution per axis, bias
field, noise, a limited field of view, skull-stripping.

After Billot et al., SynthSeg: Segmentation of brain MRI scans of any contrast and resolution
without retraining, Medical Image Analysis 86, 2023, doi:10.1016/j.media.2023.102789. We depart in
blurring on the working grid of 1 mm in place of resampling to it, in contrasts like real sequences
(`contrasts`), and in drawing white matter lesions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .brain_structures import CHANNEL_OF_CODE, MIRRORED_CHANNEL, TISSUE_INDEX, tissues_of
from .contrasts import Contrast, random_mixture
from .deform import (
    Array,
    DeformationRanges,
    apply_per_axis,
    random_coordinates,
    smooth_field,
)

# The card's intensity rule: these percentiles of the voxels that are not 0 become 0 and 1, and what
# lies outside is clipped.
LOW_PERCENTILE, HIGH_PERCENTILE = 0.5, 99.5
# Distance of the knots of the texture within a tissue, and of the waves of a stripping mask.
GRAIN_MM, WAVE_MM = 8.0, 16.0


class Head(Protocol):
    """Something that knows the tissue and the side of the body at every point."""

    @property
    def box_mm(self) -> NDArray[np.float64]:
        """The head's extent `(2, 3)` from the brain's center, mm."""
        ...

    def code_at(self, points_mm: Array) -> NDArray[np.uint8]:
        """Return codes (tissue and side), `(I, J, K)`, at points `(3, I, J, K)`.

        Points are mm from the brain's center; their first axis runs along R, A, S.
        """
        ...


@dataclass(frozen=True)
class Synthesis:
    """What is drawn, and how hard.

    Attributes:
        shape: voxels of a volume.
        spacing_mm: their spacing, the network's working grid.
        deformation: ranges of the geometry.
        contrasts: name and probability of each contrast.
        scatter: largest scatter of tissue means in contrasts like real sequences.
        strip: probability of skull-stripping.
        difficulty: 0 to 1, scales noise, bias field, blur and slice thickness.
    """

    shape: tuple[int, int, int] = (160, 192, 160)
    spacing_mm: float = 1.0
    deformation: DeformationRanges = field(default_factory=DeformationRanges)
    contrasts: tuple[tuple[Contrast, float], ...] = (
        ("random", 0.22),
        ("T1", 0.5),
        ("T2", 0.14),
        ("FLAIR", 0.14),
    )
    scatter: float = 0.07
    strip: float = 0.4
    difficulty: float = 0.75


def synthesize(
    rng: np.random.Generator, head: Head, synthesis: Synthesis
) -> tuple[Array, NDArray[np.uint8]]:
    """Return a volume `(I, J, K)`, float32 in 0 to 1, and its channels `(I, J, K)`, uint8."""
    shape, spacing = synthesis.shape, synthesis.spacing_mm
    points, mirrored = random_coordinates(rng, shape, spacing, synthesis.deformation, head.box_mm)
    codes = head.code_at(points)
    tissues = tissues_of(codes)
    channels = CHANNEL_OF_CODE[codes]
    if mirrored:
        channels = MIRRORED_CHANNEL[channels]
    names, weights = zip(*synthesis.contrasts, strict=True)
    contrast: Contrast = names[rng.choice(len(names), p=weights)]
    if rng.random() < 0.3:
        _add_lesions(rng, tissues)
    kept = np.ones(shape, dtype=bool)
    if rng.random() < synthesis.strip:
        kept = _stripping_mask(rng, channels, spacing)
    if rng.random() < 0.25:
        kept &= _field_of_view(rng, shape)
    intensities = _paint(rng, tissues, contrast, synthesis)
    intensities[~kept] = 0.0
    return normalized(intensities, rng), np.where(kept, channels, 0).astype(np.uint8)


def normalized(intensities: Array, rng: np.random.Generator | None = None) -> Array:
    """Return intensities by the card's rule, 0 to 1; with `rng` its percentiles vary a little."""
    low, high = LOW_PERCENTILE, HIGH_PERCENTILE
    if rng is not None and rng.random() < 0.5:
        low, high = rng.uniform(0.0, 2.0), rng.uniform(97.5, 100.0)
    present = intensities.ravel()[::8]
    present = present[present != 0]
    if present.size == 0:
        return intensities
    # Every eighth voxel gives the percentiles of a whole head to three digits.
    bottom, top = np.percentile(present, [low, high])
    scaled = (intensities - bottom) / max(top - bottom, 1e-6)
    return np.asarray(np.clip(scaled, 0.0, 1.0), dtype=np.float32)


def _paint(
    rng: np.random.Generator, tissues: NDArray[np.uint8], contrast: Contrast, synthesis: Synthesis
) -> Array:
    """Return the scanner's view of the tissues, without normalization."""
    shape, spacing, hard = synthesis.shape, synthesis.spacing_mm, synthesis.difficulty
    mixture = random_mixture(rng, contrast, rng.uniform(0.02, synthesis.scatter))
    grain = rng.standard_normal(shape, dtype=np.float32)
    if rng.random() < 0.5:
        grain = np.float32(0.6) * grain + np.float32(0.8) * smooth_field(
            rng, shape, tuple(max(3, round(n * spacing / GRAIN_MM)) for n in shape)
        )
    image = mixture.means[tissues] + mixture.deviations[tissues] * grain
    image = apply_per_axis(image, _random_resolution(rng, shape, spacing, hard))
    strength = rng.uniform(0.0, 0.35) * hard
    knots = tuple(max(2, round(n * spacing / rng.uniform(45.0, 90.0))) for n in shape)
    image *= np.exp(np.float32(strength) * smooth_field(rng, shape, knots))
    level = rng.uniform(0.0, 0.08) * hard * (rng.random() < 0.8)
    image += np.float32(level) * rng.standard_normal(shape, dtype=np.float32)
    # Magnitude images have no negative values; a gamma bends the contrast as processing does.
    image = np.abs(image, out=image)
    return np.power(image, np.float32(np.exp(rng.normal(0.0, 0.2 * hard))))


def _random_resolution(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing_mm: float, difficulty: float
) -> list[Array]:
    """Return a matrix `(n, n)` per axis: blur, and now and then thick slices along one axis."""
    # Half of the scans are about as sharp as voxels of 1 mm let them be.
    sharp = rng.random() < 0.5
    blur_mm = rng.uniform(0.35, 0.65) if sharp else rng.uniform(0.5, 0.65 + 0.9 * difficulty)
    thick_axis = int(rng.integers(3)) if rng.random() < 0.3 * difficulty else -1
    matrices = []
    for axis, size in enumerate(shape):
        if axis == thick_axis:
            distance = rng.uniform(2.0, 7.0)
            thickness = distance * rng.uniform(0.6, 1.0)
            matrices.append(slice_matrix(size, spacing_mm, thickness / 2.355, distance))
        else:
            matrices.append(slice_matrix(size, spacing_mm, blur_mm, spacing_mm))
    return matrices


def slice_matrix(size: int, spacing_mm: float, sigma_mm: float, distance_mm: float) -> Array:
    """Return `(size, size)`: Gaussian slices every `distance_mm`, interpolated linearly back."""
    voxels = np.arange(size) * spacing_mm
    count = max(2, int(voxels[-1] // distance_mm) + 2)
    centers = np.arange(count) * distance_mm
    profile = np.exp(-0.5 * ((centers[:, None] - voxels[None, :]) / sigma_mm) ** 2) + 1e-12
    profile /= profile.sum(axis=1, keepdims=True)
    hat = np.clip(1.0 - np.abs(voxels[:, None] - centers[None, :]) / distance_mm, 0.0, None)
    hat /= hat.sum(axis=1, keepdims=True)
    return (hat @ profile).astype(np.float32)


def _add_lesions(rng: np.random.Generator, tissues: NDArray[np.uint8]) -> None:
    """Turn blobs of white matter into lesion, in place; the answer stays white matter."""
    shape = tissues.shape
    knots = tuple(max(3, int(n * rng.uniform(0.25, 0.5))) for n in shape)
    blobs = smooth_field(rng, (shape[0], shape[1], shape[2]), knots) > rng.uniform(1.9, 3.0)
    tissues[blobs & (tissues == TISSUE_INDEX["cerebral white matter"])] = TISSUE_INDEX[
        "white matter lesion"
    ]


def _stripping_mask(
    rng: np.random.Generator, channels: NDArray[np.uint8], spacing_mm: float
) -> NDArray[np.bool_]:
    """Return a brain mask as stripping tools leave it: tight or loose, with a wavy border."""
    shape = (channels.shape[0], channels.shape[1], channels.shape[2])
    brain = ((channels > 0) & (channels != _FLUID_CHANNEL)).astype(np.float32)
    sigma = rng.uniform(2.0, 5.0)
    blurred = apply_per_axis(brain, [slice_matrix(n, spacing_mm, sigma, spacing_mm) for n in shape])
    wave = rng.uniform(0.0, 0.08) * smooth_field(
        rng, shape, tuple(max(3, round(n * spacing_mm / WAVE_MM)) for n in shape)
    )
    return np.asarray(blurred + wave > rng.uniform(0.12, 0.5))


def _field_of_view(rng: np.random.Generator, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return a box that leaves out up to a fifth of the volume at one or two of its faces."""
    seen = np.ones(shape, dtype=bool)
    for _ in range(int(rng.integers(1, 3))):
        axis = int(rng.integers(3))
        cut = int(rng.uniform(0.0, 0.2) * shape[axis])
        faces = [slice(None)] * 3
        faces[axis] = slice(0, cut) if rng.random() < 0.5 else slice(shape[axis] - cut, None)
        seen[tuple(faces)] = False
    return seen


_FLUID_CHANNEL = int(CHANNEL_OF_CODE[TISSUE_INDEX["cerebrospinal fluid"]])
