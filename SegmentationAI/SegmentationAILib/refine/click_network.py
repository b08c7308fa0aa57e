"""The click engine: a promptable network that follows an object and then draws it finely.

It looks at the voxels around a new prompt first, or at larger cells where prompts or the network's
doubts say so (`click_zoom`). Where what changed runs out of the patch, it looks again at cells
twice as large, until the object fits (adaptive zoom). Then it goes back: the surface
is drawn anew in patches of finer cells, each with the coarser answer as the mask before, down to
voxels. Isensee et al., nnInteractive, 2025, doi:10.48550/arXiv.2503.08373, zoom in this way, too;
we depart in cells that are powers of two in voxels, in taking of an answer only what hangs together
with the prompt, and in spending at most `MOST_TILES` patches on it, those near the prompt first:
elsewhere the surface of a larger object stays that of coarser cells, and a note says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cc3d
import numpy as np
from scipy import ndimage as ndi

from ..core.errors import WeightsError
from ..core.progress import Progress
from ..core.volume import Box, Volume
from ..networks.build import load_network
from ..networks.running import RunningNetwork
from ..networks.store import NetworkStore
from .click_field import Array, Field, Mask
from .click_tiles import Tile, nearest_first, seen_before, tiles_of
from .click_turn import AskedTurn, asked_turn
from .click_zoom import (
    doubt,
    handicap,
    holds_nearly_all,
    largest_error_mm3,
    levels_to_try,
    taken_mm3,
)
from .engine import REACHES_THE_BORDER, Answer, Turn
from .look import Look, look_at

NETWORK: Final = "click"
MOST_LEVELS: Final = 10
# Patches that the surface of one answer may take, over all levels: half a second on two cores. With
# sixteen, large objects by formula gain 0.01 of Dice, and every tenth click takes two seconds.
MOST_TILES: Final = 8
DRAWN_COARSELY: Final = (
    "What changed is large: its surface is drawn finely near the click alone. Click near the "
    "surface elsewhere to draw it finely there."
)
# A change with more than this share of its cells on open faces goes on beyond the patch.
FACE_SHARE: Final = 0.004
# Where the network doubts a click, what it doubts no more than the click comes along, down to this
# probability.
LEAST_PROBABILITY: Final = 0.1
_EVERY_NEIGHBOR = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a look showed, in the cells of its region: probabilities, and what changes."""

    look: Look
    found: Array
    changed: Mask


