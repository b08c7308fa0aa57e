"""The engine growcut: Slicer's Grow from seeds behind a session, where slicer-core is installed."""

import importlib.util
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from ..core.errors import PromptError, SegmentationAIError
from ..core.mask_history import NO_MASK, PlacedMask, union
from ..core.progress import Progress
from ..core.prompts import BoxPrompt, PointPrompt, Prompt
from ..core.volume import Box, Grid, Volume
from ..refine.engine import Answer, Turn

# The radius of the ball that a click is, and how far beyond prompts background begins: of those
# tried for the table of clicks, what did best on most groups (see Documentation/refine-evidence).
BALL_MM: Final = 4.0
MARGIN_MM: Final = 35.0
# The filter goes on while background is at least so far: half of that, so that a segment that is
# followed click by click makes it begin anew only now and then.
KEPT_MARGIN_MM: Final = 17.5
SHRINK_VOXELS: Final = 2
Seeds = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class _Alive:
    """The filter in a box, the seeds that it has grown so far, and the prompts they are of."""

    box: Box
    grow: Any
    seeds: Seeds
    prompts: tuple[Prompt, ...]
    base: PlacedMask


class GrowCutEngine:
    """Answers prompts by growing them as seeds (see `engine.Engine`); looks at the first channel.

    The filter is kept while prompts are added, and begins anew where one comes near to the shell of
    background around its box: a first run takes 20 times as long as an update. Its own update after
    a further seed is not exactly what a first run with all seeds finds (Dice 0.97 on a sphere with
    four clicks), so unlike with other engines the answer depends on what was asked before; undo and
    redo, which keep what was changed, are exact all the same.
    """

    def __init__(self) -> None:
        self._alive: _Alive | None = None

    def answer(self, turn: Turn, progress: Progress) -> Answer:
        """Return the segment inside the box that the prompts span."""
        progress(0.0, "Growing from seeds")
        if not turn.base.voxels.any() and not any(one.positive for one in turn.prompts):
            raise PromptError("Grow from seeds needs a prompt inside of the segment; click there.")
        alive = self._kept(turn) or self._new(turn)
        # Whatever happens in between, what was grown is no longer known to fit.
        self._alive = None
        put_seeds(alive.seeds, alive.box, turn, len(alive.prompts))
        mask = alive.grow.grown(alive.seeds)
        self._alive = replace(alive, prompts=turn.prompts)
        progress(1.0, "Grown")
        return Answer(alive.box, mask)

    def close(self) -> None:
        """Give the filter's memory back."""
        self._alive = None

    def _kept(self, turn: Turn) -> _Alive | None:
        """What goes on with these prompts, None when it has to begin anew."""
        alive = self._alive
        if (
            alive is None
            or alive.base is not turn.base
            or turn.prompts[: len(alive.prompts)] != alive.prompts
            or union(alive.box, _box(turn, KEPT_MARGIN_MM)) != alive.box
        ):
            return None
        return alive

    def _new(self, turn: Turn) -> _Alive:
        box = _box(turn, MARGIN_MM)
        return _Alive(box, self._begun(turn.volume, box), first_seeds(turn, box), (), turn.base)

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


def first_seeds(turn: Turn, box: Box) -> Seeds:
    """Return the seeds of a box before any prompt.

    The inside of a mask that was brought along is a seed of the segment; around everything is
    ground.
    """
    from ..scene.growcut import SEGMENT, layer_of_ground

    seeds = np.zeros(box.shape, np.uint8, order="F")
    if turn.base.voxels.any():
        inside = turn.base.within(box)
        shrunk = ndi.binary_erosion(inside, iterations=SHRINK_VOXELS)
        seeds[shrunk if shrunk.any() else inside] = SEGMENT
    is_open = np.array(
        [
            (start > 0, stop < n)
            for start, stop, n in zip(
                box.start_ijk, box.stop_ijk, turn.volume.grid.shape, strict=True
            )
        ]
    )
    layer_of_ground(seeds, is_open)
    return seeds


def put_seeds(seeds: Seeds, box: Box, turn: Turn, first: int) -> None:
    """Put the seeds of the prompts from number ``first`` on over those of the earlier ones.

    Clicks are balls; outside of a box that was drawn around the segment is ground, but for what
    earlier prompts said.

    Args:
        seeds: Of the box; changed.
        box: Of the grid.
        turn: Has the prompts.
        first: How many of them have seeds already.
    """
    from ..scene.growcut import GROUND, SEGMENT

    grid = turn.volume.grid
    for number in range(first, len(turn.prompts)):
        prompt, placed = turn.prompts[number], turn.placed[number]
        kind = SEGMENT if prompt.positive else GROUND
        if isinstance(prompt, BoxPrompt) and prompt.positive:
            inside, said = placed.within(box), _said(turn, box, number)
            seeds[~inside & ~said] = GROUND
            # What a box was drawn around lies in its middle; a click inside of it says more.
            ball = _ball(_middle(placed), grid)
            middle = ball.within(box) & inside & ~said
            seeds[middle] = kind
            continue
        where = _ball(placed, grid) if isinstance(prompt, PointPrompt) else placed
        where.put_into(seeds, box, kind)


def _said(turn: Turn, box: Box, count: int) -> NDArray[np.bool_]:
    """Where the first prompts put seeds of their own."""
    said = np.zeros(box.shape, bool, order="F")
    grid = turn.volume.grid
    for prompt, placed in zip(turn.prompts[:count], turn.placed[:count], strict=True):
        if isinstance(prompt, BoxPrompt) and prompt.positive:
            said |= _ball(_middle(placed), grid).within(box) & placed.within(box)
        else:
            where = _ball(placed, grid) if isinstance(prompt, PointPrompt) else placed
            where.put_into(said, box, True)
    return said


def _box(turn: Turn, margin_mm: float) -> Box:
    grid = turn.volume.grid
    box = Box((0, 0, 0), (0, 0, 0))
    for prompt, placed in zip(turn.prompts, turn.placed, strict=True):
        if prompt.positive:
            box = union(box, placed.box)
    if turn.base is not NO_MASK and turn.base.voxels.any():
        box = union(box, turn.base.cropped().box)
    margin = [round(margin_mm / mm) + 1 for mm in grid.spacing]
    i, j, k = (max(0, a - m) for a, m in zip(box.start_ijk, margin, strict=True))
    a, b, c = (
        min(n, stop + m) for n, stop, m in zip(grid.shape, box.stop_ijk, margin, strict=True)
    )
    return Box((i, j, k), (a, b, c))


def _middle(placed: PlacedMask) -> PlacedMask:
    """The voxel in the middle of a mask's box."""
    i, j, k = ((a + b) // 2 for a, b in zip(placed.start_ijk, placed.box.stop_ijk, strict=True))
    return PlacedMask((i, j, k), np.ones((1, 1, 1), bool))


def _ball(placed: PlacedMask, grid: Grid) -> PlacedMask:
    """The voxels within the radius of a click, the click's own included."""
    reach = np.ceil(BALL_MM / np.array(grid.spacing)).astype(int)
    apart = (np.indices(tuple(2 * reach + 1)).T - reach) * np.array(grid.spacing)
    i, j, k = (int(a - r) for a, r in zip(placed.start_ijk, reach, strict=True))
    # The click's own voxel is 0 mm away.
    return PlacedMask((i, j, k), (np.square(apart).sum(axis=-1) <= BALL_MM**2).T)
