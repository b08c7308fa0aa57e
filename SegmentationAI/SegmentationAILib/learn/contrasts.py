"""Intensities per tissue: the mixture that a training volume is painted with.

Most volumes get a random contrast, as in Billot et al., SynthSeg, Medical Image Analysis 86, 2023,
doi:10.1016/j.media.2023.102789. We depart in one point: some get a contrast like those of real
sequences, with wide scatter, so that real scans lie well inside what was seen although the training
is short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .brain_structures import TISSUES

Contrast = Literal["random", "T1", "T2", "FLAIR", "CT"]

# Typical intensities, 0 (darkest) to 1 (brightest), read off real scans of each sequence by eye.
# Those of CT are a brain window from 0 to 80 HU: white matter about 28, gray matter 37, fluid 8,
# muscle 52; fat lies below it and bone beyond.
_LIKE: dict[str, tuple[float, float, float, float]] = {
    #                                T1    T2   FLAIR   CT
    "air": (0.00, 0.00, 0.00, 0.00),
    "cerebral white matter": (0.80, 0.32, 0.48, 0.35),
    "cerebral cortex": (0.53, 0.47, 0.62, 0.46),
    "lateral ventricle": (0.14, 0.96, 0.10, 0.10),
    "inferior lateral ventricle": (0.17, 0.93, 0.14, 0.12),
    "cerebellum white matter": (0.77, 0.33, 0.48, 0.36),
    "cerebellum cortex": (0.54, 0.46, 0.59, 0.45),
    "thalamus": (0.66, 0.40, 0.54, 0.45),
    "caudate": (0.57, 0.42, 0.60, 0.47),
    "putamen": (0.62, 0.39, 0.57, 0.47),
    "pallidum": (0.72, 0.27, 0.45, 0.48),
    "3rd ventricle": (0.16, 0.94, 0.13, 0.10),
    "4th ventricle": (0.16, 0.94, 0.13, 0.10),
    "brain stem": (0.73, 0.36, 0.50, 0.37),
    "hippocampus": (0.54, 0.50, 0.67, 0.46),
    "amygdala": (0.54, 0.49, 0.67, 0.46),
    "cerebrospinal fluid": (0.15, 0.92, 0.14, 0.10),
    "accumbens area": (0.56, 0.43, 0.61, 0.47),
    "ventral diencephalon": (0.69, 0.35, 0.50, 0.40),
    "white matter lesion": (0.60, 0.66, 0.92, 0.25),
    "choroid plexus": (0.32, 0.75, 0.42, 0.55),
    "inferior choroid plexus": (0.32, 0.75, 0.42, 0.55),
    "deep vessel": (0.40, 0.50, 0.35, 0.55),
    "optic chiasm": (0.68, 0.38, 0.48, 0.40),
    "neck vessel": (0.40, 0.20, 0.20, 0.55),
    "eyeball": (0.18, 0.93, 0.15, 0.12),
    "soft tissue": (0.48, 0.32, 0.38, 0.65),
    "optic nerve and eye muscle": (0.50, 0.38, 0.42, 0.50),
    "mucosa": (0.48, 0.70, 0.60, 0.50),
    "skin": (0.75, 0.45, 0.45, 0.15),
    "spinal cord": (0.72, 0.36, 0.48, 0.38),
    "dura and venous sinus": (0.32, 0.28, 0.28, 0.65),
    "bone": (0.12, 0.08, 0.08, 1.00),
    "marrow": (0.72, 0.42, 0.42, 1.00),
    "pituitary and carotid": (0.50, 0.35, 0.35, 0.55),
}
_COLUMN = {"T1": 0, "T2": 1, "FLAIR": 2, "CT": 3}
_KINDS = tuple(dict.fromkeys(tissue.kind for tissue in TISSUES))
_KIND_OF_TISSUE = np.array([_KINDS.index(tissue.kind) for tissue in TISSUES])
_OUTER = np.array([tissue.kind in ("other", "air") for tissue in TISSUES])


@dataclass(frozen=True)
class Mixture:
    """One Gaussian per tissue.

    Attributes:
        means: `(tissues,)`, about 0 to 1.
        deviations: `(tissues,)`, standard deviation within the tissue.
    """

    means: NDArray[np.float32]
    deviations: NDArray[np.float32]


def random_mixture(rng: np.random.Generator, contrast: Contrast, scatter: float) -> Mixture:
    """Return a mixture of the wanted contrast.

    Args:
        rng: source of every random choice.
        contrast: a real sequence to resemble, or "random".
        scatter: standard deviation of the tissues' means about the sequence's typical ones; not
            used for "random".
    """
    if contrast == "random":
        means = _random_means(rng)
    else:
        means = np.array([_LIKE[tissue.name][_COLUMN[contrast]] for tissue in TISSUES])
        # Tissue outside the brain varies most (fat suppression, flow, contrast agent).
        means = means + rng.normal(0.0, scatter, len(TISSUES)) * np.where(_OUTER, 2.0, 1.0)
    means[0] = 0.0
    deviations = rng.uniform(0.01, 0.06, len(TISSUES))
    if contrast == "random":
        deviations *= rng.uniform(0.5, 2.0)
    deviations[0] = rng.choice([0.0, 0.01, 0.03])
    return Mixture(np.clip(means, 0.0, 1.2).astype(np.float32), deviations.astype(np.float32))


def _random_means(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return independent means, or means that tissues of one kind nearly share (as most scans)."""
    independent = rng.uniform(0.0, 1.0, len(TISSUES))
    if rng.random() < 0.4:
        return independent
    shared = rng.uniform(0.0, 1.0, len(_KINDS))[_KIND_OF_TISSUE]
    near = shared + rng.normal(0.0, rng.uniform(0.02, 0.1), len(TISSUES))
    return np.where(_OUTER, independent, near)