class ClickEngine:
    """Answers prompts of any kind on a volume of any modality (see `engine.Engine`).

    Several channels are looked at one by one, and their logits averaged.

    Args:
        network: logits `(B, 1, 48, 48, 48)` of patches `(B, 7, 48, 48, 48)`.
    """

    def __init__(self, network: RunningNetwork) -> None:
        self._network = network

    def answer(self, turn: Turn, progress: Progress) -> Answer:
        """Return the new mask in a box around what changed."""
        asked = asked_turn(turn)
        field = self._followed(asked, progress.part(0.0, 0.4))
        if not field.active.any():
            box = asked.focus
            return Answer(box, turn.mask[box.slices].copy())
        spent, is_whole = 0, True
        while field.level > 0:
            finer = field.cropped().finer().over(turn.mask)
            tiles = nearest_first(tiles_of(finer), finer, asked.focus)
            some = tiles[: (MOST_TILES - spent) // field.level]
            spent, is_whole = spent + len(some), is_whole and len(some) == len(tiles)
            field = self._redrawn(asked, finer, some, progress.part(0.4, 1.0))
        notes = [] if is_whole else [DRAWN_COARSELY]
        return _answer(turn, field, notes)

    def close(self) -> None:
        """Give back the network's memory."""
        self._network.close()

    def _followed(self, asked: AskedTurn, progress: Progress) -> Field:
        """Return what changes, at the first level at which it fits into a look."""
        grid = asked.turn.volume.grid
        levels = levels_to_try(asked)
        seen = self._least_doubted(asked, levels, progress.part(0.0, 0.5))
        for level in range(seen.look.level + 1, levels.start + MOST_LEVELS):
            at_faces = np.count_nonzero(seen.changed & seen.look.region.open_faces(grid))
            is_all = holds_nearly_all(seen.look, grid)
            if is_all or at_faces <= FACE_SHARE * np.count_nonzero(seen.changed):
                break
            progress(min(1.0, level / 4), "Following the object")
            seen = self._seen(asked, level)
        changed = seen.changed
        if seen.look.level > 0 and changed.any():
            changed = ndi.binary_dilation(changed, _EVERY_NEIGHBOR, iterations=2)
        return Field(grid, seen.look.level, seen.look.first_inside, seen.found, changed)

    def _least_doubted(self, asked: AskedTurn, levels: range, progress: Progress) -> _Seen:
        """Return the look to begin with."""
        looks = []
        for number, level in enumerate(levels):
            progress(number / len(levels), "Looking at what is pointed at")
            looks.append(self._seen(asked, level))
        handicaps = np.cumsum([0.0, *(handicap(seen.look) for seen in looks[1:])])
        most = largest_error_mm3(asked)
        doubts = [
            np.inf if seen is not looks[0] and taken_mm3(seen.look, seen.changed) > most
            else doubt(seen.found, seen.changed)
            for seen in looks
        ]  # fmt: skip
        return looks[int(np.argmin(doubts + handicaps))]

    def _seen(self, asked: AskedTurn, level: int) -> _Seen:
        turn, focus = asked.turn, asked.focus
        middle = (np.array(focus.start_ijk) + np.array(focus.stop_ijk) - 1) / 2
        look = look_at(middle, level, turn.volume.grid)
        before = look.region.means(turn.mask) >= 0.5
        previous = before.astype(np.float32) if turn.mask.any() else None
        found = _in_favor(asked, look, self._probabilities(asked, look, previous))
        return _Seen(look, found, _hanging_together(asked, look, (found > 0.5) != before))

    def _redrawn(
        self, asked: AskedTurn, field: Field, tiles: list[Tile], progress: Progress
    ) -> Field:
        """Return the field with its surface drawn anew, tile by tile."""
        drawn = field.probabilities.copy()
        for number, tile in enumerate(tiles):
            progress(number / len(tiles), "Drawing the surface")
            previous = seen_before(field, tile.look, asked.turn.mask)
            drawn[tile.core] = self._probabilities(asked, tile.look, previous)[tile.seen]
        return replace(field, probabilities=drawn)

    def _probabilities(self, asked: AskedTurn, look: Look, previous: Array | None) -> Array:
        """Return probabilities in the cells of the look's region."""
        logits = self._network(asked.inputs(look, previous)).mean(axis=0)[0][look.inside]
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def open_click(volume: Volume, network: str, structure: str, device: str) -> ClickEngine:
    """Return the engine by the name ``click``.

    Args:
        volume: what it will be asked about.
        network: ID of another promptable network; empty for the one that is called so.
        structure: not used: what is pointed at is what is meant.
        device: for the network.

    Raises:
        SegmentationAIError: there is no such network, or it is not promptable.
    """
    try:
        stored = NetworkStore().find(network or NETWORK)
    except WeightsError as error:
        if network:
            raise
        raise WeightsError(
            f"The engine click has no network here: the one that ships ({NETWORK}) is missing. "
            "Install anew, use the engine geodesic, or name a promptable network."
        ) from error
    if not stored.card.promptable:
        raise WeightsError(
            f"The network {stored.card.id} does not answer prompts; leave --network out, or choose "
            "the engine auto to correct what it finds."
        )
    return ClickEngine(load_network(stored.card, stored.read_weights(), device))


def _in_favor(asked: AskedTurn, look: Look, found: Array) -> Array:
    """Return probabilities in which the new prompts themselves are right.

    Where the network doubts what a person said, its border moves to what it doubts as much.
    """
    least, most = 0.5, 0.5
    for is_positive, is_box, cells in asked.new_cells(look):
        if is_box or not cells.any():
            continue
        if is_positive:
            least = min(least, max(0.95 * float(found[cells].min()), LEAST_PROBABILITY))
        else:
            most = max(most, 1.0 - max(0.95 * (1.0 - float(found[cells].max())), LEAST_PROBABILITY))
    if least < 0.5 <= most == 0.5 or most > 0.5 == least:
        odds = found / np.maximum(1.0 - found, 1e-6)
        border = least if least < 0.5 else most
        odds = odds * np.float32((1.0 - border) / border)
        return np.asarray(odds / (1.0 + odds), np.float32)
    return found


def _hanging_together(asked: AskedTurn, look: Look, changed: Mask) -> Mask:
    """Return the changed cells that hang together with a new prompt."""
    touched = np.zeros(changed.shape, dtype=bool)
    for _, _, cells in asked.new_cells(look):
        touched |= cells
    parts = cc3d.connected_components(changed, connectivity=26)
    near = ndi.binary_dilation(touched, _EVERY_NEIGHBOR)
    kept = np.unique(parts[near & changed])
    return np.asarray(np.isin(parts, kept[kept > 0]))


def _answer(turn: Turn, field: Field, notes: list[str]) -> Answer:
    field = field.cropped()
    while field.level > 0:
        field = field.finer()
    box = field.region.box
    mask = np.where(field.active, field.probabilities > 0.5, turn.mask[box.slices])
    if _reaches_the_border(mask, box, turn.volume.grid.shape):
        notes = [*notes, REACHES_THE_BORDER]
    return Answer(box, mask, field.probabilities, tuple(notes))


def _reaches_the_border(mask: Mask, box: Box, shape: tuple[int, int, int]) -> bool:
    for axis in range(3):
        along = np.moveaxis(mask, axis, 0)
        at_start = box.start_ijk[axis] == 0 and along[0].any()
        if at_start or (box.stop_ijk[axis] == shape[axis] and along[-1].any()):
            return True
    return False
