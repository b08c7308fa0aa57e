"""Where a correction is least certain, told from the probabilities of its last answer.

Doubt is the binary entropy of a probability, in bits: 1 where an engine could as well have said the
opposite. Single voxels say little, as every border is in doubt: doubt is averaged over the
neighborhood, so that a place counts by how much around it is undecided. The score is the Dice that
a reference would give if the probabilities were right (see `core.expected_dice`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..core.doubtful_slices import DoubtfulSlice, doubtful_slices
from ..core.labelmap import Label, Labelmap
from ..core.prompts import PointPrompt, PointRas
from ..core.volume import Box, Grid, Volume
from .engine import Answer

Floats = NDArray[np.floating[Any]]

# Standard deviation of the average: borders are thinner, a missed or leaked part is thicker.
NEAR_MM: Final = 1.5
# A place next to one that was looked at, or prompted, tells nothing new.
APART_MM: Final = 10.0
# Probabilities of 0.11 and 0.89: beyond them an engine is as good as certain.
LEAST_DOUBT: Final = 0.5
MOST_SLICES: Final = 10


@dataclass(frozen=True)
class Doubt:
    """The most doubtful place, and how certain the segment is around it.

    Attributes:
        prompt: What the engine would say there, to be confirmed or turned over.
        doubt: Mean entropy around the place, 0 to 1 bit.
    """

    prompt: PointPrompt
    doubt: float


def most_doubtful(answer: Answer, grid: Grid, looked_at: Sequence[PointRas] = ()) -> Doubt | None:
    """Return the most doubtful place in the box of an answer, None where all is certain.

    Args:
        answer: Has probabilities; not changed.
        grid: Of the volume.
        looked_at: Places, RAS mm, that are not to be named again, nor what lies within `APART_MM`.
    """
    if answer.probabilities is None or answer.box.is_empty:
        return None
    entropy = binary_entropy(answer.probabilities)
    spread = ndimage.gaussian_filter(
        entropy, [NEAR_MM / mm for mm in grid.spacing], mode="constant"
    )
    # The voxel itself has to be in doubt: a thin certain bridge can lie between doubtful voxels.
    spread[entropy < LEAST_DOUBT] = 0
    box_grid = grid.cropped(answer.box)
    for place in looked_at:
        _forget_around(spread, box_grid, place)
    i, j, k = (int(n) for n in np.unravel_index(int(spread.argmax()), spread.shape))
    if not spread[i, j, k] > 0:
        return None
    r, a, s = (float(n) for n in box_grid.ras_from_ijk(np.array([[i, j, k]], np.float64))[0])
    positive = bool(answer.probabilities[i, j, k] >= 0.5)
    return Doubt(PointPrompt((r, a, s), positive), float(spread[i, j, k]))


def expected_dice(answer: Answer) -> float | None:
    """Return the expected Dice of the mask of an answer, 0 to 1; None where nothing tells it."""
    if answer.probabilities is None or not answer.mask.any():
        return None
    inside = float(answer.probabilities[answer.mask].sum(dtype=np.float64))
    everywhere = float(answer.probabilities.sum(dtype=np.float64))
    return 2 * inside / (float(np.count_nonzero(answer.mask)) + everywhere)


def slices_in_doubt(answer: Answer, grid: Grid) -> tuple[DoubtfulSlice, ...]:
    """Return the most doubtful slices of the volume within the box of an answer, worst first."""
    if answer.probabilities is None or answer.box.is_empty:
        return ()
    affine = grid.cropped(answer.box).affine
    entropy = Volume(binary_entropy(answer.probabilities)[None], affine)
    labelmap = Labelmap((answer.mask.astype(np.uint8),), (Label(1, "Segment"),), affine)
    found = doubtful_slices(entropy, labelmap, MOST_SLICES)
    start = answer.box.start_ijk
    return tuple(
        DoubtfulSlice(
            one.axis, one.index + start[one.axis], one.center_ras, one.doubtful_mm2, one.segment_mm2
        )
        for one in found
    )


def binary_entropy(probabilities: Floats) -> NDArray[np.float32]:
    """Return the entropy of probabilities, 0 to 1 bit."""
    p = np.clip(np.asarray(probabilities, np.float32), 1e-6, 1 - 1e-6)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)), np.float32)


def _forget_around(spread: NDArray[np.float32], grid: Grid, place: PointRas) -> None:
    """Set what lies within `APART_MM` of a place to 0."""
    middle = grid.ijk_from_ras(np.array([place], np.float64))[0]
    reach = np.ceil(APART_MM * np.abs(np.linalg.inv(grid.affine[:3, :3])).sum(axis=1)) + 1
    start = np.clip(np.floor(middle - reach), 0, grid.shape).astype(int)
    stop = np.clip(np.ceil(middle + reach) + 1, 0, grid.shape).astype(int)
    if (start >= stop).any():
        return
    box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    ijk = np.indices(box.shape).reshape(3, -1).T + start
    apart = np.linalg.norm(grid.ras_from_ijk(ijk.astype(np.float64)) - np.asarray(place), axis=1)
    spread[box.slices][(apart < APART_MM).reshape(box.shape)] = 0
