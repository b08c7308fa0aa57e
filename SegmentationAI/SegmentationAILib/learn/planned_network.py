"""The network and the patches of a plan: as deep as the patch allows, as large as the machine does.

Depth, strides and kernels follow nnU-Net's rules (Isensee et al., Nature Methods 2021,
doi:10.1038/s41592-020-01008-z, supplementary note 2); widths are smaller where there is no GPU.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..networks.card import Parameter

Triple = tuple[int, int, int]
Stride = tuple[int, ...]
# nnU-Net's: no side of the coarsest map is shorter, and axes are pooled while their voxels are not
# yet twice as long as the finest.
SHORTEST_SIDE: Final = 4
POOLING_RATIO: Final = 2.0
MOST_POOLINGS: Final = 5


@dataclass(frozen=True)
class Pyramid:
    """Strides and kernels of a network's levels.

    Attributes:
        strides: Into each level; the first is 1 everywhere.
        kernels: Of the convolutions of each level.
        divisors: What the sides of a patch are multiples of.
    """

    strides: tuple[Stride, ...]
    kernels: tuple[Stride, ...]
    divisors: Stride


def pyramid(sides: Sequence[int], spacing_mm: Sequence[float]) -> Pyramid:
    """Return the levels for patches of about these sides.

    Args:
        sides: Two or three.
        spacing_mm: Along each of them.

    Examples:
        >>> pyramid((40, 56, 40), (1.0, 1.0, 1.0)).divisors
        (8, 8, 8)
        >>> pyramid((160, 160, 20), (0.7, 0.7, 4.0)).strides
        ((1, 1, 1), (2, 2, 1), (2, 2, 1), (2, 2, 2), (2, 2, 2), (2, 2, 1))
    """
    size, spacing = [float(side) for side in sides], list(spacing_mm)
    strides: list[Stride] = [(1,) * len(size)]
    kernels = [_kernel(spacing)]
    while len(strides) <= MOST_POOLINGS:
        finest = min(
            (s for s, n in zip(spacing, size, strict=True) if n >= 2 * SHORTEST_SIDE), default=None
        )
        if finest is None:
            break
        step = tuple(
            2 if n >= 2 * SHORTEST_SIDE and s < POOLING_RATIO * finest else 1
            for n, s in zip(size, spacing, strict=True)
        )
        size = [n / f for n, f in zip(size, step, strict=True)]
        spacing = [s * f for s, f in zip(spacing, step, strict=True)]
        strides.append(step)
        kernels.append(_kernel(spacing))
    divisors = tuple(math.prod(step) for step in zip(*strides, strict=True))
    return Pyramid(tuple(strides), tuple(kernels), divisors)


def _kernel(spacing: Sequence[float]) -> Stride:
    """Return 1 along axes whose voxels are more than twice as long as the finest, else 3."""
    finest = min(spacing)
    return tuple(1 if s > POOLING_RATIO * finest else 3 for s in spacing)


def dynunet_parameters(
    levels: Pyramid, first_filters: int, most_filters: int
) -> dict[str, Parameter]:
    """Return the parameters of a DynU-Net, channels left out."""
    widths = [min(first_filters * 2**n, most_filters) for n in range(len(levels.strides))]
    return {
        "spatial_dims": len(levels.divisors),
        "strides": levels.strides,
        "kernel_size": levels.kernels,
        "filters": tuple(widths),
        "deep_supervision": len(levels.strides) > 2,
    }


def patch_for(
    median_shape: Triple,
    spacing_mm: Sequence[float],
    most_voxels: int,
    divisors_of: Callable[[Sequence[int]], Sequence[int]],
) -> Triple:
    """Return the patch: as much of the median case as fits, of equal sides in space where not all.

    Args:
        median_shape: Of the median case on the plan's grid.
        spacing_mm: Of that grid.
        most_voxels: That a patch may have.
        divisors_of: What the sides of a patch have to be multiples of, given its sides.
    """
    # A cube in space of that many voxels, cut to the median case.
    side_mm = (most_voxels * math.prod(spacing_mm)) ** (1 / 3)
    sides = [
        max(1, min(n, round(side_mm / s))) for n, s in zip(median_shape, spacing_mm, strict=True)
    ]
    # What the shorter axes left over goes to the others.
    for _ in range(3):
        spare = most_voxels / math.prod(sides)
        open_axes = [axis for axis in range(3) if sides[axis] < median_shape[axis]]
        if spare <= 1 or not open_axes:
            break
        grow = spare ** (1 / len(open_axes))
        for axis in open_axes:
            sides[axis] = min(median_shape[axis], int(sides[axis] * grow))
    divisors = divisors_of(sides)
    rounded = [max(1, math.ceil(n / d)) * d for n, d in zip(sides, divisors, strict=True)]
    while math.prod(rounded) > 1.3 * most_voxels:
        # The axis that sees most of its case gives way first.
        shrinkable = [axis for axis in range(3) if rounded[axis] > divisors[axis]]
        if not shrinkable:
            break
        widest = max(shrinkable, key=lambda axis: (rounded[axis] / median_shape[axis], -axis))
        rounded[widest] -= divisors[widest]
    return rounded[0], rounded[1], rounded[2]
