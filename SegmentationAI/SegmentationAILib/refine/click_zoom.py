"""How much of a scan the click network looks at first: nobody says how large the object is.

Later clicks do say it: one that lies far from the mask's surface stands in the middle of a large
error. Of the first click the network's own doubt is asked. It draws something about half a patch
wide wherever it looks; where that is a piece of something larger, it doubts more of the cells.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..core.prompts import PointPrompt
from ..core.volume import Grid
from .click_input import Array, Mask
from .click_turn import AskedTurn
from .look import SIDE, Look, level_of

# An error is looked at this many times as wide as its middle is deep: it, and what bounds it.
WIDTHS_OF_DEPTH: Final = 3.0
# Probabilities between these are doubts.
DOUBTED: Final = (0.2, 0.8)
# So much less must be doubted to look at cells twice as large, which have lost what is small, and
# twice as much less beyond `WIDE_MM`: a patch wider than any organ. Chosen on kidneys, aorta, brain
# structures and objects by formula, none of them in the evidence.
DOUBT_A_LEVEL: Final = 0.3
WIDE_MM: Final = 5.0 * SIDE
# A look at larger cells is not taken where it changes more than so many balls of the click's depth.
BALLS_OF_AN_ERROR: Final = 4.0
# Found on two hippocampi of the evidence, whose scans are hardly larger than a patch.
NEARLY_ALL: Final = 0.8
# Levels among which a first click chooses, a look each.
MOST_FIRST_LEVELS: Final = 4
_FIRST_WINDOW: Final = 8


def levels_to_try(asked: AskedTurn) -> range:
    """Return the levels to look at; the first one holds the new prompts."""
    grid = asked.turn.volume.grid
    focus = np.subtract(asked.focus.stop_ijk, asked.focus.start_ijk)
    lowest = level_of(focus, grid)
    if asked.turn.mask.any():
        highest = max(lowest, level_of(np.maximum(focus, _errors(asked)), grid))
    elif asked.has_region:
        highest = lowest
    else:
        highest = min(lowest + MOST_FIRST_LEVELS - 1, max(lowest, level_of(grid.shape, grid, 1.0)))
    return range(lowest, highest + 1)


def handicap(look: Look) -> float:
    """Return how much less has to be doubted in a look than in one at cells half as large."""
    return DOUBT_A_LEVEL * (2.0 if SIDE * min(look.region.spacing) > WIDE_MM else 1.0)


def largest_error_mm3(asked: AskedTurn) -> float:
    """Return how large the error may be that new clicks stand in; infinite at first.

    Around the middle of an error there is no room for a ball larger than the middle is deep; an
    error is a long one if it is as large as `BALLS_OF_AN_ERROR` such balls.
    """
    depth = _depth_mm(asked)
    return np.inf if depth is None else BALLS_OF_AN_ERROR * 4 / 3 * np.pi * depth**3


def taken_mm3(look: Look, changed: Mask) -> float:
    """Return the volume of cells of a look's region."""
    return float(np.count_nonzero(changed) * np.prod(look.region.spacing))


def holds_nearly_all(look: Look, grid: Grid) -> bool:
    """Return whether a look holds so much of the scan that larger cells show nothing new."""
    return bool(np.prod(look.region.box.shape) >= NEARLY_ALL * np.prod(grid.shape))


def _errors(asked: AskedTurn) -> NDArray[np.float64]:
    """Return how wide the errors may be that new clicks stand in, voxels `(3,)`."""
    depth = _depth_mm(asked) or 0.0
    return np.asarray(WIDTHS_OF_DEPTH * depth / np.array(asked.turn.volume.spacing))


def _depth_mm(asked: AskedTurn) -> float | None:
    """Return how deep the deepest new click is; None without a click, or without a mask."""
    turn = asked.turn
    spacing = np.array(turn.volume.spacing)
    depths = [
        depth_mm(turn.mask, np.array(placed.box.start_ijk), spacing)
        for prompt, placed in zip(turn.prompts[-turn.new :], turn.placed[-turn.new :], strict=True)
        if isinstance(prompt, PointPrompt) and placed.voxels.any()
    ]
    return max((depth for depth in depths if depth is not None), default=None)


def depth_mm(
    mask: Mask, place_ijk: NDArray[np.int64], spacing: NDArray[np.float64]
) -> float | None:
    """Return how far the nearest voxel of the other kind is; None in a mask of one kind.

    Args:
        mask: `(I, J, K)`.
        place_ijk: voxel index `(3,)` in it.
        spacing: mm, `(3,)`.
    """
    own = bool(mask[tuple(place_ijk)])
    reach = _FIRST_WINDOW * float(spacing.min())
    while True:
        half = np.maximum(np.ceil(reach / spacing).astype(int), 1)
        low, high = np.maximum(place_ijk - half, 0), np.minimum(place_ijk + half + 1, mask.shape)
        part = mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        others = np.argwhere(part != own)
        is_whole = part.shape == mask.shape
        if len(others):
            away = np.square((others + low - place_ijk) * spacing).sum(axis=1)
            nearest = float(np.sqrt(away.min()))
            # Beyond the window's own depth a nearer one may lie outside of it.
            if nearest <= reach or is_whole:
                return nearest
        if is_whole:
            return None
        reach *= 2


def doubt(probabilities: Array, changed: Mask) -> float:
    """Return how many cells are doubted for each that is taken; infinite when none is."""
    taken = np.count_nonzero(changed)
    least, most = DOUBTED
    doubted = np.count_nonzero((probabilities > least) & (probabilities < most))
    return doubted / taken if taken else np.inf
