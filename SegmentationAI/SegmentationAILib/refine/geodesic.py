"""The geodesic engine: which prompts a place is nearer to, along ways that avoid borders.

From the prompts of each kind geodesic distances spread over a map of how much places look like
what was pointed at: Bai and Sapiro, A Geodesic Framework for Fast Interactive Image and Video
Segmentation and Matting, ICCV 2007, doi:10.1109/ICCV.2007.4408931; Wang et al., DeepIGeoS, TPAMI
2019, doi:10.1109/TPAMI.2018.2840695. A place belongs to the kind that is nearer; the difference of
the two distances, exponentiated, is the probability: Luo et al., MIDeepSeg, Medical Image Analysis
2021, doi:10.1016/j.media.2021.102102. Where we depart from them: what looks like no prompt, and
the borders of the box, are background that starts with a delay; of a mask that was there before, or
of a network's, a prompt changes only what it reaches soon enough; and the border is moved to where
the intensities change (see `local_contrast`).

It needs no weights, and works near the prompts only (see `near_region`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.mask_history import meets, union
from ..core.progress import IGNORE, Progress
from ..core.prompts import BoxPrompt, PointPrompt, ScribblePrompt
from ..core.volume import Box, Volume
from .competition import TUNED, Competition, CompetitionSettings, boxed, filled
from .engine import REACHES_THE_BORDER, Answer, Mask, Probabilities, Turn
from .engines import refuse_network
from .likeness import noise_of
from .local_contrast import on_contrast
from .near_region import NearRegion, covers, near_region

Floats = NDArray[np.float32]

# Difference of distances at which a place belongs to the nearer kind with probability 0.73.
SOFTNESS = 0.5
GOES_ON = "The segment may go on beyond the region that was looked at; click there to follow it."


@dataclass(frozen=True)
class GeodesicEngine:
    """Answers prompts without a network, on any volume.

    Attributes:
        settings: Numbers to tune it.
    """

    settings: CompetitionSettings = TUNED

    def answer(self, turn: Turn, progress: Progress = IGNORE) -> Answer:
        """Return the new mask near the new prompts (see `engine.Engine`)."""
        return self.answer_from(turn, None, progress)

    def answer_from(
        self, turn: Turn, start: Probabilities | None, progress: Progress = IGNORE
    ) -> Answer:
        """Return the new mask where a network's probabilities are the start.

        Args:
            turn: What is asked.
            start: `(I, J, K)`, 0 to 1; None starts from the mask that was set.
            progress: Called once a sweep; to cancel, that call raises.
        """
        grid, core = turn.volume.grid, _core(turn)
        region = near_region(core, grid, 0)
        found = Competition(turn, start, region, self.settings)
        margin = found.run(progress.part(0.0, 0.5))
        goes_on = found.goes_on() and not covers(region, grid)
        # A first click grows the box once. Growing on would let a leak take the whole body, and a
        # correction stays where it was made.
        if goes_on and _is_first(turn):
            region = near_region(core, grid, 1)
            found = Competition(turn, start, region, self.settings)
            margin = found.run(progress.part(0.5, 1.0))
            goes_on = found.goes_on() and not covers(region, grid)
        return _answer(turn, region, found, margin, (GOES_ON,) if goes_on else ())

    def close(self) -> None:
        """Nothing is held."""


def open_geodesic(volume: Volume, network: str, structure: str, device: str) -> GeodesicEngine:
    """Return the engine by the name ``geodesic``.

    Raises:
        SegmentationAIError: A network was named; it has none.
    """
    refuse_network("geodesic", network or structure)
    return GeodesicEngine()


def _answer(
    turn: Turn, region: NearRegion, found: Competition, margin: Floats, notes: tuple[str, ...]
) -> Answer:
    margin = region.on_voxels(margin)
    claimed = region.on_voxels(found.claimed.astype(np.float32)) > 0.5
    mask = _on_contrast(margin > 0, claimed, turn, region.box)
    # The border was moved by contrast: a place on the other side of it is undecided at most.
    margin = np.where(mask, np.maximum(margin, 0), np.minimum(margin, 0))
    probabilities = 1 / (1 + np.exp(np.clip(-margin / SOFTNESS, -30, 30)))
    if _at_border(mask, region.box, turn.volume):
        notes = (*notes, REACHES_THE_BORDER)
    return Answer(region.box, mask, np.asarray(probabilities, np.float32), notes)


def _on_contrast(mask: Mask, claimed: Mask, turn: Turn, box: Box) -> Mask:
    channels = np.stack([filled(np.array(c[box.slices], np.float32)) for c in turn.volume.voxels])
    keep = ~claimed
    for prompt, placed in zip(turn.prompts, turn.placed, strict=True):
        if isinstance(prompt, PointPrompt | ScribblePrompt) and meets(placed.box, box):
            placed.put_into(keep, box, True)
    allowed = boxed(turn, box)
    if allowed is not None:
        keep |= ~allowed
        mask &= allowed
    return on_contrast(mask, channels, noise_of(channels), keep)


def _core(turn: Turn) -> Box:
    """The box of the new prompts, and of all boxes that a person drew around the segment."""
    box = Box((0, 0, 0), (0, 0, 0))
    for prompt, placed in zip(turn.prompts, turn.placed, strict=True):
        if isinstance(prompt, BoxPrompt) and prompt.positive:
            box = union(box, placed.box)
    for placed in turn.placed[-turn.new :]:
        box = union(box, placed.box)
    return box


def _is_first(turn: Turn) -> bool:
    return turn.new == len(turn.prompts) and all(prompt.positive for prompt in turn.prompts)


def _at_border(mask: Mask, box: Box, volume: Volume) -> bool:
    for axis in range(3):
        along = np.moveaxis(mask, axis, 0)
        at_start = box.start_ijk[axis] == 0 and along[0].any()
        at_stop = box.stop_ijk[axis] == volume.grid.shape[axis] and along[-1].any()
        if at_start or at_stop:
            return True
    return False
