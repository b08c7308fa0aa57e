"""The patches in which a surface is drawn finely: which there are, and what each answers for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage as ndi

from ..core.volume import Box
from .click_field import Array, Field, Mask
from .look import SIDE, Look, cell_factor, look_at

# The outermost cells of a patch know least; a tile answers for what lies farther inside.
MARGIN: Final = 8
STEP: Final = SIDE - 2 * MARGIN


@dataclass(frozen=True)
class Tile:
    """A patch of a field.

    Attributes:
        look: what it sees.
        core: cells of the field that it answers for.
        seen: the same cells in the look's region.
    """

    look: Look
    core: tuple[slice, slice, slice]
    seen: tuple[slice, slice, slice]


def tiles_of(field: Field) -> list[Tile]:
    """Return tiles whose cores hold all of the active surface of a field."""
    places = np.unique(np.argwhere(_active_surface(field)) // STEP, axis=0)
    return [_tile(field, (int(i), int(j), int(k))) for i, j, k in places]


def nearest_first(tiles: list[Tile], field: Field, focus: Box) -> list[Tile]:
    """Return the tiles of a field, those nearest to a box of voxels first."""
    factor = np.array(cell_factor(field.grid, field.level))
    middle = (np.array(focus.start_ijk) + np.array(focus.stop_ijk)) / 2

    def away(tile: Tile) -> float:
        center = np.array([(c.start + c.stop) / 2 for c in tile.core]) + field.first
        return float(np.linalg.norm((center * factor - middle) * field.grid.spacing))

    return sorted(tiles, key=away)


def seen_before(field: Field, look: Look, mask: Mask) -> Array:
    """Return the probabilities of a look's region: those of the field, beyond it the mask's."""
    before = look.region.means(mask)
    offset = np.subtract(look.first_inside, field.first)
    start = np.maximum(offset, 0)
    stop = np.minimum(offset + before.shape, field.probabilities.shape)
    if (start < stop).all():
        target = _box(start - offset, stop - offset)
        before[target] = field.probabilities[_box(start, stop)]
    return before


def _active_surface(field: Field) -> Mask:
    inside = field.probabilities > 0.5
    surface = ndi.binary_dilation(inside) & ~ndi.binary_erosion(inside, border_value=1)
    return np.asarray(surface & field.active)


def _tile(field: Field, place: tuple[int, int, int]) -> Tile:
    start = np.multiply(place, STEP)
    stop = np.minimum(start + STEP, field.probabilities.shape)
    factor = np.array(cell_factor(field.grid, field.level))
    middle = ((start + stop) / 2 + np.array(field.first)) * factor - 0.5
    look = look_at(middle, field.level, field.grid)
    offset = np.subtract(look.first_inside, field.first)
    return Tile(look, _box(start, stop), _box(start - offset, stop - offset))


def _box(start: np.ndarray, stop: np.ndarray) -> tuple[slice, slice, slice]:
    i, j, k = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return i, j, k
