"""Clicks as a careful person would set them: at the deepest point of what is wrong most.

The protocol by which interactive methods are compared: the first click lies at the deepest point of
the target, each next one at the deepest point of the largest connected error (Sofiiuk et al., ICIP
2022, doi:10.1109/ICIP46576.2022.9897365). Training, validation and the benchmark share it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Place = tuple[int, int, int]


@dataclass(frozen=True)
class Click:
    """A simulated click.

    Attributes:
        ijk: the voxel.
        positive: whether the object was missed there, and not drawn too large.
    """

    ijk: Place
    positive: bool


def next_click(
    target: Mask, answer: Mask, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> Click | None:
    """Return the click at the deepest point of the largest error; None when there is no error.

    Args:
        target: what is wanted, `(I, J, K)`.
        answer: what there is, same shape; all False before the first click.
        spacing: mm, for depths.
    """
    wrong = target != answer
    if not wrong.any():
        return None
    # Missed and overdrawn voxels that touch are different errors.
    kinds = np.where(wrong, np.where(target, np.uint8(1), np.uint8(2)), np.uint8(0))
    box = _box_of(wrong)
    labels = cc3d.connected_components(kinds[box], connectivity=6)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    place = deepest_point(labels == sizes.argmax(), spacing)
    ijk = tuple(int(n + axis.start) for n, axis in zip(place, box, strict=True))
    return Click((ijk[0], ijk[1], ijk[2]), bool(target[ijk]))


def deepest_point(mask: Mask, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Place:
    """Return the voxel of a mask that is farthest from its border.

    Of several that are as deep (a tube has a line of them) it is the one nearest to their center.
    What lies beyond the array counts as not in the mask.

    Raises:
        ValueError: the mask is empty.
    """
    if not mask.any():
        raise ValueError("an empty mask has no deepest point")
    depth = edt.edt(np.ascontiguousarray(mask), anisotropy=spacing, black_border=True, parallel=1)
    ties = np.argwhere(depth >= depth.max() * (1.0 - 1e-5))
    from_center = ((ties - ties.mean(axis=0)) * spacing) ** 2
    i, j, k = ties[from_center.sum(axis=1).argmin()]
    return int(i), int(j), int(k)


def _box_of(mask: Mask) -> tuple[slice, slice, slice]:
    slices = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        slices.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return slices[0], slices[1], slices[2]
