"""The grid of a plan: orientation, spacing and the size of the median case on it.

Rules of nnU-Net (Isensee et al., Nature Methods 2021, doi:10.1038/s41592-020-01008-z, supplementary
note 2), with orientations made explicit: nnU-Net takes arrays as the files store them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from .fingerprint import AXIS_OF, Fingerprint

# An axis is thick-sliced when its voxels are so many times longer and it has as many times fewer.
ANISOTROPIC: Final = 3.0
# Thick-sliced axes get finer than in the median case, so that fine scans lose less.
FINE_PERCENTILE: Final = 10.0
# Spacings that differ by less make no axis the coarsest.
EQUAL_SPACING: Final = 1.2


@dataclass(frozen=True)
class PlannedGrid:
    """What the network's grid is like.

    Attributes:
        orientation: Axis code.
        spacing_mm: Along the network's axes.
        median_shape: Voxels of the median case along the network's axes.
        is_anisotropic: Whether the slices are so thick that each is resampled by itself.
    """

    orientation: str
    spacing_mm: tuple[float, float, float]
    median_shape: tuple[int, int, int]
    is_anisotropic: bool


def planned_grid(found: Fingerprint, *, of_planes: bool) -> PlannedGrid:
    """Return the grid for a data set.

    Args:
        found: Its fingerprint.
        of_planes: Whether the network sees planes: the coarsest axis comes last then, and of
            equally fine ones the one from feet to head.
    """
    spacing = _spacing(found)
    extents = np.median(found.extents_mm, axis=0)
    letters = list(found.orientation)
    if of_planes:
        letters = _coarsest_last(letters, spacing)
    order = [AXIS_OF[letter] for letter in letters]
    shape = [max(1, round(float(extents[axis] / spacing[axis]))) for axis in order]
    x, y, z = (round(float(spacing[axis]), 4) for axis in order)
    return PlannedGrid(
        "".join(letters),
        (x, y, z),
        (shape[0], shape[1], shape[2]),
        bool(max(x, y, z) / min(x, y, z) > ANISOTROPIC),
    )


def _spacing(found: Fingerprint) -> np.ndarray:
    """Return the spacing along R, A and S, mm."""
    spacing = np.median(found.spacings_mm, axis=0)
    sizes = np.median(found.extents_mm / found.spacings_mm, axis=0)
    worst = int(spacing.argmax())
    others = [axis for axis in range(3) if axis != worst]
    is_coarse = spacing[worst] > ANISOTROPIC * max(spacing[others])
    is_short = ANISOTROPIC * sizes[worst] < min(sizes[others])
    if is_coarse and is_short:
        fine = np.percentile(found.spacings_mm[:, worst], FINE_PERCENTILE)
        spacing[worst] = max(float(fine), float(max(spacing[others])))
    return spacing


def _coarsest_last(letters: list[str], spacing: np.ndarray) -> list[str]:
    ranked = sorted(spacing)
    last = int(spacing.argmax()) if ranked[2] > EQUAL_SPACING * ranked[1] else 2
    chosen = next(letter for letter in letters if AXIS_OF[letter] == last)
    return [*(letter for letter in letters if letter != chosen), chosen]
