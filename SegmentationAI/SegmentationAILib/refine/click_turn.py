"""What a turn says about a look of the click network: prompts on its cells, and intensities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.mask_history import PlacedMask, union
from ..core.prompts import BoxPrompt
from ..core.volume import Box
from .click_input import Array, Mask, PatchPrompts, click_input, seed_intensity
from .engine import Turn
from .look import SIDE, Look


@dataclass(frozen=True, eq=False)
class AskedTurn:
    """A turn, and what is the same in all looks of its answer.

    Attributes:
        turn: what is asked.
        focus: box of the new prompts.
        seeds: intensity at the last positive prompt for each channel of the volume; None before
            there is one.
    """

    turn: Turn
    focus: Box
    seeds: tuple[float | None, ...]

    @property
    def has_region(self) -> bool:
        """Whether a positive box says how large the object is."""
        return any(isinstance(p, BoxPrompt) and p.positive for p in self.turn.prompts)

    def inputs(self, look: Look, previous: Array | None) -> Array:
        """Return a patch for each channel of the volume, `(C, 7, SIDE, SIDE, SIDE)`.

        Args:
            look: where to look.
            previous: probabilities before, in the cells of the look's region; None before any.
        """
        prompts = prompts_in(self.turn, look)
        outside = np.ones((SIDE,) * 3, dtype=bool)
        outside[look.filled] = False
        before = None if previous is None else look.patch_of(previous)
        patches = []
        for channel, seed in zip(self.turn.volume.voxels, self.seeds, strict=True):
            intensities = look.patch_of(finite(look.region.means(channel)))
            # A prompt inside the patch is read in its own cells, as in training.
            near = None if prompts.positive.any() else seed
            patches.append(click_input(intensities, outside, before, prompts, near))
        return np.stack(patches)

    def new_cells(self, look: Look) -> list[tuple[bool, bool, Mask]]:
        """Return of each new prompt whether it is positive, a box, and its cells of the region."""
        turn = self.turn
        return [
            (
                prompt.positive,
                isinstance(prompt, BoxPrompt),
                look.region.cells_of(placed.voxels, placed.start_ijk),
            )
            for prompt, placed in zip(
                turn.prompts[-turn.new :], turn.placed[-turn.new :], strict=True
            )
        ]


def asked_turn(turn: Turn) -> AskedTurn:
    """Return a turn with what all its looks share."""
    focus = Box((0, 0, 0), (0, 0, 0))
    for placed in turn.placed[-turn.new :]:
        focus = union(focus, placed.box)
    seeds: list[float | None] = [None] * turn.volume.channels
    for prompt, placed in zip(turn.prompts, turn.placed, strict=True):
        if prompt.positive and not isinstance(prompt, BoxPrompt):
            seeds = [_seed_at(channel, placed) for channel in turn.volume.voxels]
    return AskedTurn(turn, focus, tuple(seeds))


def prompts_in(turn: Turn, look: Look) -> PatchPrompts:
    """Return what prompts say about the cells of a look; where two meet, the later one counts."""
    positive, negative = (np.zeros(look.region.shape, dtype=bool) for _ in range(2))
    region: Mask | None = None
    for prompt, placed in zip(turn.prompts, turn.placed, strict=True):
        cells = look.region.cells_of(placed.voxels, placed.start_ijk)
        if isinstance(prompt, BoxPrompt) and prompt.positive:
            region = cells if region is None else region | cells
        elif prompt.positive:
            positive |= cells
            negative &= ~cells
        else:
            negative |= cells
            positive &= ~cells
    # A box drawn in a scan of one slice holds what that slice is repeated for.
    where = None if region is None else look.patch_of(region.astype(np.float32)) > 0
    return PatchPrompts(look.patch_of_mask(positive), look.patch_of_mask(negative), where)


def finite(cells: Array) -> Array:
    """Put the least intensity where cells hold NaN or infinity; no voxel there changes anyway."""
    bad = ~np.isfinite(cells)
    if not bad.any():
        return cells
    return np.where(bad, np.float32(0) if bad.all() else cells[~bad].min(), cells)


def _seed_at(channel: NDArray[np.generic], placed: PlacedMask) -> float | None:
    low = [max(a - 1, 0) for a in placed.start_ijk]
    high = [min(b + 1, n) for b, n in zip(placed.box.stop_ijk, channel.shape, strict=True)]
    box = Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    return seed_intensity(finite(np.asarray(channel[box.slices], np.float32)), placed.within(box))
