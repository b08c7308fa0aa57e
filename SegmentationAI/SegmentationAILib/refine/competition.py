"""Positive and negative prompts spread over one region, and the nearer kind takes each cell."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..core.mask_history import PlacedMask, meets
from ..core.progress import Progress
from ..core.prompts import BoxPrompt
from ..core.volume import Box
from .engine import Mask, Probabilities, Turn
from .geodesic_distance import geodesic_distances
from .likeness import Sample, likeness, sample_at
from .near_region import NearRegion, Places
from .seed_distance import distances_to
from .smoothing import smoothed

Floats = NDArray[np.float32]
POSITIVE, NEGATIVE = 0, 1
_NEVER = np.float32(np.inf)
# Distances are compared as numbers: what is never reached is this far.
_FAR = np.float32(1e6)


@dataclass(frozen=True)
class CompetitionSettings:
    """Numbers of the engine; tuned on organs of the torso CT and on synthesized heads alone.

    Attributes:
        smoothing_cells: Gaussian before intensities are looked at.
        floor: Height of a background that looks like anything, against 1 for a sample's center.
        hostile: Cost of crossing one cell that is surely of the other kind.
        friendly: Cost of crossing any cell beside that.
        border: Weight of changes of likeness.
        reach_cells: A negative prompt counts less by a factor of e for every so many cells that a
            place is nearer to a positive one.
        ground_delay: Cost at which background starts at the borders of the box and where a place
            looks like no positive prompt.
        unlike: Likeness below which a place does.
        start_delay: Cost up to which a prompt changes what was certain before.
        grow_share: Share of the open faces taken beyond which the segment seems to go on.
    """

    smoothing_cells: float = 0.7
    floor: float = 0.25
    hostile: float = 1.0
    friendly: float = 0.1
    border: float = 2.0
    reach_cells: float = 6.0
    ground_delay: float = 1.0
    unlike: float = 0.1
    start_delay: float = 5.0
    grow_share: float = 0.02


TUNED: Final = CompetitionSettings()


class Competition:
    """Both kinds of prompts in one region.

    Args:
        turn: What is asked.
        start: Probabilities of a network, `(I, J, K)`; None takes the mask that was set.
        region: Where.
        settings: Numbers.
    """

    def __init__(
        self,
        turn: Turn,
        start: Probabilities | None,
        region: NearRegion,
        settings: CompetitionSettings,
    ) -> None:
        self._turn, self._region, self._settings = turn, region, settings
        self._cell_mm = float(np.cbrt(np.prod(region.spacing)))
        self._seeds = _seeds(turn, region)
        self._faces = region.open_faces(turn.volume.grid)
        self._before = _before(turn, start, region)
        self.likeness = self._likeness()
        self._distances = np.zeros((2, *region.shape), np.float32)
        self.claimed: Mask = np.ones(region.shape, bool)

    def run(self, progress: Progress) -> Floats:
        """Return by how much each cell is nearer to positive prompts than to negative ones.

        Where something was before, that holds for the cells that a prompt reaches soon enough: see
        `claimed`; the others are as far on their side as they are beyond its reach.
        """
        settings = self._settings
        starts = self._starts()
        cost = np.stack([1 - self.likeness, *[self.likeness] * (len(starts) - 1)])
        cost *= np.float32(settings.hostile)
        cost += np.float32(settings.friendly)
        cost /= np.float32(self._cell_mm)
        values = self.likeness * np.float32(settings.border)
        distances = geodesic_distances(
            starts, cost, values, self._region.spacing, progress=progress
        )
        self._distances = np.minimum(distances, _FAR)
        if self._before is None:
            return np.asarray(self._distances[NEGATIVE] - self._distances[POSITIVE])
        return self._changed(self._before)

    def _changed(self, before: Floats) -> Floats:
        """The margin where something was before."""
        positive, negative, ground = self._distances
        # Ground holds up what is added, and takes nothing away: only a person does.
        against = np.where(before > 0.5, negative, np.minimum(negative, ground))
        # One delay for what is certain, two for what is undecided: a prompt reaches farther there.
        sure = 2 * before - 1
        delay = self._settings.start_delay * (2 - np.abs(sure))
        beyond = np.minimum(positive, negative) - delay
        self.claimed = beyond < 0
        stays = np.where(sure > 0, beyond, -beyond)
        return np.asarray(np.where(self.claimed, against - positive, stays), np.float32)

    def goes_on(self) -> bool:
        """Return whether the segment seems to go on beyond the region."""
        taken = self._faces & (self._distances[POSITIVE] < self._distances[NEGATIVE])
        if self._before is not None:
            taken &= self.claimed & (self._before < 0.5)
        return int(taken.sum()) > self._settings.grow_share * int(self._faces.sum())

    def _likeness(self) -> Floats:
        channels = np.stack(
            [
                smoothed(filled(self._region.means(channel)), self._settings.smoothing_cells)
                for channel in self._turn.volume.voxels
            ]
        )
        samples: tuple[list[Sample], list[Sample]] = ([], [])
        near: tuple[list[Places], list[Places]] = ([], [])
        for positive, places in self._seeds:
            kind = POSITIVE if positive else NEGATIVE
            samples[kind].append(sample_at(channels, places))
            near[kind].append(places)
        nearer = None
        if samples[POSITIVE] and samples[NEGATIVE]:
            first, second = (
                distances_to(np.concatenate(one), self._region.shape, self._region.spacing)
                for one in near
            )
            in_reaches = (first - second) / np.float32(self._cell_mm * self._settings.reach_cells)
            nearer = np.exp(np.clip(in_reaches, -10, 0))
        return likeness(channels, *samples, self._settings.floor, nearer)

    def _starts(self) -> Floats:
        """Where each kind begins, `(2 or 3, I, J, K)`, and at what cost.

        What looks like no prompt is background by itself. Where something was before, that is a
        third kind beside what a person said is background.
        """
        kinds = 2 if self._before is None else 3
        starts = np.full((kinds, *self._region.shape), _NEVER, np.float32)
        ground = self.likeness < self._settings.unlike
        if self._before is None:
            ground |= self._faces & (self.likeness < 0.5)
        else:
            ground &= self._before < 0.5
        starts[-1][ground] = self._settings.ground_delay
        _close_boxes(starts, self._turn, self._region)
        for positive, places in self._seeds:
            cells = tuple(places.T)
            starts[POSITIVE if positive else NEGATIVE][cells] = 0
            starts[NEGATIVE if positive else POSITIVE][cells] = _NEVER
            starts[-1][cells] = _NEVER if positive else 0
        return starts


def filled(cells: Floats) -> Floats:
    """Return the cells with the least intensity where there is NaN or infinity.

    No voxel that is NaN changes anyway (see `ruling`), but its neighbors may. ``cells`` are not
    changed: where a cell is a voxel they are the scan's own.
    """
    bad = ~np.isfinite(cells)
    if not bad.any():
        return cells
    least = 0 if bad.all() else cells[~bad].min()
    return np.where(bad, np.asarray(least, cells.dtype), cells)


def _before(turn: Turn, start: Probabilities | None, region: NearRegion) -> Floats | None:
    """The share of each cell that was in the segment before any prompt; None when nothing was."""
    if start is not None:
        return region.means(start)
    if not turn.base.voxels.any():
        return None
    return region.means_of_part(turn.base.within(region.box))


def _seeds(turn: Turn, region: NearRegion) -> list[tuple[bool, Places]]:
    """Kind and cells of every prompt inside the region; where two kinds meet, the later wins."""
    found: list[tuple[int, bool, Places]] = []
    last = np.full((2, *region.shape), -1, np.int32)
    for number, (prompt, placed) in enumerate(zip(turn.prompts, turn.placed, strict=True)):
        if not meets(placed.box, region.box):
            continue
        if isinstance(prompt, BoxPrompt) and prompt.positive:
            places = _middle(placed, region)
        else:
            places = region.places_of(placed.voxels, placed.start_ijk)
        if len(places) > 1:
            places = np.unique(places, axis=0)
        last[POSITIVE if prompt.positive else NEGATIVE][tuple(places.T)] = number
        found.append((number, prompt.positive, places))
    seeds = []
    for number, positive, places in found:
        left = places[last[NEGATIVE if positive else POSITIVE][tuple(places.T)] < number]
        if len(left):
            seeds.append((positive, left))
    return seeds


def _middle(placed: PlacedMask, region: NearRegion) -> Places:
    """The cells in the middle of a box, an eighth of its sides: what it was drawn around."""
    shape = np.array(placed.voxels.shape)
    start = (shape * 7) // 16
    stop = np.maximum(start + 1, shape - start)
    cut = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return region.places_of(placed.voxels[cut], np.array(placed.start_ijk) + start)


def boxed(turn: Turn, box: Box) -> Mask | None:
    """Return the voxels of ``box`` inside the boxes drawn around the segment; None without one."""
    drawn = [
        placed
        for prompt, placed in zip(turn.prompts, turn.placed, strict=True)
        if isinstance(prompt, BoxPrompt) and prompt.positive
    ]
    if not drawn:
        return None
    inside = np.zeros(box.shape, bool)
    for placed in drawn:
        inside |= placed.within(box)
    return inside


def _close_boxes(starts: Floats, turn: Turn, region: NearRegion) -> None:
    """Outside of the boxes that a person drew around the segment everything is background."""
    allowed = boxed(turn, region.box)
    if allowed is not None:
        outside = region.means_of_part(allowed) == 0
        starts[POSITIVE][outside] = _NEVER
        starts[NEGATIVE][outside] = 0
