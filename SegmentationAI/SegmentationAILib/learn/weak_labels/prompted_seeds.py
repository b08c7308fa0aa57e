"""From prompts in RAS mm to what methods for weak labels take: seeds and a limit on their grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.errors import PromptError
from ...core.mask_history import PlacedMask
from ...core.prompt_voxels import voxels_of_prompt
from ...core.prompts import BoxPrompt, Prompt
from ...core.volume import Box, Grid
from .seeds import Seeds

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Prompted:
    """What a person's prompts say about the voxels of one grid.

    Attributes:
        seeds: From points, scribbles, lassos and negative boxes; none may be positive.
        limit: ``(I, J, K)``, the union of the positive boxes; None when there is no such box.
    """

    seeds: Seeds
    limit: Mask | None


def prompted_seeds(prompts: Sequence[Prompt], grid: Grid) -> Prompted:
    """Return the seeds and the limit of prompts; where two contradict, the later one counts.

    Args:
        prompts: In the order in which they were given.
        grid: Whose voxels are meant.

    Raises:
        PromptError: One lies outside of the grid; the message says which.
    """
    positive = np.zeros(grid.shape, np.bool_)
    negative = np.zeros(grid.shape, np.bool_)
    limit: Mask | None = None
    for number, prompt in enumerate(prompts, start=1):
        try:
            placed = voxels_of_prompt(prompt, grid)
        except PromptError as error:
            raise PromptError(f"Prompt {number}: {error}") from error
        if isinstance(prompt, BoxPrompt) and prompt.positive:
            limit = np.zeros(grid.shape, np.bool_) if limit is None else limit
            _set(limit, placed, value=True)
            continue
        _set(positive, placed, value=prompt.positive)
        _set(negative, placed, value=not prompt.positive)
    return Prompted(Seeds(positive, negative), limit)


def _set(mask: Mask, placed: PlacedMask, *, value: bool) -> None:
    stop = tuple(a + n for a, n in zip(placed.start_ijk, placed.voxels.shape, strict=True))
    box = Box(placed.start_ijk, (stop[0], stop[1], stop[2]))
    mask[box.slices][placed.voxels] = value
