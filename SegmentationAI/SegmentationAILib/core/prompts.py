"""Prompts: what a person points at to say "this belongs to it" or "this does not".

Everything is in RAS mm, so that a prompt means the same on every grid. `prompt_voxels` turns
prompts into voxels, `prompt_file` reads and writes them as JSON.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .errors import PromptError

PointRas = tuple[float, float, float]
# A scribble of a minute at 60 events a second has 3,600 points.
MOST_POINTS: Final = 20_000
# Farther than this from the scanner's center no voxel of a person lies; larger numbers are damage.
FARTHEST_MM: Final = 1e6
LARGEST_RADIUS_MM: Final = 500.0
DEFAULT_RADIUS_MM: Final = 2.0
# Corners of a lasso closer to one line than this, in mm, enclose nothing.
_THINNEST_LASSO_MM: Final = 1e-6


@dataclass(frozen=True)
class PointPrompt:
    """One place.

    Attributes:
        position_ras: RAS mm.
        positive: Whether the place belongs to the segment.

    Raises:
        PromptError: The position is not three finite numbers.
    """

    position_ras: PointRas
    positive: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "position_ras", checked_point(self.position_ras))


@dataclass(frozen=True)
class BoxPrompt:
    """A box along the RAS axes, perhaps flat, such as one drawn in a slice view.

    Positive: the segment lies inside of it. Negative: nothing inside belongs to the segment.

    Attributes:
        corners_ras: Two opposite corners, RAS mm, in any order.
        positive: See above.

    Raises:
        PromptError: A corner is not three finite numbers.
    """

    corners_ras: tuple[PointRas, PointRas]
    positive: bool = True

    def __post_init__(self) -> None:
        if len(self.corners_ras) != 2:
            raise PromptError(f"A box has 2 opposite corners; {len(self.corners_ras)} were found.")
        first, second = (checked_point(corner) for corner in self.corners_ras)
        object.__setattr__(self, "corners_ras", (first, second))


@dataclass(frozen=True)
class ScribblePrompt:
    """A line drawn with a round brush.

    Attributes:
        points_ras: One or more points of the line, RAS mm.
        radius_mm: Of the brush.
        positive: Whether the places under the brush belong to the segment.

    Raises:
        PromptError: No point, too many, one that is not finite, or a radius that is none.
    """

    points_ras: tuple[PointRas, ...]
    radius_mm: float = DEFAULT_RADIUS_MM
    positive: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_ras", _checked_points(self.points_ras, "scribble", 1))
        object.__setattr__(self, "radius_mm", _checked_radius(self.radius_mm))


@dataclass(frozen=True)
class LassoPrompt:
    """A closed line around an area in one plane.

    Attributes:
        points_ras: Three or more corners, RAS mm; the last is joined to the first. They lie in one
            plane; what lies beside it is moved onto the plane that fits best.
        positive: Whether the area inside belongs to the segment.

    Raises:
        PromptError: Fewer than three corners, too many, one that is not finite, or all on a line.
    """

    points_ras: tuple[PointRas, ...]
    positive: bool = True

    def __post_init__(self) -> None:
        points = _checked_points(self.points_ras, "lasso", 3)
        spread = np.linalg.svd(np.subtract(points, np.mean(points, axis=0)), compute_uv=False)
        if spread[1] <= _THINNEST_LASSO_MM:
            raise PromptError("All corners of the lasso lie on one line; draw around an area.")
        object.__setattr__(self, "points_ras", points)


Prompt = PointPrompt | BoxPrompt | ScribblePrompt | LassoPrompt


def checked_point(point: Sequence[float]) -> PointRas:
    """Return a point as three floats.

    Raises:
        PromptError: It is not three finite numbers of a size that a scan can have.
    """
    try:
        numbers = [float(number) for number in point]
    except (TypeError, ValueError, OverflowError) as error:
        raise PromptError(
            f"A position of a prompt is {_shown(point)}; three numbers are expected, RAS mm."
        ) from error
    if len(numbers) != 3 or not all(abs(n) <= FARTHEST_MM for n in numbers):
        raise PromptError(
            f"A position of a prompt is {_shown(point)}; three finite numbers are expected, RAS mm."
        )
    return numbers[0], numbers[1], numbers[2]


def _checked_points(
    points: Sequence[Sequence[float]], kind: str, least: int
) -> tuple[PointRas, ...]:
    if not least <= len(points) <= MOST_POINTS:
        raise PromptError(
            f"A {kind} with {len(points)} points was found; {least} to {MOST_POINTS} are possible."
        )
    return tuple(checked_point(point) for point in points)


def _checked_radius(radius_mm: float) -> float:
    try:
        radius = float(radius_mm)
    except (TypeError, ValueError, OverflowError):
        radius = math.nan
    if not 0 < radius <= LARGEST_RADIUS_MM:
        raise PromptError(
            f"A scribble has the radius {_shown(radius_mm)}; more than 0 and at most "
            f"{LARGEST_RADIUS_MM:g} mm are possible."
        )
    return radius


def _shown(value: object) -> str:
    return ascii(value)[:80]
