"""The engine growcut: Slicer's Grow from seeds behind a session, where slicer-core is installed."""

import importlib.util
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from ..core.errors import PromptError, SegmentationAIError
from ..core.mask_history import NO_MASK, PlacedMask, box_of, union
from ..core.progress import Progress
from ..core.prompts import BoxPrompt, PointPrompt, Prompt
from ..core.volume import Box, Grid, Volume
from ..refine.engine import Answer, Turn

# The radius of the ball that a click is, and how far beyond prompts background begins: of those
# tried for the table of clicks, what did best on most groups (see Documentation/refine-evidence).
BALL_MM: Final = 4.0
MARGIN_MM: Final = 35.0
SHRINK_VOXELS: Final = 2


@dataclass(frozen=True, eq=False)
class _Alive:
    """The filter in a box, and the prompts that it has grown so far."""

    box: Box
    grow: Any
    prompts: tuple[Prompt, ...]
    base: PlacedMask


class GrowCutEngine:
    """Answers prompts by growing them as seeds (see `engine.Engine`); looks at the first channel.

    The filter is kept while prompts are added in the same box, and begins anew otherwise. Its own
    update after a further seed is not exactly what a first run with all seeds finds (Dice 0.97 on
    a sphere with four clicks), so unlike with other engines the answer depends on what was asked
    before; undo and redo, which keep what was changed, are exact all the same.
    """

    def __init__(self) -> None:
        self._alive: _Alive | None = None

    def answer(self, turn: Turn, progress: Progress) -> Answer:
        """Return the segment inside the box that the prompts span."""
        progress(0.0, "Growing from seeds")
        if not turn.base.voxels.any() and not any(one.positive for one in turn.prompts):
            raise PromptError("Grow from seeds needs a prompt inside of the segment; click there.")
        box, seeds = seeds_of(turn)
        alive = self._alive
        if (
            alive is None
            or alive.box != box
            or alive.base is not turn.base
            or turn.prompts[: len(alive.prompts)] != alive.prompts
        ):
            alive = _Alive(box, self._begun(turn.volume, box), (), turn.base)
        # Whatever happens in between, what was grown is no longer known to fit.
        self._alive = None
        mask = alive.grow.grown(seeds)
        self._alive = _Alive(box, alive.grow, turn.prompts, turn.base)
        progress(1.0, "Grown")
        return Answer(box, mask)

    def close(self) -> None:
        """Give the filter's memory back."""
        self._alive = None

    @staticmethod
    def _begun(volume: Volume, box: Box) -> Any:
        from ..scene.growcut import GrowCut

        voxels = np.array(volume.voxels[0][box.slices], np.float32)
        bad = ~np.isfinite(voxels)
        voxels[bad] = voxels[~bad].min(initial=0)
        return GrowCut(voxels, volume.spacing)


def open_growcut(network: str) -> GrowCutEngine:
    """Return the engine.

    Raises:
        SegmentationAIError: slicer-core is not installed here, or a network is named.
    """
    if network:
        raise SegmentationAIError(
            "The engine growcut works without a network; leave --network out."
        )
    if importlib.util.find_spec("slicer") is None:
        raise SegmentationAIError(
            "The engine growcut is Slicer's own filter, and slicer-core is not installed here; "
            "install that, or choose the engine geodesic."
        )
    from ..scene.bootstrap import headless_slicer

    headless_slicer()
    return GrowCutEngine()


def seeds_of(turn: Turn) -> tuple[Box, NDArray[np.uint8]]:
    """Return the box in which is grown, and the seeds in it; later prompts win over earlier ones.

    Clicks are balls; the inside of a mask that was brought along is a seed of the segment; around
    everything, and outside of a box that was drawn around the segment, is ground.
    """
    from ..scene.growcut import GROUND, SEGMENT, layer_of_ground

    grid = turn.volume.grid
    box = _box(turn, grid)
    seeds = np.zeros(box.shape, np.uint8)
    if turn.base.voxels.any():
        inside = turn.base.within(box)
        shrunk = ndi.binary_erosion(inside, iterations=SHRINK_VOXELS)
        seeds[shrunk if shrunk.any() else inside] = SEGMENT
    said = np.zeros(box.shape, bool)
    for prompt, placed in zip(turn.prompts, turn.placed, strict=True):
        if isinstance(prompt, BoxPrompt) and prompt.positive:
            inside = placed.within(box)
            seeds[~inside & ~said] = GROUND
            # What a box was drawn around lies in its middle; a click inside of it says more.
            voxels = _ball(_middle(inside), grid) & inside & ~said
        elif isinstance(prompt, PointPrompt):
            voxels = _ball(placed.within(box), grid)
        else:
            voxels = placed.within(box)
        seeds[voxels] = SEGMENT if prompt.positive else GROUND
        said |= voxels
    is_open = np.array(
        [
            (start > 0, stop < n)
            for start, stop, n in zip(box.start_ijk, box.stop_ijk, grid.shape, strict=True)
        ]
    )
    layer_of_ground(seeds, is_open)
    return box, seeds


def _box(turn: Turn, grid: Grid) -> Box:
    box = Box((0, 0, 0), (0, 0, 0))
    for prompt, placed in zip(turn.prompts, turn.placed, strict=True):
        if prompt.positive:
            box = union(box, placed.box)
    if turn.base is not NO_MASK and turn.base.voxels.any():
        box = union(box, turn.base.cropped().box)
    margin = [round(MARGIN_MM / mm) + 1 for mm in grid.spacing]
    i, j, k = (max(0, a - m) for a, m in zip(box.start_ijk, margin, strict=True))
    a, b, c = (
        min(n, stop + m) for n, stop, m in zip(grid.shape, box.stop_ijk, margin, strict=True)
    )
    return Box((i, j, k), (a, b, c))


def _middle(voxels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The voxel in the middle of a mask's box."""
    found = box_of(voxels)
    middle = np.zeros_like(voxels)
    place = (np.array(found.start_ijk) + np.array(found.stop_ijk)) // 2
    middle[tuple(place)] = voxels.any()
    return middle


def _ball(voxels: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    """The voxels within the radius of a click, the click's own included."""
    if not voxels.any():
        return voxels
    place = np.array(box_of(voxels).start_ijk)
    reach = np.ceil(BALL_MM / np.array(grid.spacing)).astype(int)
    start = np.maximum(place - reach, 0)
    stop = np.minimum(place + reach + 1, voxels.shape)
    cut = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    ball = voxels.copy()
    apart = (np.indices(tuple(stop - start)).T + start - place) * np.array(grid.spacing)
    ball[cut] |= (np.square(apart).sum(axis=-1) <= BALL_MM**2).T
    return ball
