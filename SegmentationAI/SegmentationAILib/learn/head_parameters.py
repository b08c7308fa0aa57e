"""The free numbers of a procedural head: where its ellipsoids lie, and how its folds look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Point = tuple[float, float, float]


class Solid(NamedTuple):
    """An ellipsoid along R, A, S, mm from the brain's center; a paired one lies on both sides."""

    tissue: str
    center_mm: Point
    semi_axes_mm: Point
    paired: bool = True


# Later solids lie over earlier ones.
DEEP_SOLIDS = (
    Solid("lateral ventricle", (9, 8, 16), (6, 30, 7)),
    Solid("lateral ventricle", (23, -22, 6), (7, 14, 9)),
    Solid("inferior lateral ventricle", (33, -5, -16), (4, 17, 4)),
    Solid("caudate", (13, 29, 6), (5.5, 12, 9)),
    Solid("caudate", (17, 14, 16), (4, 18, 5)),
    Solid("thalamus", (11, -2, 4), (9, 14, 9)),
    Solid("putamen", (26, 19, -3), (6.5, 17, 11)),
    Solid("pallidum", (18.5, 14, -5), (5.5, 9, 7)),
    Solid("ventral diencephalon", (9, 3, -12), (8, 10, 5.5)),
    Solid("brain stem", (0, -9, -16), (14, 9, 10), paired=False),
    Solid("brain stem", (0, -8, -36), (15, 12, 15), paired=False),
    Solid("brain stem", (0, -18, -58), (9.5, 9.5, 24), paired=False),
    Solid("3rd ventricle", (0, 4, -2), (2.6, 13, 10), paired=False),
    Solid("4th ventricle", (0, -27, -37), (6, 6, 11), paired=False),
    Solid("hippocampus", (27, -5, -20), (6.5, 19, 6)),
    Solid("amygdala", (23, 16, -22), (8, 7, 8)),
)
# Around the brain, from the outside in.
OUTER_SOLIDS = (
    Solid("soft tissue", (0, -12, -95), (58, 58, 75), paired=False),
    Solid("soft tissue", (0, 50, -48), (58, 55, 58), paired=False),
    Solid("mucosa", (0, 78, -48), (16, 28, 24), paired=False),
    Solid("air", (0, 80, -48), (13, 22, 20), paired=False),
    Solid("eyeball", (32, 82, -26), (12.5, 12.5, 12.5)),
)
_SOLIDS = len(DEEP_SOLIDS)


@dataclass(frozen=True)
class HeadParameters:
    """The head's free numbers; the defaults give the demo's phantom.

    Attributes:
        ventricles: factor on the size of the ventricles.
        gyrus_mm: scale of the folds (a fold is pi times as wide).
        cortex_mm: thickness of the cortex.
        sulcus_mm: half the width of the fluid between folds.
        sulcus_depth_mm: how deep the folds reach.
        skull_mm: thickness of the skull.
        scalp_mm: thickness of the tissue over it.
        phase_mm: shift of the folds.
        sizes: factor on the size of each deep solid.
        shifts_mm: shift of each deep solid.
    """

    ventricles: float = 1.0
    gyrus_mm: float = 6.0
    cortex_mm: float = 3.0
    sulcus_mm: float = 0.9
    sulcus_depth_mm: float = 15.0
    skull_mm: float = 7.0
    scalp_mm: float = 6.0
    phase_mm: Point = (0.0, 0.0, 0.0)
    sizes: tuple[float, ...] = (1.0,) * _SOLIDS
    shifts_mm: tuple[Point, ...] = ((0.0, 0.0, 0.0),) * _SOLIDS


DEFAULT = HeadParameters()


def random_parameters(rng: np.random.Generator) -> HeadParameters:
    """Return the parameters of some other head of the family."""
    shifts = rng.normal(0.0, 1.2, (_SOLIDS, 3))
    phase = rng.uniform(0.0, 40.0, 3)
    return HeadParameters(
        ventricles=float(rng.uniform(0.7, 1.6)),
        gyrus_mm=float(rng.uniform(4.5, 7.5)),
        cortex_mm=float(rng.uniform(2.4, 3.6)),
        sulcus_mm=float(rng.uniform(0.4, 1.6)),
        sulcus_depth_mm=float(rng.uniform(9.0, 20.0)),
        skull_mm=float(rng.uniform(4.0, 9.0)),
        scalp_mm=float(rng.uniform(3.0, 12.0)),
        phase_mm=(float(phase[0]), float(phase[1]), float(phase[2])),
        sizes=tuple(float(size) for size in rng.uniform(0.85, 1.15, _SOLIDS)),
        shifts_mm=tuple((float(x), float(y), float(z)) for x, y, z in shifts),
    )
